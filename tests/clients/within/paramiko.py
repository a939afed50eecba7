"""Stands in for the SSH library, of which docker-py's tests name one class and use nothing.

Nothing is compared over SSH.
"""


class Channel:
    """What no connection of these tests is."""
