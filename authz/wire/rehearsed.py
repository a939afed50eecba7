"""How a request would have come in that nobody sent: what a rehearsal says of its connection."""

from __future__ import annotations

from authz.wire.evidence import Evidence, address
from authz.wire.raw import Door

PROTECTIONS = ("none", "server", "mutual")
"""What the connection of a caller may be protected by."""


class ArrivalError(ValueError):
    """What no connection of a door can be like. ``key`` names what is wrong."""

    def __init__(self, key: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.suggestion = suggestion


def rehearsed(
    door: Door, *, listener: str | None = None, tls: str | None = None, source: str | None = None
) -> Evidence:
    """Return what a door would know of the connection; None leaves it at what is known without.

    ``source`` is an address, or empty for a unix socket. Raises ArrivalError: the
    daemon tells a plugin of a client certificate, and of nothing else.
    """
    if door is Door.PLUGIN:
        for key, value in (("listener", listener), ("source", source)):
            if value is not None:
                message = f"{key} is {value!r}; a plugin is not told, expected the proxy's door"
                raise ArrivalError(key, message)
        if tls not in (None, "mutual"):
            message = f"tls is {tls!r}; a plugin is told of mutual only"
            raise ArrivalError("tls", message, "mutual")
        return Evidence(daemon_method="TLS" if tls else "")
    if source and address(source) != source:
        known = address(source)
        message = f"source is {source!r}; expected an IP address"
        raise ArrivalError("source", message, known or "192.0.2.1")
    return Evidence(listener=listener or "", tls=tls or "none", source=source)
