"""Whether the lines of an audit are all there, unchanged and in order.

What an unsigned chain proves: no accident and no clumsy edit happened between
its first and its last line. Whoever can write the file can compute it anew. A
signed checkpoint proves that the lines before it are those that were there when
it was signed; one that is kept elsewhere proves that they were there at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authz.audit.chain import GENESIS, Kind, Link, digest, is_link
from authz.audit.checkpoint import is_signed
from authz.audit.reader import TORN, Entry, read

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

UNKNOWN = ""
MOST_TOLD = 1000
"""Problems, and notes, that are kept; a file of nonsense must not fill the memory."""
UNSIGNED = "a checkpoint without a signature of this key that holds"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth to be told, and where."""

    path: Path
    line: int
    seq: int
    message: str

    def __str__(self) -> str:
        """Print as ``file:line: sequence N: what``; parts that are not known are left out."""
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {f'sequence {self.seq}: ' if self.seq else ''}{self.message}"


@dataclass(slots=True)
class Report:
    """What was found. ``problems`` break the chain, ``notes`` do not; ``untold`` more came."""

    lines: int = 0
    first: int = 0
    last: int = 0
    head: str = GENESIS
    checkpoints: int = 0
    signed: int = 0
    last_signed: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    untold: int = 0

    def tell(self, among: list[Finding], finding: Finding) -> None:
        """Keep a problem or a note, or count it where there are very many."""
        if len(among) < MOST_TOLD:
            among.append(finding)
        else:
            self.untold += 1


@dataclass(frozen=True, slots=True)
class Demands:
    """What the files are held against.

    ``keys`` are those that may sign, where checkpoints have to be signed.
    ``part`` accepts that lines before the first one are somewhere else;
    ``elsewhere`` are checkpoints that were kept in another place.
    """

    keys: tuple[Ed25519PublicKey, ...] = ()
    elsewhere: Iterable[Entry] = ()
    part: bool = False


def verify(paths: Iterable[Path], demands: Demands | None = None) -> Report:
    """Read the files, in the order of their lines, and say what is wrong.

    Raises ConfigurationError. After a line that does not fit the check goes on
    from there, so that one edit is told once.
    """
    return _Check(demands or Demands()).run(read(paths))


