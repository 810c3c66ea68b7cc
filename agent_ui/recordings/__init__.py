"""Recordings on the call's page: heard by right, each time audited; and listening to a live call."""
