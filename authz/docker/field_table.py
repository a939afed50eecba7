"""The table of fields: every member and parameter that the daemon reads.

The table is data: ``docs/reference/fields.csv``, made from the structures and
handlers of all engines that speak API 1.24 to 1.55. This module gives it the
shape in which requests are read; it sees no request.

``type`` is a structure (the body of operation ``X`` is the structure ``X``) or
``query:`` and an operation. A row without a name embeds another structure, as
Go does; where its type is a list, the body is that list. ``meaning`` says what
becomes of the member: ``fact`` (``note`` names the kinds), ``harmless`` (``note``
says why), ``struct`` (its own rows say), or one of :class:`Legacy`: only old daemons
apply it.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache

from authz.docker.gojson import fold
from authz.docker.gotypes import Form, GoType, parse
from authz.shipped import shipped


class Legacy(StrEnum):
    """What becomes of a member that only old daemons apply where it stands.

    A zero value and an empty list count as absent: every daemon takes them so.
    """

    NOT = ""
    """Every daemon applies it."""
    REFUSED = "legacy"
    SET = "legacy.set"
    """Refused, an empty list as well: it is a value there."""
    MOVED = "legacy.moved"
    """Takes no isolation away: whoever writes the request anew puts it into HostConfig."""
    FILLED = "legacy.filled"
    """The same, and old daemons apply it beside a HostConfig without it, too."""

    @property
    def moves(self) -> bool:
        """Whether it may be put where every daemon applies it."""
        return self in {Legacy.MOVED, Legacy.FILLED}


_LEGACY = frozenset(Legacy)


@dataclass(frozen=True, slots=True)
class Field:
    """One member or parameter, in the daemon's spelling."""

    name: str
    go: GoType
    legacy: Legacy = Legacy.NOT


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table as written; the columns are described above."""

    type: str
    name: str
    go: str
    first: str
    last: str
    meaning: str
    note: str


@dataclass(frozen=True, slots=True)
class Struct:
    """A structure of Go, or the query of an operation."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    whole: GoType | None = None
    """The type of a body that is no object."""
    _folded: Mapping[str, Field] = field(default_factory=dict)

    def exact(self, name: str) -> Field | None:
        """Find a query parameter: those have one spelling."""
        return self.fields.get(name)

    def folding(self, folded: str) -> Field | None:
        """Find a member of a JSON object by its folded name."""
        return self._folded.get(folded)


@cache
def rows() -> tuple[Row, ...]:
    """Return the lines of the table."""
    text = shipped("docs", "reference", "fields.csv").read_text(encoding="utf-8")
    return tuple(Row(**line) for line in csv.DictReader(text.splitlines()))


@cache
def structures() -> Mapping[str, Struct]:
    """Return every structure by name, with what it embeds."""
    by_type: dict[str, list[Row]] = defaultdict(list)
    for row in rows():
        by_type[row.type].append(row)
    return {name: _structure(name, by_type) for name in by_type}


def _structure(name: str, by_type: Mapping[str, list[Row]]) -> Struct:
    first = by_type[name][0]
    if not first.name and parse(first.go).form is Form.LIST:
        return Struct(whole=parse(first.go))
    fields = _fields(name, by_type)
    return Struct(fields, _folded={fold(name): known for name, known in fields.items()})


def _fields(name: str, by_type: Mapping[str, list[Row]]) -> dict[str, Field]:
    """Collect the fields of a structure; its own win over embedded ones, as in Go."""
    embedded: dict[str, Field] = {}
    own: dict[str, Field] = {}
    for row in by_type[name]:
        if row.name:
            own[row.name] = Field(row.name, parse(row.go), _legacy(row.meaning))
            continue
        harmless = _harmless(parse(row.go).name, by_type) if row.meaning == "legacy" else ()
        for known in _fields(parse(row.go).name, by_type).values():
            legacy = Legacy.MOVED if known.name in harmless else _legacy(row.meaning)
            embedded.setdefault(known.name, replace(known, legacy=known.legacy or legacy))
    return embedded | own


def _legacy(meaning: str) -> Legacy:
    return Legacy(meaning) if meaning in _LEGACY else Legacy.NOT


def _harmless(name: str, by_type: Mapping[str, list[Row]]) -> frozenset[str]:
    """Return the fields of a structure of which the table says that they do no harm."""
    rows_of = by_type[name]
    own = frozenset(row.name for row in rows_of if row.name and row.meaning == "harmless")
    embedded = (parse(row.go).name for row in rows_of if not row.name)
    return own.union(*(_harmless(each, by_type) for each in embedded))
