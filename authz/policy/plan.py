"""What one caller needs of an index: for each kind of fact the buckets that speak of him.

A plan is made for a caller, a tenant and an action, and looks a kind up when it
is first asked for. Of requests it holds facts that no secret can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from authz.facts.facts import Fact
from authz.policy.bucket import SHOWN, Bucket, Filling
from authz.policy.comparison import UNKNOWN
from authz.policy.decision import Decision, Outcome, Row
from authz.policy.entry import Entries, sealed
from authz.policy.pattern import EVERYTHING, NAMED_ONLY
from authz.policy.placeholder import Fill
from authz.policy.ranges import Ranges
from authz.policy.rule import TAKING

Block = Mapping[str, Bucket]
"""The rows of one subject, tenant and action by kind; those for every kind under ``**``."""

SETTLED: Final = 128
"""Facts whose outcome is kept for a plan; an ordinary create has thirty, nearly the same always."""

DECIDED: Final = 16
"""Decisions that are kept for a plan."""

_MERGED: Final = 64
"""Values, or rows without one, that are merged for a caller."""
_END: Final = 1 << 62


class Lookup:
    """The buckets of one caller for one kind, those that are small merged into one."""

    __slots__ = ("_always", "_exact", "_prefixes", "_ranges", "allowing")

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        always = [bucket.always for bucket in buckets if bucket.always]
        if sum(map(len, always)) <= _MERGED:
            always = [sealed(chain.from_iterable(always))] if always else []
        prefixes = _merged([bucket.prefixes for bucket in buckets if bucket.prefixes])
        self._always: list[Entries] = always
        self._exact = _merged([bucket.exact for bucket in buckets if bucket.exact])
        self._prefixes = [(sorted(set(map(len, each))), each) for each in prefixes]
        allowing = sorted(chain.from_iterable(each.allowing for each in buckets), key=_order)
        self.allowing = allowing[:SHOWN]
        self._ranges = _merged_ranges([bucket.ranges for bucket in buckets if bucket.ranges])

    def settle(self, value: str, holds: Mapping[str, bool | None]) -> tuple[Row | None, Row | None]:
        """Return the strongest row that matches, and a stronger one that may match or not.

        ``holds`` answers for conditions.

        INVARIANT: entries of a list come in order, and a list is left as soon
        as what follows is weaker than what was found.
        """
        certain = doubtful = None
        first = doubt = _END
        for entries in self._found(value):
            for order, match, when, row in entries:
                if order >= first:
                    break
                answer = True if match is None else match(value)
                if answer is False:
                    continue
                if when is not None:
                    held = holds[when]
                    if held is False:
                        continue
                    answer = answer and held
                if answer:
                    first, certain = order, row
                    break
                if order < doubt and row.word in TAKING:
                    doubt, doubtful = order, row
        return certain, doubtful if doubt < first else None

    def _found(self, value: str) -> list[Entries]:
        found = [entries for exact in self._exact if (entries := exact.get(value))]
        if value == UNKNOWN:
            return found
        found += self._always
        for lengths, prefixes in self._prefixes:
            size = len(value)
            for length in lengths:
                if length > size:
                    break
                if entries := prefixes.get(value[:length]):
                    found.append(entries)
        for ranges in self._ranges:
            found += ranges.at(value)
        return found


def _order(each: tuple[int, Row]) -> int:
    return each[0]


def _merged(tables: list[Mapping[str, Entries]]) -> list[Mapping[str, Entries]]:
    """Return one table where that is small enough to be made for a caller."""
    if len(tables) <= 1 or sum(map(len, tables)) > _MERGED:
        return tables
    merged: dict[str, Entries] = {}
    for table in tables:
        for text, entries in table.items():
            known = merged.get(text)
            merged[text] = sealed((*known, *entries)) if known else entries
    return [merged]


def _merged_ranges(ranges: list[Ranges]) -> list[Ranges]:
    """Return one tree where that is small enough to be made for a caller."""
    if len(ranges) <= 1 or sum(len(each.given) for each in ranges) > _MERGED:
        return ranges
    return [Ranges(chain.from_iterable(each.given for each in ranges))]


class Plan(dict[str, Lookup]):
    """What the rows say to one caller who asks for one action in one tenant, by kind.

    ``settled`` is what was said of facts already, ``decided`` what followed for all
    facts of a request. Two threads may look a kind or a fact up at once and find it
    twice, to the same effect.
    """

    __slots__ = ("_blocks", "_fill", "decided", "settled")

    def __init__(self, blocks: Sequence[Block], fill: Fill) -> None:
        super().__init__()
        self._blocks = blocks
        self._fill = fill
        self.settled: dict[Fact, Outcome] = {}
        self.decided: dict[tuple[Fact, ...], Decision] = {}

    def remember(self, outcome: Outcome) -> None:
        """Keep what no condition has a part in. Few are kept, the last ones."""
        if len(self.settled) >= SETTLED:
            self.settled.clear()
        self.settled[outcome.fact] = outcome

    def keep(self, decision: Decision) -> None:
        """Keep a decision that will be the same whenever these facts come again.

        INVARIANT: each of its outcomes is kept itself, so that no condition has a part in it.
        """
        if any(self.settled.get(each.fact) is not each for each in decision.outcomes):
            return
        if len(self.decided) >= DECIDED:
            self.decided.clear()
        self.decided[tuple([each.fact for each in decision.outcomes])] = decision

    def __missing__(self, kind: str) -> Lookup:
        """Look a kind up for the first time."""
        found = self[kind] = self._made(kind)
        return found

    def allowing(self, kinds: Iterable[str]) -> list[Row]:
        """Return the first rows that allow something of these kinds, the first one first."""
        found = dict(chain.from_iterable(self[kind].allowing for kind in kinds))
        return [found[order] for order in sorted(found)]

    def _made(self, kind: str) -> Lookup:
        buckets = self._buckets(kind)
        if kind not in NAMED_ONLY:
            buckets += self._buckets(EVERYTHING)
        templates = [template for bucket in buckets for template in bucket.templates]
        if templates:
            filling = Filling()
            for template in templates:
                filling.fill(template, self._fill)
            buckets.append(filling.bucket())
        return Lookup(buckets)

    def _buckets(self, kind: str) -> list[Bucket]:
        return [bucket for block in self._blocks if (bucket := block.get(kind))]
