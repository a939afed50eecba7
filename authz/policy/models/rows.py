"""The rows of another model as they stand in a file: columns by the model's names.

Casbin cuts a line at each comma that stands in no parentheses or brackets, and a quote is
a character like any other. Quotes make sense in rules alone, and brackets where they
close. It knows the number of columns and their names, and nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from authz.errors import Problem
from authz.policy.models.conf import Model, rule_columns
from authz.policy.note import read_note
from authz.policy.rule_file import Cell, Entry, RuleFile, misread, read_rules
from authz.policy.source import Line, Source
from authz.policy.spelling import listed, nearest

LINK: Final = ("member", "role", "domain")
_CLOSES: Final = {"(": ")", "[": "]"}
_BLANK: Final = " \t"


@dataclass(frozen=True, slots=True)
class ModelEntry(Entry):
    """One row; its fields are found by the names that the model gives them."""

    named: tuple[Cell, ...] = ()

    def __getitem__(self, name: str) -> Cell:
        """Return the field of a column."""
        return next(cell for cell in self.named if cell.name == name)

    @property
    def values(self) -> dict[str, str]:
        """The text of each column."""
        return {cell.name: cell.text for cell in self.named}


def columns_of(model: Model) -> dict[str, tuple[str, ...]]:
    """Return the row types of a model, and their columns."""
    links = {name: LINK[:places] for name, places in model.roles.items()}
    return {"p": model.columns, **links}


def read_rows(source: Source, model: Model) -> RuleFile:
    """Read one file. Raises nothing: every problem is in the answer."""
    columns, rules = columns_of(model), rule_columns(model)

    def read(line: Line, comments: Sequence[str]) -> Entry | list[Problem]:
        return _entry(line, comments, columns, rules)

    return read_rules(source, read)


def _entry(
    line: Line,
    comments: Sequence[str],
    columns: Mapping[str, tuple[str, ...]],
    rules: Sequence[str],
) -> Entry | list[Problem]:
    fields = _fields(line)
    if isinstance(fields, Problem):
        return [fields]
    kind, *cells = fields
    names = columns.get(kind.text)
    if names is None:
        message = f'row type is "{kind.text}"; expected {listed(list(columns))}'
        near = nearest(kind.text, columns)
        return [line.problem(kind.column, len(kind.text), message, near)]
    if len(cells) != len(names):
        message = f"the row has {len(cells)} columns after {kind.text}; expected {len(names)}"
        return [line.problem(1, len(line.text), f"{message}: {', '.join(names)}")]
    named = tuple(
        Cell(name, each.text, each.column) for name, each in zip(names, cells, strict=True)
    )
    problems = [found for cell in named if (found := _cell_problem(line, cell, kind.text, rules))]
    texts = tuple(cell.text for cell in named)
    return problems or ModelEntry(kind.text, texts, line, read_note(comments), named)


def _cell_problem(line: Line, cell: Cell, kind: str, rules: Sequence[str]) -> Problem | None:
    if not cell.text:
        return line.problem(cell.column, 1, f"{cell.name} is empty")
    return None if kind == "p" and cell.name in rules else misread(line, cell)


def _fields(line: Line) -> list[Cell] | Problem:
    """Cut where Casbin does; a bracket that does not close would swallow the rest."""
    found, start, opened = list[Cell](), 0, list[tuple[str, int]]()
    text = line.text
    for at, char in enumerate(text):
        if char in _CLOSES:
            opened.append((char, at))
        elif char in _CLOSES.values():
            if not opened or _CLOSES[opened.pop()[0]] != char:
                return line.problem(at + 1, 1, f"'{char}' closes nothing")
        elif char == "," and not opened:
            found.append(_cell(text[start:at], start))
            start = at + 1
    if opened:
        return line.problem(opened[-1][1] + 1, 1, f"'{opened[-1][0]}' does not close")
    return [*found, _cell(text[start:], start)]


def _cell(part: str, start: int) -> Cell:
    return Cell("", part.strip(_BLANK), start + len(part) - len(part.lstrip(_BLANK)) + 1)
