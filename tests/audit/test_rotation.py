"""The files of an audit: their names, their order, and which may go."""

import gzip
import os
from pathlib import Path

import pytest

from authz.audit.rotation import (
    DAY,
    Retention,
    closed_name,
    compress,
    expired,
    family,
    first_of,
    opened,
    to_compress,
)

ACTIVE = "audit.jsonl"


def some_files(folder: Path, *names: str) -> Path:
    """Make files of ten bytes; return the path of the one that is written to."""
    for name in names:
        (folder / name).write_bytes(b"123456789\n")
    return folder / ACTIVE


def closed(*numbers: int) -> list[str]:
    """Return names of closed files."""
    return [f"{ACTIVE}.{number:016d}" for number in numbers]


def test_a_closed_file_is_named_by_its_first_line(tmp_path: Path):
    """A name that is taken is left alone, compressed or not."""
    path = some_files(tmp_path)
    first = closed_name(path, 42)
    first.touch()
    second = closed_name(path, 42)
    second.with_name(second.name + ".gz").touch()

    assert first.name == "audit.jsonl.0000000000000042"
    assert second.name == "audit.jsonl.0000000000000042-1"
    assert closed_name(path, 42).name == "audit.jsonl.0000000000000042-2"
    assert [first_of(each) for each in (first, second, path)] == [42, 42, None]


def test_a_family_is_all_that_was_ever_written_to(tmp_path: Path):
    """Ours in their order, then those that others renamed; nothing that only looks alike."""
    path = some_files(
        tmp_path,
        ACTIVE,
        *closed(7, 1),
        f"{closed(7)[0]}.gz",
        f"{closed(3)[0]}.gz",
        f"{ACTIVE}.1",
        f"{ACTIVE}-20260701.gz",
        f"{ACTIVE}.2.xz",
        f"{ACTIVE}-2026-07-02T03:00.bz2",
        f"{ACTIVE}.1.txt",
        f"{ACTIVE}.torn",
        f"{ACTIVE}.key",
        f"{closed(9)[0]}.gz.part",
        "other.jsonl.1",
    )

    assert [each.name for each in family(path)] == [
        *closed(1),
        f"{closed(3)[0]}.gz",
        *closed(7),
        f"{ACTIVE}-2026-07-02T03:00.bz2",
        f"{ACTIVE}-20260701.gz",
        f"{ACTIVE}.1",
        f"{ACTIVE}.2.xz",
    ]
    assert [each.name for each in to_compress(path)] == closed(1, 7)


def test_a_compressed_file_takes_the_place_of_the_other(tmp_path: Path):
    """With the same bytes, and as private; what an interrupted attempt left is no hindrance."""
    path = some_files(tmp_path, *closed(1)).with_name(closed(1)[0])
    path.with_name(path.name + ".gz.part").touch()

    packed = compress(path)

    assert packed.name == f"{closed(1)[0]}.gz"
    with opened(packed) as stream:
        assert stream.read() == b"123456789\n"
    assert gzip.decompress(packed.read_bytes()) == b"123456789\n"
    assert packed.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [packed.name]


def test_a_file_that_is_compressed_while_somebody_reads_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Under whatever name it has just then."""
    path = some_files(tmp_path, *closed(1, 2))
    first = tmp_path / closed(1)[0]
    real = Path.iterdir
    seen = []

    def moving(self: Path) -> list[Path]:
        listed = list(real(self))
        seen.append(listed)
        if len(seen) == 1:  # it was gone when its place was read, and new where one had been
            compress(first)
            return [each for each in listed if each != first]
        return listed

    monkeypatch.setattr(Path, "iterdir", moving)

    assert [each.name for each in family(path)] == [f"{closed(1)[0]}.gz", *closed(2)]
    with opened(first) as stream:
        assert stream.read() == b"123456789\n"
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")


def test_a_folder_that_never_rests_is_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As well as it can be."""
    path = some_files(tmp_path)
    names = iter(range(1, 100))
    monkeypatch.setattr(Path, "iterdir", lambda _: [tmp_path / closed(next(names))[0]])

    assert len(family(path)) == 1


def test_a_file_that_cannot_be_compressed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing half done is left."""
    path = some_files(tmp_path, *closed(1)).with_name(closed(1)[0])

    def failing(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="No space left"):
        compress(path)
    assert [each.name for each in tmp_path.iterdir()] == closed(1)


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (Retention(), []),
        (Retention(files=2), [1, 2]),
        (Retention(size=25), [1, 2]),
        (Retention(days=1.5), [1, 2, 3]),
        (Retention(files=3, days=3.5), [1]),
        (Retention(days=100), []),
    ],
)
def test_the_oldest_files_may_go(tmp_path: Path, keep: Retention, gone: list[int]):
    """By number, age and size together; those that others named are not ours to delete."""
    path = some_files(tmp_path, ACTIVE, *closed(1, 2, 3, 4), f"{ACTIVE}.1")
    for number in range(1, 5):
        time = 100 * DAY - (5 - number) * DAY
        os.utime(tmp_path / closed(number)[0], (time, time))

    assert [each.name for each in expired(family(path), keep, 100 * DAY)] == closed(*gone)
    assert bool(keep) is (keep != Retention())


def test_what_is_no_file_is_none_of_the_audit(tmp_path: Path):
    """A pipe would be waited for, and a device has no end."""
    path = some_files(tmp_path, ACTIVE, *closed(1))
    os.mkfifo(tmp_path / closed(2)[0])
    (tmp_path / closed(3)[0]).symlink_to("/dev/zero")
    (tmp_path / f"{ACTIVE}.4").mkdir()

    assert [each.name for each in family(path)] == closed(1)
