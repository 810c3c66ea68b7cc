"""A person's own page: data, password, sessions."""
