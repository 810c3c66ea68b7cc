"""Who takes an incoming call: what is decided at the door, before the queue. Pure."""
