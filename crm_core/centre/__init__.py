"""The nouns of a centre: projects, hotlines, teams, queues and seats."""
