"""Asterisk on one side, facts and requests on the other."""
