"""Structured logging: set up once, by the command line."""
