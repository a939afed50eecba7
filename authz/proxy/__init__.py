"""Front door two: the Docker API."""
