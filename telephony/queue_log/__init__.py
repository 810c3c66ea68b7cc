"""Asterisk's own book of its queues, read row by row: the only place that tells how a pass ended."""
