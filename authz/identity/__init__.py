"""Stage 3: who asks."""
