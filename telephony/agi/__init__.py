"""FastAGI: the door at which Asterisk asks, while a call waits, where it goes."""
