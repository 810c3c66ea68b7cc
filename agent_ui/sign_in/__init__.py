"""Sign-in, the choice of a device, the password, the language."""
