"""Ranges of numbers, ports and users: how values are read, and what is in doubt."""

from __future__ import annotations

import pytest

from authz.policy.comparison import Shape, comparison
from authz.policy.entry import unknowable
from authz.policy.ranges import Ranges
from tests.policies import some_rows

ALLOW, DENY = some_rows("*, *, *, bind:/a, *, allow", "*, *, *, bind:/a, *, deny")


def _ranges(shape: Shape, *texts: str, row=ALLOW) -> Ranges:
    return Ranges(
        [(comparison(text, shape), (n, None, f"door={n}", row)) for n, text in enumerate(texts)]
    )


@pytest.mark.parametrize(
    ("shape", "value", "found"),
    [
        (Shape.BYTES, "8g", {0, 1}),
        (Shape.BYTES, "none", {0}),
        (Shape.BYTES, "1", set()),
        (Shape.BYTES, "much", set()),
        (Shape.PORT, "80/tcp", {0, 2}),
        (Shape.PORT, "80/udp", {1, 2}),
        (Shape.PORT, "80/sctp", {2}),
        (Shape.PORT, "http", set()),
        (Shape.USER, "root", {0}),
        (Shape.USER, "1000", {1}),
        (Shape.USER, "ann", set()),
    ],
)
def test_values_are_read_by_their_kind(shape: Shape, value: str, found: set[int]):
    """Ports by their protocol, or by none."""
    texts = {
        Shape.BYTES: (">4g", "8g"),
        Shape.PORT: ("80/tcp", "1-99/udp", "80/*"),
        Shape.USER: ("0", ">=1000"),
    }
    ranges = _ranges(shape, *texts[shape])

    assert {order for entries in ranges.at(value) for order, *_ in entries} == found


def test_what_is_no_number_is_a_doubt_for_rows_that_take_away():
    """A deny above 8g may mean it; an allow does not."""
    ((doubt,),) = _ranges(Shape.BYTES, ">8g", row=DENY).at("much")

    assert doubt[:3] == (0, unknowable, "door=0")
    assert _ranges(Shape.BYTES, ">8g").at("much") == [()]
