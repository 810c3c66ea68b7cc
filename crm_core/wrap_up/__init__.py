"""What an agent leaves behind after a call: the note and the disposition."""
