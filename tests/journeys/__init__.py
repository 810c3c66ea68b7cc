"""Journeys: through all packages, on a real Asterisk, with the product as a user runs it."""
