"""The table of operations, and which of them a method and path mean.

The table is data: ``docs/reference/operations.csv``, in the order in which
the daemon registers its routes, which is the order of matching. This module
sees paths as the daemon does: decoded, and without the version in front.

Source: moby, api/server/router/*; gorilla/mux takes the first route that fits.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from authz.shipped import shipped

Match = tuple[tuple["Operation", ...], Mapping[str, str]]

_ONE_SEGMENT = frozenset({"services", "nodes", "tasks", "secrets", "configs", "debug"})
"""Routes whose variables hold no slash; elsewhere only those of CheckpointDelete are so."""

_NOT_HTTP_1 = "GRPC"
"""What the table says for calls that no HTTP/1.1 request can make."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table of operations.

    ``variant`` tells rows of the same route apart by the query: empty, a
    parameter that is not empty (``fromImage``), or ``name=value``. ``object``
    is the kind of object that the path names, or ``none``. ``targets`` are
    the values of ``on:`` that the operation can have. ``body`` is ``none``,
    ``json``, ``secret`` (JSON with something in it that nobody may learn, so that
    not even its digest is written down) or ``opaque``; ``opaque`` is the value of
    ``body.opaque`` then, and where no door is shown the body of a login.
    """

    name: str
    method: str
    path: str
    variant: str
    action: str
    first: tuple[int, int]
    last: tuple[int, int]
    risk: str
    stream: str
    object: str
    targets: frozenset[str]
    body: str
    required: bool
    opaque: str


@dataclass(frozen=True, slots=True)
class _Route:
    pattern: re.Pattern[str]
    operations: tuple[Operation, ...]


@cache
def load_operations() -> tuple[Operation, ...]:
    """Return the rows of the table, in the order of matching."""
    path = shipped("docs", "reference", "operations.csv")
    with path.open(newline="", encoding="utf-8") as lines:
        return tuple(map(_operation, csv.DictReader(lines)))


@cache
def newest() -> tuple[int, int]:
    """Return the newest API version that the tables describe."""
    return max(row.last for row in load_operations())


def match(method: str, path: str) -> Match:
    """Return the operations that this method and path may mean, and the path's variables.

    Several operations come back where the query tells them apart (the
    ``variant`` column, to be tried in order); none where there is no route.
    ``path`` is decoded and starts behind the version. Unlike the daemon's, a
    variable is never empty and does not end in a slash: no object is called so.
    """
    routes = _routes()
    segment = path.split("/", 2)[1] if path.startswith("/") else ""
    for route in routes.get((method, segment), routes.get((method, ""), ())):
        found = route.pattern.fullmatch(path)
        if found is not None:
            return route.operations, found.groupdict()
    return (), {}


@cache
def _routes() -> Mapping[tuple[str, str], list[_Route]]:
    """Return the routes by method and first segment, which is empty for a variable."""
    table: dict[tuple[str, str], list[_Route]] = {}
    rows = (row for row in load_operations() if row.path != "*" and row.method != _NOT_HTTP_1)
    for (method, path), group in groupby(rows, key=lambda row: (row.method, row.path)):
        first = path.split("/")[1]
        key = (method, "" if first.startswith("{") else first)
        table.setdefault(key, []).append(_Route(_pattern(path), tuple(group)))
    return table


def _pattern(path: str) -> re.Pattern[str]:
    """Compile a path such as ``/containers/{id}/json``."""
    narrow = path.split("/")[1] in _ONE_SEGMENT or "{checkpoint}" in path
    value = "[^/]+" if narrow else ".*[^/]"
    return re.compile(re.sub(r"{(\w+)}", rf"(?P<\1>{value})", path))


def _operation(row: Mapping[str, str]) -> Operation:
    return Operation(
        name=row["operation"],
        method=row["method"],
        path=row["path"],
        variant=row["variant"],
        action=row["action"],
        first=_version(row["first"]),
        last=_version(row["last"]),
        risk=row["risk"],
        stream=row["stream"],
        object=row["object"],
        targets=frozenset(row["target"].split("|")),
        body=row["body"],
        required=row["required"] == "yes",
        opaque=row["opaque"],
    )


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
