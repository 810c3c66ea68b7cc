"""Talking AMI with Asterisk: bytes to typed messages, typed actions to bytes, and the link itself."""
