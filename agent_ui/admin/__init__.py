"""What an administrator keeps: people, and the seats' phones. Everything else is the set-up file."""
