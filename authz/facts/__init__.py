"""Stage 4: what the request would do, in the words of policies."""
