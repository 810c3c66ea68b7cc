"""What machines watch the centre by: is it ready (`/readyz`), what does it count (`/metrics`)."""
