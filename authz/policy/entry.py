"""What an index hands out: rows that may match a value, in the order of strength.

An entry is one alternative of one row. ``match`` is asked for the value where
the index alone does not settle it, ``when`` is the row's condition where it
has one. It knows no kinds and no callers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from authz.policy.decision import Row
from authz.policy.glob import compile_glob
from authz.policy.rule import TAKING

Match = Callable[[str], bool | None]
Entry = tuple[int, Match | None, str | None, Row]
"""Order, match, when, row."""
Entries = tuple[Entry, ...]


_WILD = re.compile(r"[*?]+")


class Glob:
    """A glob that is compiled when it is first needed, and kept: there is no cache to outgrow.

    A value without the longest run of plain characters is none of its values,
    and most are told by that alone.
    """

    __slots__ = ("_fits", "_run", "_text")

    def __init__(self, text: str) -> None:
        runs = _WILD.split(text)
        runs[-2:] = [run.removesuffix("/") for run in runs[-2:]]  # /x/** is /x as well
        self._run = max(runs, key=len)
        self._text = text
        self._fits: Callable[[str], object] | None = None

    def __call__(self, value: str) -> bool:
        """Say whether the value as a whole fits."""
        if self._run not in value:
            return False
        fits = self._fits
        if fits is None:
            fits = self._fits = compile_glob.__wrapped__(self._text).fullmatch
        return fits(value) is not None


def unknowable(_value: str) -> None:
    """Answer for a row of which nothing can be known."""


def sealed(entries: Iterable[Entry]) -> Entries:
    """Return entries in order, without those that can never settle anything.

    A row that matches whatever is asked hides all that come after it. Of two
    rows with the same match and condition the stronger hides the other, unless
    one gives and the other takes away: in doubt only the second counts.
    """
    ordered = sorted(entries, key=_order)
    if len(ordered) <= 1:
        return tuple(ordered)
    kept: list[Entry] = []
    seen = set()
    for entry in ordered:
        _, match, when, row = entry
        key = (match, when, row.word in TAKING)
        if key in seen:
            continue
        seen.add(key)
        kept.append(entry)
        if match is None and when is None:
            break
    return tuple(kept)


def _order(entry: Entry) -> int:
    return entry[0]
