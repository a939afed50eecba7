"""The table of operations, and which of them a method and path mean.

The table is data: ``docs/reference/operations.csv``, in the order in which
the daemon registers its routes, which is the order of matching.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table of operations.

    ``variant`` tells rows of the same route apart by the query: empty, a
    parameter that is not empty (``fromImage``), or ``name=value``. ``object``
    is the kind of object that the path names, or ``none``. ``targets`` are
    the values of ``on:`` that the operation can have. ``body`` is ``none``,
    ``json`` or ``opaque``; ``opaque`` the value of ``body.opaque`` then.
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
