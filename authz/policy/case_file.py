"""The strict reader of tests.toml: requests in words, and what must come out.

It knows the form of a case. Whether the ids that it names exist, and what a
``given`` table means, is for whoever runs the cases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from authz.errors import Location, PolicyError, Problem
from authz.identity.identity import ANONYMOUS
from authz.policy.bundle_file import locate, read_toml
from authz.policy.decision import Effect
from authz.policy.source import Line, Source, read_source, split
from authz.policy.spelling import listed, nearest
from authz.policy.subject import CALLERS, GROUPED, fault_of
from authz.wire.evidence import Evidence
from authz.wire.raw import Door
from authz.wire.rehearsed import ArrivalError, rehearsed

SAMPLES = "samples"
"""The folder beside tests.toml that holds request bodies."""

_REQUEST = re.compile(r"([!-~]+) ([!-~]+)")
_TABLE = re.compile(r"[ \t]*\[\[[ \t]*case[ \t]*\]\]")


@dataclass(frozen=True, slots=True)
class Case:
    """One request and the answer that the policy must give.

    ``because`` are the ids of the rows that settle it, compared as a set;
    None where the case does not say. ``given`` are the answers to look-ups.
    """

    name: str
    method: str
    target: str
    expect: Effect
    location: Location
    subject: str = ANONYMOUS
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Roles and packs held in this case alone: a bundle that names nobody can be tested."""
    tenant: str = ""
    door: Door = Door.PLUGIN
    evidence: Evidence = field(default_factory=Evidence)
    """What the door knows of the connection."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    because: frozenset[str] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


class _Written(BaseModel):
    """A ``[[case]]`` table, as TOML gives it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=200)
    as_: str = Field(alias="as", default=ANONYMOUS)
    groups: list[str] = []
    roles: list[str] = []
    tenant: str = Field(default="", pattern=r"^(?:[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63})?$")
    door: Literal["plugin", "proxy"] = "plugin"
    listener: str | None = None
    tls: Literal["none", "server", "mutual"] | None = None
    source: str | None = None
    request: str
    headers: dict[str, str] = {}
    body: str | None = None
    body_file: str | None = None
    expect: Literal["allow", "deny", "refuse"]
    because: list[str] | None = None
    given: dict[str, dict[str, Any]] = {}


KEYS = tuple(each.alias or name for name, each in _Written.model_fields.items())
"""Everything that a case may say."""


def load_cases(path: Path) -> tuple[Case, ...]:
    """Read the cases of one file. Raises PolicyError with every problem in it."""
    source = read_source(path.name, path)
    lines, problems = split(source)
    if problems:
        raise PolicyError(problems)
    document = read_toml(source, lines)
    if isinstance(document, Problem):
        raise PolicyError((document,))
    reader = _Reader(source, lines, path.parent / SAMPLES)
    cases = reader.read(document)
    if reader.problems:
        raise PolicyError(tuple(sorted(reader.problems)))
    return cases


