"""Which versions of the daemon are known to let requests past a plugin.

The table is data, with the source of each row. A distribution repairs holes
without another number, so its own list of changes counts as well. It knows
versions, and no daemon.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache

from authz.doctor.finding import Finding, Weight
from authz.shipped import shipped

Version = tuple[int, int, int]

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?!\d)")
_PRERELEASE = re.compile(r"-(?:rc|beta|alpha)")


@dataclass(frozen=True, slots=True)
class Hole:
    """One row of the table. ``fixed`` are the first good versions, each of its branch."""

    id: str
    weight: Weight
    since: Version
    fixed: tuple[Version, ...]
    what: str
    source: str

    def is_in(self, version: Version) -> bool:
        """Say whether a version has it.

        A version is good from the first good one of its own branch on, and
        from the newest first good one of all.
        """
        if version < self.since:
            return False
        if self.fixed and version >= self.fixed[-1]:
            return False
        return not any(each[:2] == version[:2] and version >= each for each in self.fixed)


def version_of(text: str) -> Version | None:
    """Read ``26.1.5+dfsg1``; None for what is no version. A release candidate is not yet it."""
    found = _VERSION.match(text)
    if found is None:
        return None
    major, minor, patch = int(found[1]), int(found[2]), int(found[3] or 0)
    return (major, minor, patch - 1 if _PRERELEASE.match(text, found.end()) else patch)


@lru_cache(maxsize=1)
def load_holes() -> tuple[Hole, ...]:
    """Read the table that ships with the package."""
    with shipped("docs", "reference", "holes.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_hole(row) for row in csv.DictReader(file))


def holes_of(version: str, repaired: str = "") -> list[Finding]:
    """Return what a daemon of this version has.

    ``repaired`` is the list of changes of the package that it came in; a hole
    that it names is closed.
    """
    numbers = version_of(version)
    if numbers is None:
        return [
            Finding(
                "engine-unknown",
                Weight.MEDIUM,
                f'the daemon says that its version is "{version}"',
                "a release, so that its known holes can be told",
                "run a released version of the daemon",
            )
        ]
    return [
        _finding(hole, version)
        for hole in load_holes()
        if hole.is_in(numbers) and not re.search(rf"\b{re.escape(hole.id)}\b", repaired)
    ]


def _finding(hole: Hole, version: str) -> Finding:
    good = ", ".join(".".join(map(str, each)) for each in hole.fixed)
    return Finding(
        hole.id,
        hole.weight,
        f"engine {version}: {hole.what}",
        f"{good} or later" if good else "nobody but root and the proxy reaches its socket",
        "update the daemon" if good else "let people in through the proxy only",
        "CIS 1.1.2",
    )


def _hole(row: dict[str, str]) -> Hole:
    return Hole(
        row["id"],
        Weight(row["severity"]),
        _numbers(row["since"]),
        tuple(sorted(_numbers(each) for each in row["fixed"].split())),
        row["what"],
        row["source"],
    )


def _numbers(text: str) -> Version:
    major, minor, patch = text.split(".")
    return int(major), int(minor), int(patch)
