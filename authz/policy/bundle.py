"""A folder to a :class:`Bundle`, or every problem in it at once.

Each file is read once, and the digest covers the bytes that were read. This
module knows which files there are and how they hang together; what a row says
is checked by ``row_check`` and ``links``, what is odd but legal by ``advice``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from authz.errors import Location, PolicyError, Problem, Severity
from authz.lazy import later
from authz.policy import advice, links
from authz.policy.aside import let_go
from authz.policy.bundle_file import PACK_NAME, Wanted, read_packs
from authz.policy.cover import covered
from authz.policy.decision import Row
from authz.policy.links import Group, Link
from authz.policy.model_file import read_model
from authz.policy.models.which import is_other
from authz.policy.pack_file import (
    is_pack,
    own_packs,
    pack_of,
    path_of,
    place_problems,
    shipped_packs,
)
from authz.policy.row_check import row_of, row_problems
from authz.policy.rule_file import Entry, RuleFile, read_rules
from authz.policy.source import Source, read_source
from authz.policy.spelling import nearest
from authz.policy.vocabulary import Vocabulary, vocabulary
from authz.shipped import shipped

if TYPE_CHECKING:
    from authz.policy.models.folder import Brought, Folder

_models = later("authz.policy.models.folder")  # few bundles bring a model

BUILTIN = "builtin:"
MAX_ROWS = 200_000
"""Rows of all files together."""

RULES = ("policy.csv", "people.csv")
FILES = ("bundle.toml", "model.conf", *RULES)
"""The files that every bundle has."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A policy that loads: what it says, as its authors wrote it.

    ``digest`` is the SHA-256 in hex over the names and bytes of all files read.
    ``warnings`` are legal oddities, for ``check`` to show.
    """

    name: str
    root: Path
    rows: tuple[Row, ...]
    links: tuple[Link, ...]
    groups: tuple[Group, ...]
    digest: str
    warnings: tuple[Problem, ...] = ()
    brought: Brought | None = None
    """The model that it brings with it; None where that is the reviewed one."""

    def own_rows(self) -> tuple[Row, ...]:
        """Return the rows that lie in the bundle's own folder, shipped packs aside."""
        alone = is_pack(self.root)
        own = own_packs(self.root)
        return tuple(
            row
            for row in self.rows
            if alone
            or not row.location.file.startswith("packs/")
            or Path(row.location.file).stem in own
        )


def load_bundle(
    reference: str | Path,
    *,
    today: date | None = None,
    guarded: bool = False,
    advised: bool = True,
    thorough: bool = False,
) -> Bundle:
    """Load ``builtin:NAME``, a bundle's folder or a single pack's folder.

    Raises PolicyError, which names everything that is wrong. ``today`` (UTC)
    decides only which exceptions are warned about as expired. ``guarded``
    refuses files that others than root and this account could change; those
    that come with the package are as safe as the program itself. Whoever is not
    ``advised`` gets no warnings of what is odd without being wrong; ``thorough``
    also warns about rows that others make useless, which takes its time.
    """
    root = _root(reference)
    name = root.resolve().name
    reading = _Reading(root, guarded=guarded, thorough=thorough)
    if is_pack(root):
        reading.read_pack(name)
    else:
        reading.read_bundle()
    try:
        bundle = reading.judge(name)
        if not advised or bundle.brought:  # advice is for rows of the reviewed model
            return bundle
        return reading.advised(bundle, today or datetime.now(UTC).date())
    finally:
        reading.close()


def shipped_bundles() -> tuple[str, ...]:
    """Return the names of the bundles that come with the package."""
    return tuple(sorted(path.parent.name for path in shipped("policies").glob("*/bundle.toml")))


