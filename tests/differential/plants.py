"""Bugs to plant in the compiled engine, to see that the comparison finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from unittest.mock import patch

from authz.policy import bucket, compiled, plan, ranges, roles
from authz.policy.bucket import Filling
from authz.policy.decision import Row
from authz.policy.entry import Entries, Entry
from authz.policy.plan import Lookup
from authz.policy.subject import ANYBODY

Settled = tuple[Row | None, Row | None]
Links = Mapping[tuple[str, str], set[str]]
Plant = Callable[[], AbstractContextManager[object]]


def short_prefix() -> AbstractContextManager[object]:
    """Plant a prefix length that is off by one."""
    honest = Filling._begins

    def wrong(self: Filling, prefix: str, entry: Entry) -> None:
        honest(self, prefix[:-1], entry)

    return patch.object(Filling, "_begins", wrong)


def no_wildcard_action() -> AbstractContextManager[object]:
    """Plant an index that drops the wildcard key of actions."""
    return patch.object(compiled, "ANYTHING", "container.create")


def no_wildcard_subject() -> AbstractContextManager[object]:
    """Plant an index that drops the wildcard key of subjects."""
    return patch.object(compiled, "ANYBODY", "user:ann")


def unsorted_merge() -> AbstractContextManager[object]:
    """Plant a merge of several lists that leaves them one behind the other."""
    return patch.object(plan, "sealed", _unsorted)


def short_closure() -> AbstractContextManager[object]:
    """Plant a closure of roles that stops one hop short."""

    def wrong(links: Links, names: tuple[str, ...], domain: str) -> frozenset[str]:
        seen = [set(names)]
        while True:
            new = {
                role
                for name in seen[-1]
                for where in (ANYBODY, domain)
                for role in links.get((where, name), ())
            }
            if not new:
                return frozenset().union(*seen[: max(1, len(seen) - 1)])
            seen.append(new)

    return patch.object(roles, "closure", wrong)


def early_stop() -> AbstractContextManager[object]:
    """Plant a search that takes the first row that matches, whatever its word."""

    def wrong(
        self: Lookup, value: str, holds: Mapping[str, bool | None]
    ) -> tuple[Row | None, Row | None]:
        for entries in self._found(value):
            for _, match, when, row in entries:
                if (match is None or match(value)) and (when is None or holds[when]):
                    return row, None
        return None, None

    return patch.object(Lookup, "settle", wrong)


def no_doubt() -> AbstractContextManager[object]:
    """Plant a row that is silent where it cannot be compared."""
    return patch.object(bucket, "unknowable", lambda _value: False)


def no_number() -> AbstractContextManager[object]:
    """Plant a value that is no number as one above all numbers."""
    return patch.object(ranges, "sealed", lambda _entries: ())


def folder_without_itself() -> AbstractContextManager[object]:
    """Plant a ``/x/**`` that does not include ``/x``."""
    honest = Filling._text

    def wrong(self: Filling, glob: str, *rest: object) -> None:
        honest(self, glob.replace("/**", "/?**"), *rest)

    return patch.object(Filling, "_text", wrong)


def remembered_condition() -> AbstractContextManager[object]:
    """Plant an index that remembers what a condition had a part in."""
    return patch.object(compiled._Holds, "__getitem__", dict.__getitem__)


PLANTS: dict[str, Plant] = {
    "prefix length off by one": short_prefix,
    "wildcard action dropped": no_wildcard_action,
    "wildcard subject dropped": no_wildcard_subject,
    "unsorted merge": unsorted_merge,
    "closure one hop short": short_closure,
    "early stop on the wrong word": early_stop,
    "doubt left out": no_doubt,
    "no number is no doubt": no_number,
    "folder without itself": folder_without_itself,
    "condition remembered": remembered_condition,
}


def _unsorted(entries: Iterable[Entry]) -> Entries:
    return tuple(entries)
