"""Health and metrics on the admin socket."""
