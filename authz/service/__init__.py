"""The running service: its settings, everything built from them, and its operator."""
