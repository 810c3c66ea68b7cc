"""What agents do: their state machine, its rows, and the reasons for a pause."""
