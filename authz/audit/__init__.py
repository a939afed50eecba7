"""Stage 6: what was decided."""
