"""Where a chain goes on, whatever a crash has left."""

import gzip
import os
from pathlib import Path

from authz.audit.chain import Link, body, digest
from authz.audit.line_file import LineFile
from authz.audit.resume import resume


def lines(count: int, start: Link | None = None) -> list[bytes]:
    """Return a chain of so many lines."""
    found, link = [], start or Link()
    for _ in range(count):
        found.append(link.line("decision", body({"id": "a", "time": "2026-07-01T00:00:00Z"})))
        link = link.after(found[-1])
    return found


def test_an_empty_file_begins_a_chain(tmp_path: Path):
    """There is nothing before it."""
    file = LineFile(tmp_path / "audit.jsonl")

    found = resume(file)

    assert (found.link, found.first, found.torn, found.began) == (Link(), 1, None, 0)
    file.close()


def test_a_chain_goes_on_from_its_last_line(tmp_path: Path):
    """The file's first line says since when it is written to."""
    path = tmp_path / "audit.jsonl"
    written = lines(3)
    path.write_bytes(b"".join(written))
    file = LineFile(path)

    found = resume(file)

    assert (found.link, found.first) == (Link(3, digest(written[2])), 1)
    assert found.began == 1782864000
    file.close()


def test_what_is_no_line_is_cut_off_and_kept(tmp_path: Path):
    """Half a line, and zeros that a power cut left, even where they look like one."""
    path = tmp_path / "audit.jsonl"
    written = lines(2)
    rest = b"\x00" * 70_000 + b"\n" + b'{"seq":3'
    path.write_bytes(b"".join(written) + rest)
    file = LineFile(path)

    found = resume(file)

    assert path.read_bytes() == b"".join(written)
    assert found.link.seq == 2
    assert found.torn is not None
    assert (found.torn.size, found.torn.sha256) == (len(rest), digest(rest))
    assert found.torn.kept.read_bytes() == rest + b"\n"
    file.close()


def test_a_chain_goes_on_from_closed_files(tmp_path: Path):
    """Where a crash came between closing one and beginning another, or somebody took it away."""
    written = lines(9)
    path = tmp_path / "audit.jsonl"
    (tmp_path / "audit.jsonl.0000000000000001.gz").write_bytes(gzip.compress(b"".join(written[:4])))
    (tmp_path / "audit.jsonl.0000000000000005").write_bytes(b"".join(written[4:]) + b"torn")
    (tmp_path / "audit.jsonl.1").write_bytes(b"")
    (tmp_path / "audit.jsonl.2.gz").write_bytes(b"no gzip")
    file = LineFile(path)

    found = resume(file)

    assert (found.link, found.first) == (Link(9, digest(written[-1])), 10)
    file.close()


def test_a_file_without_any_link_is_set_aside(tmp_path: Path):
    """Records of before there was a chain are kept, and a chain begins."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"id":"old"}\n')
    file = LineFile(path)

    found = resume(file)

    assert (found.link, os.path.getsize(path)) == (Link(), 0)  # noqa: PTH202  as short
    assert (tmp_path / "audit.jsonl.torn").read_bytes() == b'{"id":"old"}\n\n'
    file.close()


def test_a_first_line_that_is_no_link_does_not_stop_it(tmp_path: Path):
    """That is for the check to tell."""
    path = tmp_path / "audit.jsonl"
    no_time = Link(4, "a" * 64).line("decision", body({"id": "a"}))
    path.write_bytes(b"edited\n" + no_time)
    file = LineFile(path)
    found = resume(file)
    file.close()
    path.write_bytes(no_time)
    file = LineFile(path)
    timeless = resume(file)
    file.close()

    assert (found.link.seq, found.first, found.began) == (5, 5, 0)
    assert (timeless.first, timeless.began) == (5, 0)
