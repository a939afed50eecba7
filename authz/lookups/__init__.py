"""Questions put to the daemon and the file system."""
