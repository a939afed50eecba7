"""What is wrong with a set-up: the daemon, its settings, who reaches it, and our own files."""
