"""The laboratory: a real Asterisk 22, callers and agents' phones by SIPp, a PostgreSQL of our own.

`python -m tests.lab` is a call centre to play with, `python -m tests.lab install` only installs,
`python -m tests.lab record` records the golden traces anew.
"""
