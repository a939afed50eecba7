"""The strict reader of ``.csv``: bytes to rows with file, line and column of each field.

Casbin's own loader drops a row that it does not understand, a deny included.
Here every line is a row of a known type with the right number of columns, a
comment, blank, or a problem. What the columns mean is checked by
``row_check`` and ``links``; this module knows their number only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from authz.errors import Location, Problem
from authz.policy.decision import Word
from authz.policy.note import NOTHING, Note, read_note
from authz.policy.source import MAX_PROBLEMS, Line, Source, split
from authz.policy.spelling import listed, nearest

COLUMNS = {
    "p": ("subject", "domain", "action", "fact", "when", "verdict"),
    "g": ("member", "role", "domain"),
    "g2": ("action", "group"),
}
"""The row types of the model, and their columns."""

_PLACES = {kind: {name: at for at, name in enumerate(names)} for kind, names in COLUMNS.items()}

_SHAPES = {
    "subject": r"\*|[a-z]+:.+",
    "domain": r"\*|[^.:=]+",
    "action": r"\*|.*\..+",
    "fact": r"\*\*|.+:.+",
    "when": r"\*|.+=.+",
    "verdict": r"[a-z]+",
    "member": r"[a-z]+:.+",
    "role": r"[a-z]+:.+",
    "group": r".+\..+",
}
"""What the fields of a column look like, roughly."""
_OPEN = {"p": ("subject", "domain", "action", "when"), "g": ("domain",), "g2": ()}
"""The columns that may be ``*``."""

_BLANK = " \t"
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"

_ODD = re.compile(f"[#{re.escape(_QUOTES)}]")
"""What other readers of CSV give a meaning."""


class Cell(NamedTuple):
    """One field of a row, without the white space around it; ``column`` counts from 1."""

    name: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One row as written: its type, its fields in order, and what was said above it.

    Where a field stands is found out when somebody wants to show it.
    """

    type: str
    texts: tuple[str, ...]
    line: Line
    note: Note = NOTHING

    def text(self, name: str) -> str:
        """Return what stands in a column."""
        return self.texts[_PLACES[self.type][name]]

    def __getitem__(self, name: str) -> Cell:
        """Return the field of a column."""
        return self.cells[_PLACES[self.type][name]]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The fields, with their columns."""
        _, *fields = _fields(self.line)
        return tuple(
            Cell(name, cell.text, cell.column)
            for name, cell in zip(COLUMNS[self.type], fields, strict=True)
        )

    @property
    def location(self) -> Location:
        """Return where the row stands, by its file's name in the bundle."""
        return Location(self.line.source.name, self.line.number, 1)

    @property
    def at(self) -> str:
        """Where the row stands: ``file:line``."""
        return f"{self.line.source.name}:{self.line.number}"

    @property
    def id(self) -> str:
        """Return the name in the comment above, else ``file:line``."""
        return self.note.id or self.at

    def problem(self, name: str, message: str, suggestion: str = "") -> Problem:
        """Return a problem of one whole field."""
        cell = self[name]
        return self.line.problem(cell.column, len(cell.text), message, suggestion)

    def whole(self, message: str, suggestion: str = "") -> Problem:
        """Return a problem of the row as a whole."""
        return _whole(self.line, message, suggestion)


ReadEntry = Callable[[Line, Sequence[str]], Entry | list[Problem]]
"""A line, and the comments above it, to a row or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What one file holds: its rows, and the lines that are none."""

    source: Source
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    fragments: frozenset[str] = frozenset()
    """The fields of lines that are no rows: what they name is not missed as well."""


def read_rules(source: Source, entry_of: ReadEntry | None = None) -> RuleFile:
    """Read one file. Raises nothing: every problem is in the answer.

    ``entry_of`` reads a row of other columns than these.
    """
    entry_of = entry_of or _entry
    lines, found = split(source)
    entries: list[Entry] = []
    problems = list(found)
    fragments: set[str] = set()
    comments: list[str] = []
    last = 0
    for line in lines:
        text = line.text.strip(_BLANK)
        if line.number != last + 1:
            comments.clear()  # a line between was not readable
        last = line.number
        if text.startswith("#"):
            comments.append(text)
            continue
        if text:
            read = entry_of(line, comments)
            if isinstance(read, Entry):
                entries.append(read)
            else:
                problems += read
                fragments.update(cell.text for cell in _fields(line))
        comments.clear()
        if len(problems) >= MAX_PROBLEMS:
            problems.append(source.problem(f"there are more than {MAX_PROBLEMS} problems"))
            break
    return RuleFile(source, tuple(entries), tuple(problems), frozenset(fragments))


def _entry(line: Line, comments: Sequence[str]) -> Entry | list[Problem]:
    return _plain_entry(line, comments) or _checked_entry(line, comments)


