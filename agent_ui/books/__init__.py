"""The two books compared, and the gap book: how far the records can be trusted."""