@dataclass(slots=True)
class _Reading:
    """The files of one bundle, read one after the other, and what is wrong with them."""

    root: Path
    sources: list[Source] = field(default_factory=list)
    files: list[RuleFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    packs: dict[str, bool] = field(default_factory=dict)
    """The packs that exist, and whether each is loaded."""
    unread: bool = False  # whether a file could not be: what it would have said is not missed
    excused: set[str] = field(default_factory=set)  # packs unread or misspelt: told once is enough
    guarded: bool = False
    """Whether nobody else may be able to change the files."""
    thorough: bool = False
    """Whether rows are compared with each other as well."""
    alone: bool = False
    """Whether this is one pack, without a bundle around it."""
    folder: Folder | None = None
    """The rows by another model, where the bundle brings one."""

    def read_bundle(self) -> None:
        self.packs = dict.fromkeys(shipped_packs() | own_packs(self.root), False)
        listing = self._read("bundle.toml", self.root / "bundle.toml")
        wanted, problems = read_packs(listing) if listing else ((), ())
        self.problems += problems
        self.unread |= bool(problems) and not wanted
        if model := self._read("model.conf", self.root / "model.conf"):
            self.folder = _models.folder_of(model) if is_other(model) else None
            self.problems += self.folder.problems if self.folder else read_model(model)
        for name in RULES:
            self._read_rules(name, self.root / name)
        for pack in wanted:
            self._read_listed(pack)
        self.problems += _strays(self.root, {pack.name for pack in wanted})

    def read_pack(self, name: str) -> None:
        siblings = {path.stem for path in self.root.resolve().parent.glob("*/*.csv")}
        self.excused = {f"pack:{pack}" for pack in shipped_packs() | siblings}
        self.alone = True
        self._read_rules(f"packs/{name}.csv", self.root / f"{name}.csv")

    def judge(self, name: str) -> Bundle:
        """Check everything that was read. Raises PolicyError where an error was found."""
        entries = [entry for file in self.files for entry in file.entries]
        if len(entries) > MAX_ROWS:
            message = f"the policy has {len(entries)} rows; expected at most {MAX_ROWS}"
            raise PolicyError((*self.problems, entries[MAX_ROWS].whole(message)))
        if self.folder:
            return self._judge_brought(name, self.folder, entries)
        groups = tuple(links.group_of(entry) for entry in entries if entry.type == "g2")
        words = vocabulary(groups, self._fragments())
        for entry in entries:
            self.problems += place_problems(entry)
            self.problems += _entry_problems(entry, words)
        self.problems += self._across(entries)
        self._raise_errors()
        rows = tuple(row_of(entry) for entry in entries if entry.type == "p")
        return Bundle(
            name=name,
            root=self.root,
            rows=rows,
            links=tuple(links.link_of(entry) for entry in entries if entry.type == "g"),
            groups=groups,
            digest=digest_of(self.sources),
            warnings=tuple(self.problems),
        )

    def _judge_brought(self, name: str, folder: Folder, entries: list[Entry]) -> Bundle:
        """Check everything by the model that the bundle brings."""
        brought, problems = folder.judge()
        self.problems += [*problems, *_repeated_ids(entries)]
        self._raise_errors()
        made = folder.rows(brought), folder.links(), (), digest_of(self.sources)
        return Bundle(name, self.root, *made, tuple(self.problems), brought)

    def advised(self, bundle: Bundle, today: date) -> Bundle:
        """Add what is odd about rows without mistakes."""
        entries = [entry for file in self.files for entry in file.entries]
        words = vocabulary(bundle.groups, self._fragments())
        more = self._advice(entries, words, today)
        return replace(bundle, warnings=(*bundle.warnings, *more))

    def _advice(self, entries: list[Entry], words: Vocabulary, today: date) -> tuple[Problem, ...]:
        found = advice.warnings(entries, words, today=today, alone=self.alone)
        if not self.thorough:
            return found
        useless = (replace(each, severity=Severity.WARNING) for each in covered(entries, words))
        return tuple(sorted((*found, *useless)))

    def close(self) -> None:
        """Let go of the rows as they were written; there may be very many of them."""
        entries = [entry for file in self.files for entry in file.entries]
        self.files.clear()
        let_go(entries)

    def _across(self, entries: list[Entry]) -> list[Problem]:
        """Check what only all files together can show."""
        given = [entry for entry in entries if entry.type == "g"]
        grouped = [entry for entry in entries if entry.type == "g2"]
        subjects = {entry.text("subject") for entry in entries if entry.type == "p"}
        members = {entry.text("member") for entry in given}
        holders = subjects | members | self._fragments() | self.excused
        lost = self.unread or any(file.problems and not file.entries for file in self.files)
        found = [] if lost else links.missing_roles(given, holders, self.packs)
        found += links.cycle_problems(
            "role", [(e.text("member"), e.text("role"), e) for e in given]
        )
        found += links.cycle_problems(
            "group", [(e.text("action"), e.text("group"), e) for e in grouped]
        )
        found += _repeated_ids(entries)
        if not subjects and not (self.alone and members) and not self._broken:
            message = "the policy has no p rows, so it would deny everything"
            found.append(self.files[0].source.problem(message, _FIRST_ROW))
        return found

    @property
    def _broken(self) -> bool:
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def _raise_errors(self) -> None:
        if self._broken:
            raise PolicyError(tuple(sorted(self.problems)))

    def _fragments(self) -> frozenset[str]:
        return frozenset().union(*(file.fragments for file in self.files))

    def _read(self, name: str, path: Path) -> Source | None:
        try:
            guarded = self.guarded and not path.is_relative_to(shipped("policies"))
            source = read_source(name, path, guarded=guarded)
        except PolicyError as error:
            self.unread = True
            hint = _HINTS.get(name, "")
            self.problems += [
                problem if problem.suggestion else replace(problem, suggestion=hint)
                for problem in error.problems
            ]
            return None
        self.sources.append(source)
        return source

    def _read_rules(self, name: str, path: Path) -> bool:
        source = self._read(name, path)
        if source is None:
            return False
        file = self.folder.read(source) if self.folder else read_rules(source)
        self.files.append(file)
        self.problems += file.problems
        return True

    def _read_listed(self, pack: Wanted) -> None:
        """Read a pack that bundle.toml names; a misspelt name is told where it stands."""
        if self.folder:
            self.problems.append(self.folder.refused(pack))
            return
        if not PACK_NAME.fullmatch(pack.name) or self.packs.get(pack.name):
            return
        if pack.name not in self.packs:
            message = f'there is no pack "{pack.name}" here, and none is shipped'
            near = nearest(pack.name, self.packs)
            self.excused |= {f"pack:{pack.name}", f"pack:{near}"}
            self.problems.append(pack.problem(message, f'"{near}"' if near else ""))
            return
        self.packs[pack.name] = True
        path = path_of(pack.name, self.root)
        if not self._read_rules(f"packs/{pack.name}.csv", path):
            self.excused.add(f"pack:{pack.name}")


_FIRST_ROW = "p, *, *, system.ping, on:host, *, allow"
_HINTS = {
    "bundle.toml": 'a file that says packs = ["core"]',
    "model.conf": "the model.conf of a shipped bundle",
    "policy.csv": f"a file that says {_FIRST_ROW}",
    "people.csv": "an empty file where nobody holds a role",
}


def digest_of(sources: Iterable[Source]) -> str:
    """Return the SHA-256 in hex over the names and bytes of files, in the order of their names."""
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda each: each.name):
        for part in (source.name.encode(), source.content):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return digest.hexdigest()


