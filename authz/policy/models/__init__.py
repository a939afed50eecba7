"""Casbin models other than the reviewed one: a subset that means the same here as there."""
