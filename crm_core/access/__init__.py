"""Who may do what: people, roles as sets of permissions, data scope, sessions and tokens."""