def _entry_problems(entry: Entry, words: Vocabulary) -> list[Problem]:
    if entry.type == "p":
        return row_problems(entry, words)
    if entry.type == "g":
        return links.link_problems(entry) if not pack_of(entry) else _domain(entry)
    return links.group_problems(entry, words.known, words.generated)


def _domain(entry: Entry) -> list[Problem]:
    found = links.domain_problem(entry)
    return [found] if found else []


def _repeated_ids(entries: Iterable[Entry]) -> list[Problem]:
    first: dict[str, Entry] = {}
    found = []
    for entry in entries:
        if entry.type != "p" or not entry.note.id:
            continue
        other = first.setdefault(entry.id, entry)
        if other is not entry:
            message = f'the id "{entry.id}" above this row is taken by {other.at}'
            found.append(entry.whole(message, f"{entry.id}-2"))
    return found


def _strays(root: Path, packs: set[str]) -> list[Problem]:
    """Find files that look like policy and that nobody reads."""
    found = [path for path in root.glob("*") if path.name not in RULES]
    found += [path for path in (root / "packs").glob("*") if path.stem not in packs]
    return [_stray(root, path) for path in sorted(found) if path.suffix.lower() == ".csv"]


def _stray(root: Path, path: Path) -> Problem:
    if path.parent != root:
        hint = f'add "{path.stem}" to packs in bundle.toml'
    else:
        near = nearest(path.name, RULES)
        hint = f"the name {near}" if near else "another place for it"
    message = "the file looks like policy, and nothing reads it"
    return Problem(Location(str(path)), message, hint, severity=Severity.WARNING)


def _root(reference: str | Path) -> Path:
    """Return the folder that is meant. Raises PolicyError where there is none."""
    text = str(reference)
    if text.startswith(BUILTIN):
        return _builtin(text)
    root = Path(reference)
    try:
        if root.is_dir():
            return _inhabited(root)
        what = "is not a folder" if root.exists() else "does not exist"
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    raise PolicyError((Problem(Location(text), f"the policy folder {what}", _like(root)),))


def _inhabited(root: Path) -> Path:
    """Tell a folder that is something else in one sentence, not as four missing files."""
    if is_pack(root) or any((root / name).exists() for name in FILES):
        return root
    message = "the folder holds neither a bundle (bundle.toml) nor a pack (NAME/NAME.csv)"
    raise PolicyError((Problem(Location(str(root)), message, _below(root)),))


def _below(root: Path) -> str:
    below = sorted(path.parent for path in root.glob("*/bundle.toml"))
    below += sorted(path.parent for path in root.glob("*/*.csv") if is_pack(path.parent))
    return str(below[0]) if below else ""


def _builtin(reference: str) -> Path:
    name = reference.removeprefix(BUILTIN)
    names = shipped_bundles()
    if name in names:
        return shipped("policies", name)
    near = nearest(name, names)
    message = f'no bundle "{name}" is shipped; there are {", ".join(names)}'
    raise PolicyError((Problem(Location(reference), message, f"{BUILTIN}{near}" if near else ""),))


def _like(root: Path) -> str:
    near = nearest(root.name, shipped_bundles())
    return f"{BUILTIN}{near}" if near else ""
