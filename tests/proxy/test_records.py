"""Where records end."""

import pytest

from authz.proxy.records import AT_ONCE, Records


def record(length: int) -> bytes:
    """Return one of so many bytes behind its head."""
    return b"\x17\x03\x03" + length.to_bytes(2, "big") + b"x" * length


@pytest.mark.parametrize("size", [1, 3, 5, 6, 7, 64, 100_000])
def test_records_are_counted_however_they_come(size):
    """Also one that is empty; nothing is lost, and no piece has very many."""
    data = b"".join(record(length) for length in [0, 1, 2, 300, 16_401, *([22] * 100), 0])
    records = Records()
    pieces = [
        each for at in range(0, len(data), size) for each in records.cut(data[at : at + size])
    ]

    assert b"".join(piece for piece, _ in pieces) == data
    assert sum(ended for _, ended in pieces) == 106
    assert max(ended for _, ended in pieces) <= AT_ONCE


def test_what_is_one_piece_is_not_copied():
    """A read of full records costs nothing more."""
    data = record(16_401) * 15

    assert [piece is data for piece, _ in Records().cut(data)] == [True]