def _plain_entry(line: Line, comments: Sequence[str]) -> Entry | None:
    """Read a row in which nothing can be misread, as nearly all are."""
    text = line.text
    parts = text.split(",")
    kind = intern(parts[0].strip(_BLANK))
    names = COLUMNS.get(kind)
    if names is None or len(parts) != len(names) + 1 or _ODD.search(text) or not text.isprintable():
        return None
    # The same few subjects, actions and words come in all rows: one text each is enough.
    texts = tuple([intern(part.strip(_BLANK)) for part in parts[1:]])
    if "" in texts:
        return None
    return Entry(kind, texts, line, read_note(comments) if comments else NOTHING)


def _checked_entry(line: Line, comments: Sequence[str]) -> Entry | list[Problem]:
    kind, *fields = _fields(line)
    names = COLUMNS.get(kind.text)
    if names is None:
        return [_unknown_type(line, kind)]
    wrong = {found.message: found for found in _misreadings(line, reversed(fields))}
    if wrong:
        return list(wrong.values())
    if len(fields) != len(names):
        return [_miscounted(line, kind.text, fields)]
    cells = tuple(
        Cell(name, cell.text, cell.column) for name, cell in zip(names, fields, strict=True)
    )
    empty = [line.problem(c.column, 1, f"{c.name} is empty", "*") for c in cells if not c.text]
    texts = tuple(cell.text for cell in cells)
    return empty or Entry(kind.text, texts, line, read_note(comments))


def _misreadings(line: Line, cells: Iterable[Cell]) -> list[Problem]:
    return [found for cell in cells if (found := misread(line, cell))]


def _fields(line: Line) -> Iterator[Cell]:
    """Cut at every comma: there is no other way to read a row."""
    start = 0
    for part in line.text.split(","):
        stripped = part.strip(_BLANK)
        column = start + len(part) - len(part.lstrip(_BLANK)) + 1
        yield Cell("", stripped, column)
        start += len(part) + 1


def _unknown_type(line: Line, kind: Cell) -> Problem:
    guess = nearest(kind.text, COLUMNS) or ("p" if kind.text.startswith(("p", "P")) else "")
    message = f'row type is "{kind.text}"; expected {listed(list(COLUMNS))}'
    if kind.text.startswith(tuple(_QUOTES)):
        return line.problem(kind.column, 1, _QUOTED, kind.text.strip(_QUOTES))
    return line.problem(kind.column, len(kind.text), message, guess)


_QUOTED = "quotes mean nothing here: they would become part of the value"


def misread(line: Line, cell: Cell) -> Problem | None:
    """Find what other readers of CSV give a meaning that it does not have here."""
    if '"' in cell.text or cell.text.startswith(tuple(_QUOTES)):
        plain = cell.text.replace('"', "").strip(_QUOTES)
        return line.problem(cell.column, len(cell.text), _QUOTED, plain)
    at = cell.text.find("#")
    if at >= 0 and (at == 0 or cell.text[at - 1] in _BLANK):
        message = "a comment stands on a line of its own; here it would become part of the value"
        rest = cell.text[at:]
        return line.problem(cell.column + at, len(rest), message, "move it to the line above")
    if cell.text.isprintable():
        return None
    offset, char = next(each for each in enumerate(cell.text) if not each[1].isprintable())
    return line.problem(cell.column + offset, 1, f"{_named(char)} inside a value", "write a space")


def _named(char: str) -> str:
    return "a tab" if char == "\t" else f"the character U+{ord(char):04X}"


def _miscounted(line: Line, kind: str, fields: list[Cell]) -> Problem:
    names = COLUMNS[kind]
    columns = f"{len(fields)} column{'' if len(fields) == 1 else 's'} after {kind}"
    message = f"the row has {columns}; expected {len(names)}: {', '.join(names)}"
    if len(fields) > len(names):
        first = fields[len(names)]
        hint = "take the rest away"
        if kind == "p" and fields[-1].text in tuple(Word):
            hint = "write alternatives of a fact with |: a comma ends a column"
        return line.problem(first.column, len(first.text), message, hint)
    return _whole(line, message, _completed(kind, [cell.text for cell in fields]))


def _completed(kind: str, texts: list[str]) -> str:
    """Guess which column was left out by the looks of the others, and put a ``*`` there."""
    shapes = [_SHAPES[name] for name in COLUMNS[kind]]
    for place, name in enumerate(COLUMNS[kind]):
        row = [*texts[:place], "*", *texts[place:]]
        if name in _OPEN[kind] and len(row) == len(shapes) and all(map(re.fullmatch, shapes, row)):
            return ", ".join((kind, *row))
    return ", ".join((kind, *COLUMNS[kind]))


def _whole(line: Line, message: str, suggestion: str = "") -> Problem:
    text = line.text.strip(_BLANK)
    column = len(line.text) - len(line.text.lstrip(_BLANK)) + 1
    return line.problem(column, len(text), message, suggestion)
