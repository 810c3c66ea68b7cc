"""The fault bench: real calls on a real Asterisk while links, files and processes fail by a printed seed."""
