"""Stage 5: may they."""
