"""The live queues: what a supervisor sees of the floor, pushed as it changes."""
