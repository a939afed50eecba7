"""What already runs, judged as if it were created now."""
