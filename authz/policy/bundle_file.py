"""The strict reader of bundle.toml: which packs a bundle loads.

It knows the form of the file. Whether a pack exists is not its business.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from authz.errors import Problem
from authz.policy.source import Line, Source, split
from authz.policy.spelling import nearest

KEYS = ("packs",)
"""Everything that bundle.toml may say."""

PACK_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)

_PLACE = re.compile(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)")
_KEY = r'^[ \t]*\[*[ \t]*(?:{0}|"{0}"|\'{0}\')(?=[ \t]*[=.\]])'


@dataclass(frozen=True, slots=True)
class Wanted:
    """One pack by name, and the place where a bundle asks for it."""

    name: str
    line: Line
    column: int

    def problem(self, message: str, suggestion: str = "") -> Problem:
        """Return a problem of the name as written, quotes included."""
        return self.line.problem(self.column, len(self.name) + 2, message, suggestion)


def read_packs(source: Source) -> tuple[tuple[Wanted, ...], tuple[Problem, ...]]:
    """Return the packs that are listed, and everything that is wrong with the list."""
    lines, problems = split(source)
    if problems:
        return (), problems
    document = read_toml(source, lines)
    if isinstance(document, Problem):
        return (), (document,)
    found = [_unknown_key(lines, key) for key in document if key not in KEYS]
    if "packs" not in document:
        message = "packs is missing; expected the list of packs to load"
        return (), (*found, source.problem(message, 'packs = ["core"]'))
    packs = document["packs"]
    at, column = locate(lines, "packs")
    if not isinstance(packs, list) or not all(isinstance(name, str) for name in packs):
        message = "packs is not a list of names"
        return (), (*found, at.problem(column, len("packs"), message, 'packs = ["core"]'))
    wanted = _wanted(lines, at, column, packs)
    return wanted, (*found, *_name_problems(wanted))


def read_toml(source: Source, lines: tuple[Line, ...]) -> dict[str, object] | Problem:
    """Parse a TOML file whose lines were all readable."""
    text = "".join(f"{line.text}\n" for line in lines)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = "the tables are nested too deeply"
        if isinstance(error, RecursionError):
            return source.problem(message)
        place = _PLACE.search(str(error))
        message = _PLACE.sub("", str(error))
        if place and place[1] and int(place[1]) <= len(lines):
            return lines[int(place[1]) - 1].problem(int(place[2]), 1, f"not TOML: {message}")
        return source.problem(f"not TOML: {message}")


def locate(
    lines: tuple[Line, ...], key: str, start: int = 0, stop: int | None = None
) -> tuple[Line, int]:
    """Return the line and column where ``key`` is defined; the first line where it is not found."""
    pattern = re.compile(_KEY.format(re.escape(key)))
    for line in lines[start:stop]:
        if found := pattern.search(line.text):
            return line, found.end() - len(found[0].lstrip(" \t[")) + 1
    return lines[start], 1


def _unknown_key(lines: tuple[Line, ...], key: str) -> Problem:
    line, column = locate(lines, key)
    message = f'"{key}" is not a setting of a bundle; expected {", ".join(KEYS)}'
    return line.problem(column, len(key), message, nearest(key, KEYS))


def _wanted(
    lines: tuple[Line, ...], first: Line, column: int, names: list[str]
) -> tuple[Wanted, ...]:
    """Find each name in the order of the list, from the line of its key on."""
    wanted = []
    index, offset = lines.index(first), column - 1
    for name in names:
        line, at = first, column - 1
        for number in range(index, len(lines)):
            begin = offset if number == index else 0
            found = re.compile(rf"([\"']){re.escape(name)}\1").search(lines[number].text, begin)
            if found:
                line, at, index, offset = lines[number], found.start(), number, found.end()
                break
        wanted.append(Wanted(name, line, at + 1))
    return tuple(wanted)


def _name_problems(wanted: tuple[Wanted, ...]) -> list[Problem]:
    found = []
    for index, pack in enumerate(wanted):
        if not PACK_NAME.fullmatch(pack.name):
            message = (
                f'"{pack.name}" is not a name of a pack; expected small letters, digits and "-"'
            )
            found.append(pack.problem(message))
        elif pack.name in {each.name for each in wanted[:index]}:
            found.append(pack.problem(f'pack "{pack.name}" is listed twice', "take one away"))
    return found
