"""The shared core: the words everybody speaks (events, commands), the bus, and the records."""
