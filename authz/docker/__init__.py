"""Stage 2: what the request means to the daemon."""
