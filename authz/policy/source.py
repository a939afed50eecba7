"""The files of a policy as bytes and lines, each read exactly once.

What is judged is what was read: the digest covers these bytes, and nobody
opens a file a second time. This module knows nothing about rows or tables.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from authz.errors import Location, PolicyError, Problem, Severity
from authz.policy.ownership import exposed, exposed_folder

MAX_FILE = 16 * 1024 * 1024
"""Bytes of one file that will be read."""
MAX_LINE = 4096
"""Bytes of one line, without its end."""
MAX_PROBLEMS = 1000
"""Problems of one file that are told; a file of garbage must not fill the memory."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""The byte-order marks of UTF-16."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file. ``name`` is its name in the bundle, ``path`` the one a person knows it by."""

    name: str
    path: str
    content: bytes = field(repr=False)

    def problem(self, message: str, suggestion: str = "") -> Problem:
        """Return a problem of the file as a whole."""
        return Problem(Location(self.path), message, suggestion)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, decoded, without its end; ``number`` counts from 1."""

    source: Source
    number: int
    text: str

    def problem(
        self,
        column: int,
        width: int,
        message: str,
        suggestion: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """Return a problem of ``width`` characters from ``column``, which counts from 1."""
        where = Location(self.source.path, self.number, column)
        return Problem(where, message, suggestion, self.text, max(width, 1), severity)


def read_source(name: str, path: Path, *, guarded: bool = False) -> Source:
    """Read one file. Raises PolicyError where it is missing, too large or no regular file.

    A pipe or a device in the place of a file is never waited for. A ``guarded``
    file is not read where others than root and this account could change it.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(path, "is not a regular file")
            if guarded:
                _check_owners(path, status)
            content = stream.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, _cause(error)) from error
    if len(content) > MAX_FILE:
        raise _unreadable(path, f"is larger than {MAX_FILE // 1024 // 1024} MiB")
    return Source(name, str(path), content)


def split(source: Source) -> tuple[tuple[Line, ...], tuple[Problem, ...]]:
    """Return the lines that can be read, and what is wrong with the others.

    Lines end with LF or CRLF and with nothing else, so that no reader of the
    file sees a row that another one does not.
    """
    if source.content.startswith(WIDE_MARKS):
        message = "the file is UTF-16; expected UTF-8"
        where = Location(source.path, 1, 1)
        return (), (Problem(where, message, "save the file as UTF-8"),)
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, raw in enumerate(_raw_lines(source.content), start=1):
        line, found = _line(source, number, raw)
        problems += found
        if line is not None:
            lines.append(line)
        if len(problems) >= MAX_PROBLEMS:
            break
    return tuple(lines), tuple(problems)


def _raw_lines(content: bytes) -> Iterator[bytes]:
    raw = content.split(b"\n")
    if not raw[-1]:
        raw.pop()
    for line in raw:
        yield line.removesuffix(b"\r")


def _line(source: Source, number: int, raw: bytes) -> tuple[Line | None, list[Problem]]:
    """Decode one line; a line that cannot be trusted is not handed on."""
    problems = []
    if number == 1 and raw.startswith(BYTE_ORDER_MARK):
        raw = raw.removeprefix(BYTE_ORDER_MARK)
        text = raw.decode(errors="replace")
        problems.append(
            Line(source, 1, text).problem(
                1,
                1,
                "the file starts with a byte-order mark, which hides its first row",
                "save the file as UTF-8 without a byte-order mark",
            )
        )
    try:
        line = Line(source, number, raw.decode())
    except UnicodeDecodeError as error:
        line = Line(source, number, raw.decode(errors="replace"))
        column = len(raw[: error.start].decode()) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        return None, [*problems, line.problem(column, 1, message, "save the file as UTF-8")]
    if len(raw) > MAX_LINE:
        message = f"the line has {len(raw)} bytes; expected at most {MAX_LINE}"
        problem = line.problem(1, len(line.text), message, "split the row into several")
        return None, [*problems, problem]
    hidden = _hidden(line)
    return (None, [*problems, hidden]) if hidden else (line, problems)


def _hidden(line: Line) -> Problem | None:
    """Find a character that a reader cannot see, or that reorders what he sees."""
    if line.text.isprintable():
        return None
    for column, char in enumerate(line.text, start=1):
        if char != "\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            message = f"the line holds the invisible character U+{ord(char):04X}"
            return line.problem(column, 1, message, "take the character away")
    return None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _check_owners(path: Path, status: os.stat_result) -> None:
    for who, what in ((exposed(status), path), (exposed_folder(path), path.parent)):
        if who:
            kind = "file" if what == path else "folder"
            message = f"the {kind} {who}; only root and uid {os.geteuid()} may change a policy"
            hint = f"chown {os.geteuid()} {what} && chmod go-w {what}"
            raise PolicyError((Problem(Location(str(what)), message, hint),))


def _cause(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def _unreadable(path: Path, what: str) -> PolicyError:
    return PolicyError((Problem(Location(str(path)), f"the file {what}"),))
