"""Puts Dockgate between a daemon and its clients, and takes it away again."""
