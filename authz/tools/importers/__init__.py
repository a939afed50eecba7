"""Policies of other gates, as bundles; and what of them cannot be carried over."""
