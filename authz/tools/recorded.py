"""Decisions out of an audit, ready to be judged again: for explain, replay and learn.

It knows the members of a record that a judgement needs, and where the files of
one audit lie: the one that is being written, and those that were rotated away
beside it, compressed or not. It trusts none of them: a line that is no record
is told by its number, and what is no decision is passed over.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from authz.errors import ConfigurationError, RefusedError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity, Proof
from authz.policy.combine import combine
from authz.policy.decision import Decision, Effect
from authz.policy.snapshot import Snapshot

DECISION: Final = "decision"
"""What ``kind`` or ``type`` says of a record of a decision; without either it is one."""

MOST_TOLD: Final = 100
"""Unreadable lines that are told one by one."""

_ROTATED = re.compile(r"[.-]\d[\dTZ:_.-]*(?:\.(?:gz|bz2|xz))?")
_OPENERS: Mapping[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""How a compressed file is read, by its first bytes."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One decision as it was written down.

    ``facts`` is empty where the request was refused before anybody could say
    what it would do. ``enforced`` is False where shadow mode let it through.
    ``document`` is the whole record.
    """

    id: str
    time: str
    identity: Identity
    action: str
    facts: tuple[Fact, ...]
    context: Mapping[str, str]
    verdict: Effect
    enforced: bool
    policy: str
    document: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def went_through(self) -> bool:
        """Whether the daemon did it."""
        return self.verdict is Effect.ALLOW or not self.enforced

    def judge(self, snapshot: Snapshot) -> Decision:
        """Let a policy speak on what was recorded, with the caller and the time of then."""
        try:
            return snapshot.judge(self.identity, Facts(self.action, self.facts), self.context)
        except RefusedError:  # who bears a name that only policies give is allowed nothing
            return combine(())


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no record, counted from 1."""

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        """Print as ``file:line: what is wrong``."""
        return f"{self.file}:{self.line}: {self.problem}"


class Reading:
    """The decisions of some audit files, in order; afterwards also what else was there.

    ``unreadable`` has the first lines that are no records, ``broken`` counts all
    of them, ``others`` the records of something else than a decision.
    """

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths
        self.unreadable: list[Unreadable] = []
        self.broken = self.others = 0

    def __iter__(self) -> Iterator[Recorded]:
        """Read the files. Raises ConfigurationError where one cannot be read at all.

        The last one is opened first: it may be written to, and be rotated away
        while those before it are read.
        """
        *before, last = self._paths
        with _lines(last) as end:
            for path in before:
                with _lines(path) as lines:
                    yield from self._decisions(path, lines)
            yield from self._decisions(last, end)

    def _decisions(self, path: Path, lines: Iterable[bytes]) -> Iterator[Recorded]:
        for number, text in enumerate(lines, 1):
            found = _read(text)
            if isinstance(found, Recorded):
                yield found
            elif found is None:
                self.others += 1
            else:
                self._tell(Unreadable(str(path), number, found))

    def _tell(self, line: Unreadable) -> None:
        self.broken += 1
        if len(self.unreadable) < MOST_TOLD:
            self.unreadable.append(line)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return an audit's files, the oldest first: those rotated away beside it, and itself.

    Raises ConfigurationError where there is none.
    """
    try:
        beside = [
            each
            for each in path.parent.iterdir()
            if each.name.startswith(path.name) and _ROTATED.fullmatch(each.name[len(path.name) :])
        ]
        found = sorted(beside, key=lambda each: (each.stat().st_mtime, each.name))
    except OSError as error:
        raise ConfigurationError(f"audit {path}: cannot be read: {error.strerror}") from None
    if path.exists() or not found:
        found.append(path)
    return tuple(found)


def find(request_id: str, paths: tuple[Path, ...]) -> Recorded | None:
    """Return the decision with this id; None where there is none. Its case does not matter."""
    wanted = request_id.upper()
    return next((each for each in Reading(paths) if each.id.upper() == wanted), None)


@contextmanager
def _lines(path: Path) -> Iterator[Iterable[bytes]]:
    """Open one file for its lines, decompressed; one that was compressed meanwhile is found."""
    packed = path.with_name(f"{path.name}.gz")
    try:
        with (packed if packed.exists() and not path.exists() else path).open("rb") as file:
            yield _unpacked(file)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "the compressed file is damaged"
        raise ConfigurationError(f"audit {path}: cannot be read: {why}") from None


def _unpacked(file: BufferedReader) -> Iterator[bytes]:
    head = file.peek(6)  # a pipe cannot be read twice
    opener = next((each for mark, each in _OPENERS.items() if head.startswith(mark)), None)
    yield from opener(file, "rb") if opener else file


def _read(text: bytes) -> Recorded | str | None:
    """Read one line: a decision, None for another kind of record, or what is wrong."""
    if not text.endswith(b"\n"):
        return "is torn: the line has no end"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(document, dict):
        return "is JSON but no record"
    if document.get("kind", document.get("type", DECISION)) != DECISION:
        return None
    try:
        return recorded(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        return "is JSON but no record of a decision"


def recorded(document: Mapping[str, Any]) -> Recorded:
    """Read the members of a record. Raises what Python raises where they are of another form."""
    who, asked = document["identity"] or {}, document["request"] or {}
    for each in (asked.get("method"), asked.get("target"), document.get("detail")):
        _text(each or "")
    context = {key: text for key, text in document["context"].items() if text is not None}
    for value in context.values():
        _text(value)
    return Recorded(
        id=_text(document["id"]),
        time=_text(document["time"]),
        identity=_identity(who),
        action=_text(asked.get("action") or ""),
        facts=tuple([_fact(each["fact"], "looked_up" in each) for each in document["facts"]]),
        context=context,
        verdict=Effect(document["verdict"]),
        enforced=bool(document["enforced"]),
        policy=_text(document["policy"] or ""),
        document=document,
    )


def _text(value: object) -> str:
    """Return a text as it is. Raises TypeError where it is something else."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _identity(who: Mapping[str, Any]) -> Identity:
    return Identity(
        subject=_text(who.get("subject") or ""),
        groups=tuple(map(_text, who.get("groups") or ())),
        tenant=_text(who.get("tenant") or ""),
        proof=Proof(who.get("proof") or "none"),
        uid=who.get("uid"),
    )


@lru_cache(maxsize=16_384)
def _fact(text: str, looked_up: bool) -> Fact:  # noqa: FBT001  a key, part by part
    """Return one object for equal facts: most records say the same."""
    kind, _, value = text.partition(":")
    return Fact(kind, value, looked_up)