@dataclass(slots=True)
class _Reader:
    source: Source
    lines: tuple[Line, ...]
    samples: Path
    problems: list[Problem] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    """The names so far, and their lines."""

    def read(self, document: Mapping[str, object]) -> tuple[Case, ...]:
        for key in document:
            if key != "case":
                line, column = locate(self.lines, key)
                message = f'"{key}" is not known here; expected [[case]] tables'
                self.problems.append(line.problem(column, len(key), message, "[[case]]"))
        tables = document.get("case", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            line, column = locate(self.lines, "case")
            message = "case is not a list of tables"
            self.problems.append(line.problem(column, len("case"), message, "[[case]]"))
            return ()
        cases = [self._case(table, _Block.of(self.lines, n)) for n, table in enumerate(tables)]
        return tuple(case for case in cases if case)

    def _case(self, table: Mapping[str, object], block: _Block) -> Case | None:
        try:
            written = _Written.model_validate(table)
        except ValidationError as error:
            self.problems += [_told(block, each) for each in error.errors()]
            return None
        before = len(self.problems)
        request = self._request(written, block)
        self._check_subjects(written, block)
        evidence = self._evidence(written, block)
        body = self._body(written, block)
        self._check_name(written.name, block)
        if request is None or len(self.problems) > before:
            return None
        return Case(
            name=written.name,
            method=request[1],
            target=request[2],
            expect=Effect(written.expect),
            location=Location(self.source.name, block.first.number, 1),
            subject=written.as_,
            groups=tuple(written.groups),
            roles=tuple(written.roles),
            tenant=written.tenant,
            door=Door(written.door),
            evidence=evidence,
            headers=tuple(written.headers.items()),
            body=body,
            because=None if written.because is None else frozenset(written.because),
            given=written.given,
        )

    def _request(self, written: _Written, block: _Block) -> re.Match[str] | None:
        found = _REQUEST.fullmatch(written.request)
        if found is None:
            message = f'request is "{written.request}"; expected a method and a target'
            self.problems.append(block.problem("request", message, "GET /v1.47/containers/json"))
        return found

    def _evidence(self, written: _Written, block: _Block) -> Evidence:
        try:
            return rehearsed(
                Door(written.door),
                listener=written.listener,
                tls=written.tls,
                source=written.source,
            )
        except ArrivalError as error:
            self.problems.append(block.problem(error.key, error.message, error.suggestion))
            return Evidence()

    def _check_subjects(self, written: _Written, block: _Block) -> None:
        if fault := fault_of(written.as_, CALLERS):
            self.problems.append(block.problem("as", *fault))
        for group in written.groups:
            if fault := fault_of(group, ("group",)):
                self.problems.append(block.problem("groups", *fault))
        for role in written.roles:
            if fault := fault_of(role, GROUPED):
                self.problems.append(block.problem("roles", *fault))

    def _check_name(self, name: str, block: _Block) -> None:
        if name in self.names:
            message = f'the name "{name}" is taken by the case in line {self.names[name]}'
            self.problems.append(block.problem("name", message, f"{name} (2)"))
        self.names.setdefault(name, block.first.number)

    def _body(self, written: _Written, block: _Block) -> bytes:
        if written.body_file is None:
            return (written.body or "").encode()
        if written.body is not None:
            message = "a case has a body or a body_file, not both"
            self.problems.append(block.problem("body_file", message, "take one away"))
            return b""
        parts = Path(written.body_file).parts
        if parts[:1] != (SAMPLES,) or len(parts) < 2 or ".." in parts:  # noqa: PLR2004  folder and file
            message = f'body_file is "{written.body_file}"; expected a file under {SAMPLES}/'
            name = parts[-1] if parts else "body.json"
            self.problems.append(block.problem("body_file", message, f"{SAMPLES}/{name}"))
            return b""
        try:
            return read_source(written.body_file, self.samples.joinpath(*parts[1:])).content
        except PolicyError as error:
            message = f"body_file: {error.problems[0].message}"
            self.problems.append(block.problem("body_file", message, self._sample_like(parts[-1])))
            return b""

    def _sample_like(self, name: str) -> str:
        there = [path.relative_to(self.samples).as_posix() for path in self.samples.rglob("*.*")]
        near = nearest(name, there)
        return f"{SAMPLES}/{near}" if near else ""


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one case: from its header to the next one's."""

    lines: tuple[Line, ...]
    start: int
    stop: int

    @classmethod
    def of(cls, lines: tuple[Line, ...], number: int) -> _Block:
        """Return the lines of the ``number``-th case, counted from 0."""
        starts = [index for index, line in enumerate(lines) if _TABLE.match(line.text)]
        if number >= len(starts):
            return cls(lines, 0, len(lines))
        return cls(lines, starts[number], [*starts, len(lines)][number + 1])

    @property
    def first(self) -> Line:
        """Return the line of the header."""
        return self.lines[self.start]

    def problem(self, key: str, message: str, suggestion: str = "") -> Problem:
        """Return a problem of one member of the case; its header where the member is not there."""
        line, column = locate(self.lines, key, self.start, self.stop)
        width = len(key) if line is not self.first else len(line.text)
        return line.problem(column, width, message, suggestion)


def _told(block: _Block, error: ErrorDetails) -> Problem:
    """Put one finding of pydantic into words for whoever wrote the case."""
    key = str(error["loc"][0])
    path = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        message = f'"{key}" is not a member of a case; expected one of {", ".join(KEYS)}'
        return block.problem(key, message, nearest(key, KEYS))
    if error["type"] == "missing":
        return block.problem(key, f"the case has no {key}", _EXAMPLES.get(key, ""))
    value = error["input"]
    if error["type"] == "literal_error":
        choices = _choices(_Written.model_fields[key].annotation)
        expected = listed(choices)
        message = f'{path} is "{value}"; expected {expected}'
        return block.problem(key, message, nearest(str(value), choices))
    if error["type"] in _FORMS:
        message = f"{path} is {_quoted(value)}; expected {_FORMS[error['type']]}"
        return block.problem(key, message, _EXAMPLES.get(path, ""))
    wrong = error["msg"][0].lower() + error["msg"][1:]
    return block.problem(key, f"{path} is {_quoted(value)}: {wrong}")


def _choices(annotation: object) -> tuple[str, ...]:
    """Return the texts that a member may be, where it is one of several."""
    found = get_args(annotation)
    texts = tuple(each for each in found if isinstance(each, str))
    return texts or tuple(text for each in found for text in _choices(each))


_FORMS = {"list_type": "a list", "dict_type": "a table", "string_type": "a text"}
"""What is wanted, in words of TOML."""

_EXAMPLES = {
    "because": 'because = ["no-privileged"]',
    "groups": 'groups = ["group:os/dev"]',
    "headers": 'headers = { "Content-Type" = "application/json" }',
    "roles": 'roles = ["role:dev"]',
    "name": 'name = "ordinary containers run"',
    "request": 'request = "GET /v1.47/containers/json"',
    "expect": 'expect = "deny"',
}


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004  a line of a terminal
