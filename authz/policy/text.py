"""Problems of a policy, written for a terminal and for a program.

What a file holds may not move a cursor or reorder what a person reads, so
everything quoted is escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from authz.errors import Problem, Severity
from authz.policy.explain import printable

MAX_SHOWN = 160
"""Characters of a source line that are shown; of a longer one, the part around the problem."""
BEFORE = 60
"""Characters shown before the problem in such a part."""
MAX_MESSAGE = 600
"""Characters of one message or suggestion."""


def render_problem(problem: Problem) -> str:
    """Return place and message, the source line with the fault underlined, and what to try.

    Without the line's end. A line that is not known, and a suggestion that
    there is not, leave their lines out.
    """
    warning = "warning: " if problem.severity is Severity.WARNING else ""
    place = printable(str(problem.location))
    lines = [f"{place}: {warning}{_short(problem.message)}"]
    if problem.source and problem.location.column:
        lines += _underlined(problem)
    if problem.suggestion:
        lines.append(f"  try: {_short(problem.suggestion)}")
    return "\n".join(lines)


def render_problems(problems: Iterable[Problem]) -> str:
    """Return all problems in the order given, an empty line between two."""
    return "\n\n".join(render_problem(problem) for problem in problems)


def problem_json(problem: Problem) -> dict[str, str | int]:
    """Return a problem as the members of a JSON object; strings are not escaped."""
    return {
        "severity": problem.severity.value,
        "file": problem.location.file,
        "line": problem.location.line,
        "column": problem.location.column,
        "width": problem.width,
        "message": problem.message,
        "suggestion": problem.suggestion,
        "source": problem.source,
    }


def _underlined(problem: Problem) -> list[str]:
    start = problem.location.column - 1
    end = start + problem.width
    source = problem.source
    first = max(0, start - BEFORE) if len(source) > MAX_SHOWN else 0
    last = min(len(source), first + MAX_SHOWN)
    head = ("..." if first else "") + printable(source[first:start])
    fault = printable(source[start : min(end, last)])
    tail = printable(source[end:last]) + ("..." if last < len(source) else "")
    mark = "^" + "~" * (max(_cells(fault), 1) - 1)
    return [f"  {head}{fault}{tail}", f"  {' ' * _cells(head)}{mark}"]


def _cells(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 3]}..."