class _Check:
    """One pass over the lines."""

    def __init__(self, demands: Demands) -> None:
        self._keys = demands.keys
        self._part = demands.part
        self._report = Report()
        self._at = Link()
        self._retired = 0
        self._begin: Finding | None = None
        self._due: int | None = None
        self._before: Entry | None = None
        self._aside: Link | None = None
        self._kept: dict[int, set[str]] = {}
        self._keep(demands.elsewhere)

    def run(self, entries: Iterable[Entry]) -> Report:
        entry = None
        torn: Entry | None = None
        for entry in entries:
            if torn is not None:
                self._problem(torn, 0, "is torn, and more lines follow")
            torn = entry if entry.problem == TORN else None
            if torn is None:
                self._line(entry)
        if torn is not None:
            self._note(torn, 0, f"a crash left {len(torn.text)} bytes of a line at the end")
        self._end(entry)
        return self._report

    def _line(self, entry: Entry) -> None:
        report, record = self._report, entry.record
        report.lines += 1
        if entry.problem:
            self._problem(entry, 0, entry.problem)
            self._at = Link(self._at.seq + 1, UNKNOWN)  # it is told; the next may fit
            return
        if not is_link(record):
            self._problem(entry, 0, "carries no sequence number and digest: it was inserted")
            return
        report.kinds[entry.kind] = report.kinds.get(entry.kind, 0) + 1
        seq = record["seq"]
        here = Link(seq, digest(entry.text))
        if not self._fits(entry, seq, record["prev"]):
            self._aside = here
            return
        self._at, self._aside, self._before = here, None, entry
        report.last, report.head = seq, here.head
        self._compare(entry, here)
        if entry.kind == Kind.CHECKPOINT:
            self._checkpoint(entry, seq)
        elif self._due is not None and seq > self._due:
            self._problem(entry, seq, f"a signed checkpoint was due after sequence {self._due}")
            self._due = None
        self._tell(entry, seq)

    def _fits(self, entry: Entry, seq: int, before: str) -> bool:
        """Hold a line against the one before, and say whether the chain goes on from it."""
        if not self._report.first:
            self._report.first = seq
            if seq > 1:
                self._begin = _found(entry, seq, f"the log begins here: {_span(1, seq)} before it")
            elif before != GENESIS:
                self._problem(entry, seq, "is the first of a log and tells of one before it")
            return True
        aside = self._aside
        if aside is not None and (seq, before) == (aside.seq + 1, aside.head):
            return True  # lines of another log, or of another place in this one: told already
        expected = self._at.seq + 1
        if seq > expected:
            self._problem(entry, seq, f"{_span(expected, seq)} before it")
        elif seq == 1 and before == GENESIS:
            self._problem(entry, seq, f"another log begins here, after sequence {self._at.seq}")
        elif seq < expected:
            message = f"is out of order or inserted: it comes after sequence {self._at.seq}"
            self._problem(entry, seq, message)
            return False
        elif self._at.head not in (before, UNKNOWN):
            where = self._before or entry
            message = f"was changed, or logs were spliced behind it: sequence {seq} does not fit it"
            self._problem(where, self._at.seq, message)
        return True

    def _checkpoint(self, entry: Entry, seq: int) -> None:
        record = entry.record
        self._report.checkpoints += 1
        if (record.get("count"), record.get("head")) != (seq - 1, record["prev"]):
            self._problem(entry, seq, "a checkpoint that is not about the line before it")
        if not self._keys:
            return
        if not self._is_signed(record):
            self._problem(entry, seq, UNSIGNED)
            return
        self._report.signed += 1
        self._report.last_signed = seq
        promised = record.get("next")
        self._due = seq + promised if isinstance(promised, int) else None

    def _compare(self, entry: Entry, here: Link) -> None:
        """Hold a line against the checkpoints that were kept elsewhere."""
        if self._kept.get(here.seq, {here.head}) != {here.head}:
            message = "is not the line that a checkpoint kept elsewhere tells of"
            self._problem(entry, here.seq, message)

    def _tell(self, entry: Entry, seq: int) -> None:
        """Note what the log says about itself."""
        record = entry.record
        if entry.kind == Kind.RETIRED and isinstance(record.get("through"), int):
            self._retired = max(self._retired, record["through"])
        if entry.kind == Kind.STARTED and "torn" in record:
            size = record["torn"].get("bytes") if isinstance(record["torn"], dict) else "?"
            self._note(entry, seq, f"started after a crash; {size} bytes of a line were set aside")
        if entry.kind == Kind.CHANGED:
            self._note(entry, seq, f"somebody else changed the file by {record.get('bytes')} bytes")
        if entry.kind == Kind.RESUMED:
            problem, refused = record.get("problem"), record.get("refused")
            since = f"since {record.get('since')} nothing could be written"
            self._note(entry, seq, f"{since} ({problem}); {refused} lines were refused")
        if entry.kind == Kind.CONTINUED and "named" not in record:
            self._note(entry, seq, "the file was moved or removed; this one continues it")

    def _end(self, last: Entry | None) -> None:
        report = self._report
        if self._begin is not None:
            gone = self._begin.seq - 1
            if self._part or self._retired >= gone:
                why = "not looked at" if self._part else "deleted as the settings want it"
                message = f"the log begins here; sequence 1 to {gone} were {why}"
                report.notes.insert(0, replace(self._begin, message=message))
            else:
                report.problems.insert(0, self._begin)
        if last is None:
            return
        ahead = max(self._kept, default=0)
        if ahead > report.last:
            message = (
                f"the end is missing: a checkpoint kept elsewhere is sequence {ahead}, "
                f"the last line here is {report.last}"
            )
            self._problem(last, report.last, message)
        if self._keys and not report.signed:
            self._problem(last, report.last, "no checkpoint carries a signature of this key")

    def _keep(self, entries: Iterable[Entry]) -> None:
        """Read the checkpoints that were kept elsewhere."""
        for entry in entries:
            if entry.problem or not is_link(entry.record):
                self._note(entry, 0, f"{entry.problem or 'is no checkpoint'}; it is not counted")
                continue
            seq = entry.record["seq"]
            if self._keys and not self._is_signed(entry.record):
                self._problem(entry, seq, UNSIGNED)
                continue
            self._kept.setdefault(seq, set()).add(digest(entry.text))

    def _is_signed(self, record: Mapping[str, Any]) -> bool:
        return any(is_signed(record, key) for key in self._keys)

    def _problem(self, entry: Entry, seq: int, message: str) -> None:
        self._report.tell(self._report.problems, _found(entry, seq, message))

    def _note(self, entry: Entry, seq: int, message: str) -> None:
        self._report.tell(self._report.notes, _found(entry, seq, message))


def _found(entry: Entry, seq: int, message: str) -> Finding:
    return Finding(entry.path, entry.line, seq, message)


def _span(first: int, end: int) -> str:
    return (
        f"sequence {first} is missing"
        if first + 1 == end
        else f"sequence {first} to {end - 1} are missing"
    )
