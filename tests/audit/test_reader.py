"""Reading an audit file back."""

from pathlib import Path

import pytest

from authz.audit.reader import Entry, read
from authz.errors import ConfigurationError


def test_every_line_is_told_with_what_is_wrong(tmp_path: Path):
    """One bad line does not hide the others."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(
        b'{"id":"a"}\n\x00\xff\n[1]\n{"id":1}\n' + b"[" * 100_000 + b'\n{"id":"b"}\n{"id":"c"}'
    )

    entries = list(read(path))

    assert entries == [
        Entry(1, {"id": "a"}),
        Entry(2, {}, "is not JSON"),
        Entry(3, {}, "is JSON but no record"),
        Entry(4, {}, "is JSON but no record"),
        Entry(5, {}, "is not JSON"),
        Entry(6, {"id": "b"}),
        Entry(7, {}, "is torn: the line has no end"),
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    """With its path and the system's reason."""
    with pytest.raises(ConfigurationError, match=r"none: cannot be read: No such file"):
        list(read(tmp_path / "none"))
