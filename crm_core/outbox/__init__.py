"""What we have asked of Asterisk that must not happen twice, written down before it is asked."""
