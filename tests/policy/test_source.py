"""Files are read once, whole, and as the lines that everybody else sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authz.errors import PolicyError
from authz.policy.source import MAX_FILE, MAX_LINE, MAX_PROBLEMS, read_source, split
from authz.policy.text import render_problem
from tests.policies import a_source


def _problem(content: bytes) -> str:
    _, problems = split(a_source(content))
    assert len(problems) == 1
    return render_problem(problems[0])


def test_a_file_is_read_as_it_is(tmp_path: Path):
    """The bytes of a source are the bytes of the file."""
    path = tmp_path / "policy.csv"
    path.write_bytes(b"a\r\n\xff")

    source = read_source("policy.csv", path)

    assert (source.name, source.path, source.content) == ("policy.csv", str(path), b"a\r\n\xff")


def test_a_missing_file_is_a_problem(tmp_path: Path):
    """Whoever misses a file learns which one."""
    with pytest.raises(PolicyError) as caught:
        read_source("policy.csv", tmp_path / "policy.csv")

    assert [str(p.location) for p in caught.value.problems] == [str(tmp_path / "policy.csv")]
    assert caught.value.problems[0].message == "the file does not exist"


def test_a_folder_is_not_a_file(tmp_path: Path):
    """A folder in the place of a file is told, not raised."""
    with pytest.raises(PolicyError, match="1 problem, at") as caught:
        read_source("policy.csv", tmp_path)

    assert caught.value.problems[0].message == "the file cannot be read: Is a directory"


def test_a_pipe_is_never_waited_for(tmp_path: Path):
    """A pipe in the place of a file would hang whoever reads it."""
    os.mkfifo(tmp_path / "policy.csv")

    with pytest.raises(PolicyError) as caught:
        read_source("policy.csv", tmp_path / "policy.csv")

    assert caught.value.problems[0].message == "the file is not a regular file"


def test_a_name_that_no_file_can_have_is_a_problem(tmp_path: Path):
    """A NUL in a path is a ValueError of the system's, and a problem of ours."""
    with pytest.raises(PolicyError) as caught:
        read_source("policy.csv", tmp_path / "a\0b")

    assert caught.value.problems[0].message == "the file cannot be read: embedded null byte"


def test_a_huge_file_is_refused(tmp_path: Path):
    """More than 16 MiB is not read."""
    path = tmp_path / "policy.csv"
    with path.open("wb") as stream:
        stream.truncate(MAX_FILE + 1)

    with pytest.raises(PolicyError) as caught:
        read_source("policy.csv", path)

    assert caught.value.problems[0].message == "the file is larger than 16 MiB"


@pytest.mark.parametrize("content", [b"a\nb", b"a\nb\n", b"a\r\nb\r\n", b"a\nb\r\n"])
def test_lines_end_with_either_ending(content: bytes):
    """LF and CRLF end a line; a missing last one does not matter."""
    lines, problems = split(a_source(content))

    assert [(line.number, line.text) for line in lines] == [(1, "a"), (2, "b")]
    assert problems == ()


def test_an_empty_file_has_no_lines():
    """Nothing is nothing, not one empty line."""
    assert split(a_source(b"")) == ((), ())


def test_a_byte_order_mark_is_told_and_its_line_is_read():
    """Pitfall 2: other readers drop the first row of such a file without a word."""
    lines, problems = split(a_source(b"\xef\xbb\xbfp, a\n"))

    assert [line.text for line in lines] == ["p, a"]
    assert render_problem(problems[0]) == (
        "site/policy.csv:1:1: the file starts with a byte-order mark, which hides its first row\n"
        "  p, a\n"
        "  ^\n"
        "  try: save the file as UTF-8 without a byte-order mark"
    )


def test_a_byte_order_mark_and_another_fault_are_both_told():
    """One problem does not hide the other."""
    lines, problems = split(a_source(b"\xef\xbb\xbfp, \xff\n"))

    assert lines == ()
    assert [p.location.column for p in problems] == [1, 4]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_one_problem(encoding: str):
    """A file in the wrong encoding is not thousands of bad rows."""
    content = "\ufeffp, a\n".encode(encoding)

    assert _problem(content) == (
        "site/policy.csv:1:1: the file is UTF-16; expected UTF-8\n  try: save the file as UTF-8"
    )


def test_a_byte_that_is_not_utf_8_is_told_with_its_place():
    """The other lines are read all the same."""
    lines, problems = split(a_source("é, ".encode() + b"\xff\nb\n"))

    assert [line.number for line in lines] == [2]
    assert render_problem(problems[0]) == (
        "site/policy.csv:1:4: byte 0xff is not UTF-8\n"
        "  é, \N{REPLACEMENT CHARACTER}\n"
        "     ^\n"
        "  try: save the file as UTF-8"
    )


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("\0", "U+0000"),
        ("\x1b", "U+001B"),
        ("\r", "U+000D"),
        ("\x0b", "U+000B"),
        ("\x85", "U+0085"),
        ("\u2028", "U+2028"),
        ("\u202e", "U+202E"),
        ("\u200b", "U+200B"),
        ("\ufeff", "U+FEFF"),
    ],
)
def test_invisible_characters_are_problems(char: str, name: str):
    """What ends a line for some readers, or reorders it for a person, stands nowhere."""
    _, problems = split(a_source(f"# a{char}b\n"))

    assert [p.message for p in problems] == [f"the line holds the invisible character {name}"]
    assert problems[0].location.column == 4


def test_what_can_be_seen_may_stand_in_a_line():
    """Tabs, accents and wide spaces are no problem of the line."""
    lines, problems = split(a_source("# caf\u00e9\t\u00a0x\n"))

    assert problems == ()
    assert len(lines) == 1


def test_the_longest_line_is_read():
    """4 KiB is the limit, its end not counted."""
    lines, problems = split(a_source(b"#" * MAX_LINE + b"\r\n"))

    assert len(lines) == 1
    assert problems == ()


def test_a_longer_line_is_a_problem():
    """One byte more is too long."""
    _, problems = split(a_source(b"#" * (MAX_LINE + 1)))

    assert [p.message for p in problems] == ["the line has 4097 bytes; expected at most 4096"]
    assert problems[0].suggestion == "split the row into several"


def test_a_file_of_garbage_does_not_fill_the_memory():
    """After a thousand problems nobody reads on."""
    _, problems = split(a_source(b"\xff\n" * (MAX_PROBLEMS + 5)))

    assert len(problems) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("file", "folder", "told"),
    [
        (0o644, 0o755, ""),
        (0o664, 0o755, "the file can be written by others (mode 0664); only root and uid "),
        (0o644, 0o777, "the folder can be written by others (mode 0777); only root and uid "),
    ],
)
def test_a_guarded_file_is_nobody_elses(tmp_path: Path, file: int, folder: int, told: str):
    """Neither itself nor the folder that it lies in."""
    path = tmp_path / "site" / "policy.csv"
    path.parent.mkdir()
    path.write_text("x\n")
    path.chmod(file)
    path.parent.chmod(folder)

    if not told:
        assert read_source("policy.csv", path, guarded=True).content == b"x\n"
        return
    assert read_source("policy.csv", path).content == b"x\n"
    with pytest.raises(PolicyError) as caught:
        read_source("policy.csv", path, guarded=True)
    (problem,) = caught.value.problems
    assert problem.message.startswith(told)
    assert "chmod go-w" in problem.suggestion
