"""The tests of a policy, run: by ``dockgate test``, and before a policy comes in force.

A bundle brings its own tests. One of them that fails says that the policy is
not what its authors meant, so it judges nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from authz.errors import ConfigurationError, PolicyError, Problem
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import Bundle
from authz.policy.case_file import Case, load_cases
from authz.policy.decision import Row
from authz.policy.snapshot import Snapshot
from authz.tools.rehearse import Rehearsal, answers_from, rehearse
from authz.wire.raw import RawRequest

CASES: Final = "tests.toml"


@dataclass(frozen=True, slots=True)
class Result:
    """How one case came out. ``complaint`` is empty where it passed.

    ``settled`` are the rows that settled a fact of it.
    """

    case: Case
    complaint: str = ""
    settled: frozenset[Row] = frozenset()


def prove(snapshot: Snapshot) -> None:
    """Run the tests of a bundle, where it has any. Raises PolicyError with each that fails."""
    path = snapshot.bundle.root / CASES
    if not path.exists():
        return
    results = [run(case, snapshot) for case in load_cases(path)]
    problems = tuple(_problem(result, str(path)) for result in results if result.complaint)
    if problems:
        raise PolicyError(problems)


def run(case: Case, snapshot: Snapshot) -> Result:
    """Judge the request of a case and compare."""
    identity = Identity(case.subject, (*case.groups, *case.roles), case.tenant, Proof.ASSUMED)
    raw = RawRequest(
        case.method,
        case.target,
        _headers(case),
        case.body,
        evidence=case.evidence,
        door=case.door,
    )
    try:
        answers = answers_from(case.given)
    except ConfigurationError as error:
        return Result(case, str(error))
    found = rehearse(raw, identity, snapshot, answers)
    settled = frozenset(each.row for each in found.record.outcomes if each.row is not None)
    return Result(case, _complaint(case, found), settled)


def untested(results: Iterable[Result], bundle: Bundle) -> tuple[Row, ...]:
    """Return the rows that settled no fact of any case, in their order.

    Those of shipped packs have tests of their own, beside them.
    """
    settled = frozenset[Row]().union(*(result.settled for result in results))
    rows = sorted(bundle.own_rows(), key=lambda row: row.location)
    return tuple(row for row in rows if row not in settled)


def _problem(result: Result, path: str) -> Problem:
    where = replace(result.case.location, file=path)
    return Problem(where, f'the test "{result.case.name}" fails: {result.complaint}')


def _headers(case: Case) -> tuple[tuple[str, str], ...]:
    """Return the headers; a body without a type is JSON."""
    if case.body and not any(name.lower() == "content-type" for name, _ in case.headers):
        return (*case.headers, ("Content-Type", "application/json"))
    return case.headers


def _complaint(case: Case, result: Rehearsal) -> str:
    verdict = result.verdict
    if verdict.effect is not case.expect:
        said = verdict.message.rpartition("; request ")[0]  # of which there is no record
        why = f": {said}" if said else ""
        why += f"; nothing is given of {result.missing}" if result.unanswered else ""
        return f"expected {case.expect.value}, got {verdict.effect.value}{why}"
    if case.because is not None and case.because != result.because:
        return f"expected because = {_ids(case.because)}, got {_ids(result.because)}"
    return ""


def _ids(ids: frozenset[str]) -> str:
    return json.dumps(sorted(ids))
