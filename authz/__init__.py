"""Dockgate: decides who may do what with a Docker daemon."""

__version__ = "0.1.0"
