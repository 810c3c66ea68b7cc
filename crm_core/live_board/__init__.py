"""What is going on right now: calls, agents and queues, folded from events."""
