"""One file of lines. What a sink does with it is in test_sink.py."""

import os
from pathlib import Path

import pytest

from authz.audit.line_file import Found, LineFile, lines_from_the_end


def test_a_look_says_what_became_of_the_file(tmp_path: Path):
    """The same, changed by somebody, or gone."""
    path = tmp_path / "f"
    file = LineFile(path)
    file.write(b"one\n")
    seen = [file.look()]
    with path.open("ab") as other:
        other.write(b"two\n")
    seen.append(file.look())
    grown = file.accept()
    seen.append(file.look())
    path.rename(tmp_path / "g")
    seen.append(file.look())
    path.touch()
    seen.append(file.look())
    file.close()
    file.close()

    assert seen == [Found.SAME, Found.RESIZED, Found.SAME, Found.GONE, Found.GONE]
    assert grown == 4


@pytest.mark.parametrize(("text", "whole"), [(b"", True), (b"a\n", True), (b"a\nb", False)])
def test_a_file_ends_whole_or_not(tmp_path: Path, text: bytes, *, whole: bool):
    """An empty one does."""
    path = tmp_path / "f"
    path.write_bytes(text)
    file = LineFile(path)

    assert file.ends_whole() is whole
    file.close()


def test_lines_are_read_from_the_end(tmp_path: Path):
    """With their offsets; half a line at the end is one of them, one at the beginning is not."""
    path = tmp_path / "f"
    path.write_bytes(b"one\ntwo\nthree")
    descriptor = os.open(path, os.O_RDONLY)

    assert lines_from_the_end(descriptor, 13, 100) == [(8, b"three"), (4, b"two\n"), (0, b"one\n")]
    assert lines_from_the_end(descriptor, 13, 10) == [(8, b"three"), (4, b"two\n")][:2]
    assert lines_from_the_end(descriptor, 13, 7) == [(8, b"three")]
    assert lines_from_the_end(descriptor, 0, 7) == []
    os.close(descriptor)


def test_a_file_that_cannot_be_had_is_closed(tmp_path: Path):
    """No descriptor is left over."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    os.mkfifo(tmp_path / "f")

    with pytest.raises(OSError, match="is no regular file"):
        LineFile(tmp_path / "f")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_a_failed_write_left_is_cut_off_before_the_next(tmp_path: Path):
    """Where it could not be taken back at once."""
    file = LineFile(tmp_path / "f")
    file.write(b"one\n")
    descriptor, reading = os.dup(file.descriptor), os.open(tmp_path / "f", os.O_RDONLY)
    os.dup2(reading, file.descriptor)
    with pytest.raises(OSError, match="Invalid argument"):
        file.write(b"two\n")
    os.write(descriptor, b"tw")
    os.dup2(descriptor, file.descriptor)
    for each in (descriptor, reading):
        os.close(each)

    file.write(b"three\n")
    file.close()

    assert (tmp_path / "f").read_bytes() == b"one\nthree\n"
