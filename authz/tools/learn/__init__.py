"""The least policy that allows what was recorded, as a bundle for a person to review."""
