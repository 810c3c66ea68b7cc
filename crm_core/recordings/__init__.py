"""Recordings of calls: which files there are, whose they are, how long they are kept."""
