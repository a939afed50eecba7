"""Stage 1: what arrived, uninterpreted."""
