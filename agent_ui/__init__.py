"""What people see: pages, the live socket, and the JSON interface for other programs."""
