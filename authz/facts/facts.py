"""What a request would do, in the words of policies: the value that stage 4 makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

LABEL: Final = "label."
ALL_LABELS: Final = "label.*"
"""Conditions with this key know every label: one that is not there is known to be absent."""

LONGEST_MEMORY: Final = 80
"""Characters of a value that may be remembered."""


class Fact(NamedTuple):
    """One ``kind:value``. ``looked_up`` marks what only a look-up could tell.

    A tuple, because a request makes and compares forty of them.
    """

    kind: str
    value: str
    looked_up: bool = False

    def __str__(self) -> str:
        """Print as policies write it."""
        return f"{self.kind}:{self.value}"

    @property
    def memorable(self) -> bool:
        """Whether it may be remembered beyond its request: it is short, and cannot be a secret."""
        value = self.value
        return len(value) <= LONGEST_MEMORY and "=" not in value and "@" not in value


@dataclass(frozen=True, slots=True)
class Facts:
    """One action and everything that must be allowed for it.

    ``facts`` are distinct and in a stable order. ``conditions`` holds what a
    ``when`` column may ask about the request (image, name, ``label.<key>``):
    a missing key is not known; the empty string is known to be absent.
    """

    action: str
    facts: tuple[Fact, ...]
    conditions: Mapping[str, str] = field(default_factory=dict)
