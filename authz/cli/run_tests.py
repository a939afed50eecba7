"""``dockgate test``: runs the tests of a policy."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from authz.cli.options import bundle_or_exit, fail
from authz.errors import ConfigurationError, PolicyError
from authz.identity.identity import Identity, Proof
from authz.policy.case_file import Case, load_cases
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.policy.text import render_problems
from authz.rehearse import Rehearsal, answers_from, rehearse
from authz.wire.raw import RawRequest

FAILURES = 1
CASES = "tests.toml"


@dataclass(frozen=True, slots=True)
class Result:
    """How one case came out. ``complaint`` is empty where it passed."""

    case: Case
    complaint: str = ""


@click.command(help="Run the tests of a bundle or a pack. Exits with 1 when one fails.")
@click.argument("reference", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the results for a program.")
def command(reference: str, *, as_json: bool) -> None:
    """Run every case and say which fail."""
    bundle = bundle_or_exit(reference, FAILURES)
    try:
        cases = load_cases(bundle.root / CASES)
    except PolicyError as error:
        click.echo(render_problems(error.problems), err=True)
        fail(f"{reference}: the tests cannot be read", FAILURES)
    if not cases:
        fail(f"{reference}: {CASES} has no cases", FAILURES)
    snapshot = compile_snapshot(bundle)
    results = [run(case, snapshot) for case in cases]
    _print(results, bundle.root, as_json=as_json)
    sys.exit(FAILURES if any(result.complaint for result in results) else 0)


def run(case: Case, snapshot: Snapshot) -> Result:
    """Judge the request of a case and compare."""
    identity = Identity(case.subject, (*case.groups, *case.roles), case.tenant, Proof.ASSUMED)
    raw = RawRequest(case.method, case.target, _headers(case), case.body, door=case.door)
    try:
        answers = answers_from(case.given)
    except ConfigurationError as error:
        return Result(case, str(error))
    return Result(case, _complaint(case, rehearse(raw, identity, snapshot, answers)))


def _headers(case: Case) -> tuple[tuple[str, str], ...]:
    """Return the headers; a body without a type is JSON."""
    if case.body and not any(name.lower() == "content-type" for name, _ in case.headers):
        return (*case.headers, ("Content-Type", "application/json"))
    return case.headers


def _complaint(case: Case, result: Rehearsal) -> str:
    verdict = result.verdict
    if verdict.effect is not case.expect:
        why = f": {verdict.message}" if verdict.message else ""
        return f"expected {case.expect.value}, got {verdict.effect.value}{why}"
    if case.because is not None and case.because != result.because:
        return f"expected because = {_ids(case.because)}, got {_ids(result.because)}"
    return ""


def _ids(ids: frozenset[str]) -> str:
    return json.dumps(sorted(ids))


def _print(results: list[Result], root: Path, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": result.case.name,
                "at": str(result.case.location),
                "passed": not result.complaint,
                "complaint": result.complaint,
            }
            for result in results
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    failed = [result for result in results if result.complaint]
    for result in failed:
        head = click.style("FAIL", fg="red", bold=True)
        click.echo(f"{head}  {result.case.name}  ({root / CASES}:{result.case.location.line})")
        click.echo(f"      {result.complaint}")
    click.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
