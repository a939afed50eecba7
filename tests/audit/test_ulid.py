"""Request ids: their form, and that they only ever grow."""

import re

from authz.audit.ulid import Ulids


def test_an_id_is_a_ulid():
    """26 letters and digits, of which ten are the time; the specification's own example."""
    ids = Ulids(clock=lambda: 1_469_918_176_385_000_000, entropy=bytes)

    assert ids.next() == "01ARYZ6S41" + "0" * 16


def test_ids_of_one_moment_grow():
    """Records of one millisecond keep their order."""
    ids = Ulids(clock=lambda: 0, entropy=lambda size: (b"\xff" * 9 + b"\xf0") * (size // 10))

    made = [ids.next() for _ in range(3)]

    assert made == sorted(set(made))
    assert made[0].endswith("ZZZG")


def test_a_clock_that_is_set_back_does_not_matter():
    """An id made later is greater, whatever the clock says."""
    times = iter([5_000_000_000, 1_000_000_000])
    ids = Ulids(clock=lambda: next(times))

    first, second = ids.next(), ids.next()

    assert first < second


def test_real_ids_differ():
    """The defaults give well-formed ids, each once."""
    ids = Ulids()

    made = {ids.next() for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", one) for one in made)
