"""Intervals, indexed, against intervals asked one by one."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from authz.policy.number import Interval, read_interval
from authz.policy.segments import Segments
from tests.policies import some_rows

(ROW,) = some_rows("*, *, *, bind:/a, *, allow")
TEXTS = ("4", "0-4", "4-9", ">4", "<4", ">=4", "<=4", "<0", ">=0", "5-5", "1-1023", "8000-8999")
NUMBERS = ("0", "0.5", "3", "4", "4.0", "4.5", "5", "9", "10", "1023", "8500", "99999", "Infinity")


def _segments(*texts: str) -> Segments:
    entries = [
        (read_interval(text, units=False), (n, None, f"door={n}", ROW))
        for n, text in enumerate(texts)
    ]
    return Segments(entries)


def _at(segments: Segments, number: str) -> set[int]:
    return {order for entries in segments.at(Decimal(number)) for order, *_ in entries}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_interval_that_holds_a_number(number: str):
    """The ends count where they belong to it."""
    holding = {
        n for n, text in enumerate(TEXTS) if Decimal(number) in read_interval(text, units=False)
    }

    assert _at(_segments(*TEXTS), number) == holding


def test_random_intervals():
    """Any number of them."""
    random = Random(1)  # noqa: S311  repeatable, not secret
    for _ in range(200):
        texts = [
            f"{low}-{low + random.randint(0, 9)}"
            for low in random.choices(range(30), k=random.randint(1, 12))
        ]
        segments = _segments(*texts)
        for number in range(-1, 45):
            holding = {
                n
                for n, text in enumerate(texts)
                if Decimal(number) in read_interval(text, units=False)
            }
            assert _at(segments, str(number)) == holding


def test_a_number_below_all_is_in_none():
    """Beside the tree there is nothing."""
    assert _segments("4-9").at(Decimal(3)) == []
    assert _segments("4-9").at(Decimal(10)) == []


def test_many_intervals_are_not_asked_one_by_one():
    """A number meets few lists, however many intervals there are."""
    segments = _segments(*(f"{n}-{n + 1}" for n in range(0, 20_000, 2)))

    found = segments.at(Decimal(10_000))

    assert len(found) <= 2
    assert sum(map(len, found)) == 1


def test_an_interval_that_holds_nothing():
    """An open end at the only point."""
    empty = Interval(Decimal(0), Decimal(0), open_high=True)

    assert Segments([(empty, (0, None, None, ROW))]).at(Decimal(0)) == []
