"""/api/v1: JSON for other programs. Names are those of design section 4; change them with a note."""
