"""The test suites of ordinary clients, run at a daemon directly and through a door."""
