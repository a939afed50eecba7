"""What a program proposes and a person reviews: rows, cases and whole bundles."""
