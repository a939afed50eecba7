"""One thing that is wrong with a set-up, for the person who will put it right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How bad it is, the worst first."""

    CRITICAL = "critical"
    """Whoever knows it is root on the host, or the gate is not asked."""
    HIGH = "high"
    """Somebody gets past the gate, or the gate's own word can be changed."""
    MEDIUM = "medium"
    """A wall that should be there is missing."""
    LOW = "low"
    """It should be otherwise, and nothing follows from it alone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is, what was expected, and how to get there.

    ``id`` stays the same from one release to the next, so that programs can
    know it; ``control`` names the benchmark's control where there is one.
    """

    id: str
    weight: Weight
    what: str
    expected: str
    fix: str
    control: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the members that every program sees."""
        members: dict[str, str] = asdict(self)
        members["severity"] = members.pop("weight")
        return members


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Return them in the order in which to put them right."""
    ranks = {weight: rank for rank, weight in enumerate(Weight)}
    return sorted(findings, key=lambda each: (ranks[each.weight], each.id, each.what))
