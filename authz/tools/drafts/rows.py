"""A row that somebody may want to write, spelt so that it says what was seen and no more.

It knows which characters of a value mean something in a pattern, and how long
a line may be. It decides nothing: a draft is for a person to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from authz.identity.identity import NO_TENANT, Identity
from authz.policy.comparison import UNKNOWN
from authz.policy.links import link_problems
from authz.policy.row_check import row_problems
from authz.policy.rule_file import Entry, read_rules
from authz.policy.source import Source
from authz.policy.subject import ANYBODY
from authz.policy.vocabulary import vocabulary

HIDDEN: Final = re.compile(
    r"\.\.\.\(\d+ characters, digest:[0-9a-f]{16}\)|digest:[0-9a-f]{16}", re.ASCII
)
"""What stands in a record for a value that nobody may read there, or for the rest of a long one."""

LONGEST: Final = 3000
"""Characters of a fact column; the line of a row must not exceed 4,096 bytes."""

_SLUG = re.compile(r"[^a-z0-9]+")
_MEANING = re.compile(r"[*?,|{}\"]|(?<=[ \t])#|^[#!'`\u2018\u2019\u201c\u201d\s]|\s$|[^\S ]")


@dataclass(frozen=True, slots=True)
class Draft:
    """One ``p`` row. ``note`` stands in the comment above it, behind the id."""

    subject: str
    action: str
    fact: str
    domain: str = ANYBODY
    when: str = "*"
    word: str = "allow"
    id: str = ""
    note: str = ""

    @property
    def row(self) -> str:
        """The line of the row, without its end."""
        cells = (self.subject, self.domain, self.action, self.fact, self.when, self.word)
        return ", ".join(("p", *cells))

    @property
    def text(self) -> str:
        """The row with its comment, as it stands in a file."""
        note = f"# {self.id}: {self.note}".rstrip() + "\n" if self.id else ""
        return f"{note}{self.row}\n"


def literal(value: str) -> str:
    """Return the pattern for one value.

    A character that means something in a pattern becomes ``?``, which is any one
    character; what a record hides becomes ``**``. ``unknown`` stays a word.
    """
    parts = HIDDEN.split(value)
    return "**".join(map(_plain, parts)) if len(parts) > 1 else _plain(value)


def facts_column(alternatives: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Write ``kind:value`` alternatives into as few columns as the length of lines allows."""
    column, last = "", ""
    for kind, text in alternatives:
        one = f"{kind}:{text}"
        added = text if column and kind == last and not _looks_typed(text) else one
        if column and len(column) + len(added) >= LONGEST:
            yield column
            column, added = "", one
        column, last = f"{column}|{added}" if column else added, kind
    if column:
        yield column


def domain_of(identity: Identity) -> str:
    """Return the narrowest domain of a row for this caller."""
    return identity.domain if identity.domain != NO_TENANT else ANYBODY


def slug(text: str) -> str:
    """Return a name of small letters, digits and dashes; nothing where a text has none."""
    return _SLUG.sub("-", text.lower()).strip("-")[:40].strip("-")


def faults(text: str) -> list[str]:
    """Say what the loader has against a row; nothing where it would take it."""
    entries, found = _read("policy.csv", text, "p")
    return found + [each.message for one in entries for each in row_problems(one, vocabulary(()))]


def link_faults(member: str, domain: str) -> list[str]:
    """Say what the loader has against a row that gives a member a role; nothing: it would take it.

    Names come from certificates and other files, and may hold what ends a field.
    """
    entries, found = _read("people.csv", f"g, {member}, role:any, {domain}\n", "g")
    return found + [each.message for one in entries for each in link_problems(one)]


def _read(name: str, text: str, kind: str) -> tuple[tuple[Entry, ...], list[str]]:
    """Read what must be one row of a kind."""
    file = read_rules(Source(name, name, text.encode(errors="replace")))
    if file.problems:
        return (), [problem.message for problem in file.problems]
    if [entry.type for entry in file.entries] != [kind]:
        return (), ["something in it ends the line"]
    return file.entries, []


def _plain(value: str) -> str:
    if value == UNKNOWN:
        return value
    marked = _MEANING.sub("?", value)
    return "".join(char if char.isprintable() else "?" for char in marked)


def _looks_typed(text: str) -> bool:
    """Say whether a value could pass for another kind and its value."""
    return ":" in text
