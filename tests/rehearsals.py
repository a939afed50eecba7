"""The policies that ship, and their cases put through them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from authz.errors import Location
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import Bundle, load_bundle
from authz.policy.case_file import Case, load_cases
from authz.policy.links import Link
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.shipped import shipped
from authz.tools.proof import CASES, _headers
from authz.tools.rehearse import Rehearsal, answers_from, rehearse
from authz.wire.raw import RawRequest

PACKS = {
    path.parent.name: path.parent for path in sorted(shipped("policies", "packs").glob("*/*.csv"))
}
BUNDLES = {
    path.parent.name: path.parent for path in sorted(shipped("policies").glob("*/bundle.toml"))
}
GUARDS = tuple(name for name in PACKS if name != "core")
"""Packs that only take away."""

NOWHERE = Location("tests", 1, 1)


@cache
def loaded(folder: Path) -> Bundle:
    """Load a bundle or a pack once."""
    return load_bundle(folder)


@cache
def compiled(folder: Path) -> Snapshot:
    """Compile it once."""
    return compile_snapshot(loaded(folder))


@cache
def cases_of(folder: Path) -> tuple[Case, ...]:
    """Read its cases once."""
    return load_cases(folder / CASES)


def put(case: Case, snapshot: Snapshot, more: Iterable[str] = ()) -> Rehearsal:
    """Judge the request of a case by a snapshot; the caller holds some roles more."""
    held = (*case.groups, *case.roles, *more)
    identity = Identity(case.subject, held, case.tenant, Proof.ASSUMED)
    raw = RawRequest(case.method, case.target, _headers(case), case.body, door=case.door)
    return rehearse(raw, identity, snapshot, answers_from(case.given))


def with_packs(bundle: Bundle, names: Iterable[str], holders: Iterable[str] = ()) -> Bundle:
    """Return a bundle with packs loaded, and attached to whoever is named.

    What a pack leads to comes with it.
    """
    wanted = list(names)
    have = {row.location.file for row in bundle.rows}
    rows, links = list(bundle.rows), list(bundle.links)
    links += [Link(holder, f"pack:{name}", "*", NOWHERE) for holder in holders for name in wanted]
    while wanted:
        pack = loaded(PACKS[wanted.pop()])
        file = f"packs/{pack.name}.csv"
        if file not in have:
            have.add(file)
            rows += pack.rows
            links += pack.links
        wanted += [link.role.removeprefix("pack:") for link in pack.links]
    return replace(bundle, rows=tuple(rows), links=tuple(dict.fromkeys(links)))
