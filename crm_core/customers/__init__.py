"""Customers: their files, contacts, phone numbers and the fields a centre defines itself."""
