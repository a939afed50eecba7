"""One request, as one operation of the Engine API: the value that stage 2 makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.docker.routes import Operation


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What the daemon will do, decoded by the daemon's rules.

    ``path`` holds the decoded path variables (``id``, ``name``). ``query``
    holds the decoded parameters; each has one value, except those that the
    field table declares as lists. ``body`` is the canonical JSON document:
    member names in the daemon's spelling, only described members, explicit
    nulls dropped; it is None where the operation has no JSON body or the
    document is ``null``. ``unknown_fields`` are the paths of members and
    parameters that are not described and not empty. ``opaque`` is the value
    of the ``body.opaque`` fact where the body cannot be read, else empty.
    ``version`` is None where the path names none, so that the daemon takes
    its own default.
    """

    operation: Operation
    version: tuple[int, int] | None
    path: Mapping[str, str]
    query: Mapping[str, tuple[str, ...]]
    body: Any = None
    unknown_fields: tuple[str, ...] = ()
    opaque: str = ""
    content_type: str = ""

    def parameter(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        values = self.query.get(name, ())
        return values[0] if values else default
