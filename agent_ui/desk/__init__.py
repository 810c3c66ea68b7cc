"""The desk: what an agent sees while the phone rings."""
