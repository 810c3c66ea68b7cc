"""The call list and one call's page."""
