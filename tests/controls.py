"""Published controls, the rows of packs that hold them, and the cases that prove it.

A row names its controls in the brackets of its comment, a case in the brackets
at the end of its name; ``docs/reference/controls.csv`` says which controls
there are, by which facts they are told and in which forms of a request.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from authz.policy.bundle import load_bundle
from authz.policy.case_file import Case, load_cases
from authz.policy.decision import Effect, Row
from authz.shipped import shipped

TABLE = Path(__file__).parents[1] / "docs" / "reference" / "controls.csv"
PACKS = tuple(sorted(path.parent for path in shipped("policies", "packs").glob("*/tests.toml")))

INTRODUCTION = """# Controls

Which published controls the shipped packs hold, by which facts and rows, and which test of a pack
shows it. Made from `controls.csv`, the packs and their `tests.toml` by `python -m tests.pages`.

**PSS**: the Kubernetes Pod Security Standards; `VolumeTypes` to `DropAll` are of the restricted
level. **CIS**: the CIS Docker Benchmark, by its numbers in 1.6. **Form**: the same control in a
container that is made, in a service, in an update, in a process that is started in a container,
or in a request of its own. A row is named as `pack:id`.
"""

ABSENT = """## Not enforced

What a request does not say, or says to nobody:

| Control | About | Why |
|---|---|---|"""

NOT_PROVIDED = """
Facts that only other services could tell are not provided: whether an image was scanned or signed,
how old it is, how big it is and which volumes it declares (`image.scan`, `image.signed`,
`image.age`, `image.size`, `image.volumes`). Refuse what has no digest (`images-pinned`), and let
whoever scans and signs hand out digests.
"""

TITLES = {
    "PSS": "Pod Security Standards",
    "CIS 4": "CIS 4: images",
    "CIS 5": "CIS 5: containers",
    "CIS 7": "CIS 7: swarms",
}

_BRACKET = re.compile(r" \[([^\[\]]+)\]$")
_FORMS = (
    ("create", re.compile(r"POST /v[0-9.]+/containers/create")),
    ("update", re.compile(r"POST /v[0-9.]+/containers/[^/]+/update")),
    ("service", re.compile(r"POST /v[0-9.]+/services/")),
    ("exec", re.compile(r"POST /v[0-9.]+/(?:containers/[^/]+/exec|exec/[^/]+/start)")),
    ("request", re.compile(r"[A-Z]+ ")),
)


@dataclass(frozen=True, slots=True)
class Control:
    """One published control; ``forms`` is empty where no row can hold it."""

    name: str
    about: str
    facts: tuple[str, ...]
    forms: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A case of a pack, and the controls that its name says it is about."""

    pack: str
    case: Case
    controls: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return the name without the controls."""
        return _BRACKET.sub("", self.case.name)

    @property
    def form(self) -> str:
        """Return which form of a request it is."""
        request = f"{self.case.method} {self.case.target}"
        return next(form for form, pattern in _FORMS if pattern.match(request))


@cache
def controls() -> tuple[Control, ...]:
    """Return the table."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return tuple(
            Control(
                name=row["control"],
                about=row["about"],
                facts=_words(row["facts"]),
                forms=_words(row["forms"]),
                reason=row["reason"],
            )
            for row in csv.DictReader(file)
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split("|")))


@cache
def pack_rows() -> tuple[tuple[str, Row], ...]:
    """Return every row of every pack, with the name of its pack."""
    return tuple((path.name, row) for path in PACKS for row in load_bundle(path).rows)


@cache
def shown() -> tuple[Shown, ...]:
    """Return every case of every pack."""
    return tuple(
        Shown(path.name, case, _bracket(case.name))
        for path in PACKS
        for case in load_cases(path / "tests.toml")
    )


def _bracket(name: str) -> tuple[str, ...]:
    found = _BRACKET.search(name)
    return tuple(found[1].split(", ")) if found else ()


def rows_of(control: str) -> tuple[tuple[str, Row], ...]:
    """Return the rows that say they hold a control."""
    return tuple((pack, row) for pack, row in pack_rows() if control in row.controls)


def denying(control: str, form: str) -> list[Shown]:
    """Return cases about a control, in a form, that a row of the control denies."""
    ids = {row.id for _, row in rows_of(control)}
    return [
        each
        for each in _about(control, form)
        if each.case.expect is Effect.DENY and ids & (each.case.because or frozenset())
    ]


def permitting(control: str, form: str) -> list[Shown]:
    """Return cases about a control, in a form, that no row of their pack denies."""
    return [each for each in _about(control, form) if each.case.because == frozenset()]


def _about(control: str, form: str) -> list[Shown]:
    return [each for each in shown() if control in each.controls and each.form == form]


def page() -> Iterator[str]:
    """Yield the lines of ``docs/reference/controls.md``."""
    yield INTRODUCTION
    held = [control for control in controls() if control.forms]
    for title, members in groupby(held, key=_title):
        yield f"## {title}\n"
        yield "| Control | About | Fact | Row | Form | Denied by the test | Permitted by the test |"
        yield "|---|---|---|---|---|---|---|"
        for control in members:
            yield from _lines(control)
        yield ""
    yield ABSENT
    for control in controls():
        if not control.forms:
            yield f"| {control.name} | {control.about} | {control.reason} |"
    yield NOT_PROVIDED


def _title(control: Control) -> str:
    return next(title for start, title in TITLES.items() if control.name.startswith(start))


def _lines(control: Control) -> Iterator[str]:
    """Yield one line for each form, the control itself on the first of them."""
    facts = _code(f"{fact}:" for fact in control.facts)
    rows = _code(f"{pack}:{row.id}" for pack, row in rows_of(control.name))
    first = (control.name, control.about, facts, rows)
    for number, form in enumerate(control.forms):
        head = ("", "", "", "") if number else first
        told = [_told(find(control.name, form)) for find in (denying, permitting)]
        yield f"| {' | '.join((*head, form, *told))} |"


def _told(found: list[Shown]) -> str:
    """Name the first test; more of them stand beside it."""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].pack}: {found[0].title}{more}" if found else "none"


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
