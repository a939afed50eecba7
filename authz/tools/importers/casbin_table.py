"""Casbin's table ``casbin_rule`` (ptype, v0 to v5): a SQLite file, or a dump of it as CSV.

The table does not say what its columns mean; that is in a model beside it. Three
forms are understood: our own rows; ``path, method``; and ``subject, path,
method`` with an effect behind it or not. Paths are literal, or patterns with
``*``, ``:name`` or ``{name}``.
"""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from authz.docker.routes import Operation, load_operations
from authz.errors import ConfigurationError
from authz.policy.decision import Word
from authz.tools.drafts.rows import Draft
from authz.tools.importers.grants import Grant, Imported, is_subject, merged, role_of, subject_of

SQLITE: Final = b"SQLite format 3\0"
COLUMNS: Final = ("ptype", "v0", "v1", "v2", "v3", "v4", "v5")
OWN: Final = 6
"""Columns of our own rows."""
EVERYBODY: Final = "role:everybody"

_VERSION = re.compile(r"/v\d+\.\d+(?=/)")
_METHOD = re.compile(r"[A-Z]+")
_WILD = re.compile(r"\*+|:\w+|\{\w+\}")

Values = list[str]


def read_file(path: Path, holders: tuple[str, ...]) -> Imported:
    """Read a table. Raises ConfigurationError where there is none."""
    content = path.read_bytes()
    if content.startswith(SQLITE):
        return read(_sqlite(path), holders)
    try:
        return read(_dump(content.decode("utf-8-sig")), holders)
    except (UnicodeDecodeError, csv.Error):
        raise ConfigurationError(f"{path}: is neither SQLite nor CSV") from None


def read(rows: Iterable[Values], holders: tuple[str, ...]) -> Imported:
    """Read rows of ptype and values; roles of rows that nobody is linked to go to ``holders``."""
    found = Imported("a table of Casbin")
    named: dict[str, None] = {}
    groups: list[Values] = []
    for ptype, *values in rows:
        while values and not values[-1]:
            values.pop()
        if ptype == "p" and len(values) == OWN and values[-1] in tuple(Word):
            found.rows.append(Draft(values[0], values[2], values[3], values[1], *values[4:]))
        elif ptype == "p":
            _grant(found, values, named)
        elif ptype in ("g", "g2", "g3"):
            groups.append([ptype, *values])
        else:
            found.left.append(f"a row of the type {ptype!r}: {', '.join(values)}")
    _link(found, groups, named, holders)
    found.left += merged((name, role_of(name) if name else EVERYBODY) for name in named)
    return found


def _grant(found: Imported, values: Values, named: dict[str, None]) -> None:
    """Take in a row of paths and methods."""
    written = ", ".join(values)
    anybody = not values or values[0].startswith(("/", "*"))
    subject, rest = ("", values) if anybody else (values[0], values[1:])
    effects = {"allow": "allow", "deny": "deny"}
    effect = effects.get(rest[2] if len(rest) > 2 else "allow")  # noqa: PLR2004  path, method, effect
    if len(rest) not in (2, 3) or effect is None or not rest[0].startswith(("/", "*")):
        found.left.append(f"the row p, {written}: expected path and method, or subject before them")
        return
    holder = role_of(subject) if subject else EVERYBODY
    named.setdefault(subject)
    operations = frozenset(_operations(rest[0], rest[1]))
    if operations:
        found.grants.append(Grant(holder, operations, f"p, {written}", effect))
    else:
        found.left.append(f"the row p, {written}: fits no operation")


def _link(
    found: Imported, groups: list[Values], named: dict[str, None], holders: tuple[str, ...]
) -> None:
    """Give roles to whoever has them: by rows of groups, else to the callers of that name."""
    roles = {values[2] for values in groups if values[0] == "g" and len(values) > 2}  # noqa: PLR2004
    for ptype, *values in groups:
        if ptype != "g" or len(values) != 2:  # noqa: PLR2004  member and role
            found.left.append(f"the row {ptype}, {', '.join(values)}: groups of one kind only")
            continue
        member, role = values
        who = role_of(member) if member in roles else subject_of(member)
        if role in named and is_subject(who):
            found.links.append((who, role_of(role)))
        else:
            found.left.append(f"the row g, {member}, {role}: nothing is granted to {role}")
    for subject in named:
        if not subject:
            found.links += [(holder, EVERYBODY) for holder in holders]
        elif subject not in roles:
            who = subject_of(subject)
            if is_subject(who):
                found.links.append((who, role_of(subject)))
            else:
                found.left.append(f"{subject!r} is no name that a policy can have")


def _operations(path: str, methods: str) -> Iterator[str]:
    """Yield the operations that a path and a method reach, the version aside."""
    wanted = set(_METHOD.findall(methods.upper()))
    every = not wanted or set(methods) <= set("*.()^$")
    pattern = _pattern(_VERSION.sub("", path))
    for operation in load_operations():
        if (every or operation.method in wanted) and pattern.fullmatch(_sample(operation)):
            yield operation.name


def _sample(operation: Operation) -> str:
    return re.sub(r"{[^}]+}", "0123456789ab", operation.path)


def _pattern(path: str) -> re.Pattern[str]:
    """Compile a path: ``*`` is anything, ``:name`` and ``{name}`` are one part."""
    parts = re.split(f"({_WILD.pattern})", path)
    texts = [
        re.escape(part) if index % 2 == 0 else ".*" if part.startswith("*") else "[^/]+"
        for index, part in enumerate(parts)
    ]
    return re.compile("".join(texts))


def _sqlite(path: Path) -> Iterator[Values]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            names = [row[1] for row in base.execute("PRAGMA table_info(casbin_rule)")]
            wanted = [name for name in COLUMNS if name in names]
            if not {"ptype", "v0"} <= set(wanted):
                raise ConfigurationError(f"{path}: has no table casbin_rule with ptype and v0")
            query = f"SELECT {', '.join(wanted)} FROM casbin_rule ORDER BY rowid"  # noqa: S608  ours
            for row in base.execute(query):
                yield ["" if value is None else str(value) for value in row]
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def _dump(text: str) -> Iterator[Values]:
    """Read CSV; a first line of names says which column is which."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    head = rows[0] if rows else []
    if "ptype" in head or "p_type" in head:
        places = [head.index(name) for name in ("ptype", "p_type", *COLUMNS[1:]) if name in head]
        for row in rows[1:]:
            yield [row[place] if place < len(row) else "" for place in places]
    else:
        yield from (row for row in rows if not row[0].startswith("#"))
