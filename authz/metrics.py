"""Names of the metrics, in one place."""
