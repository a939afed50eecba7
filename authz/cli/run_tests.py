"""``dockgate test``: runs the tests of a policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from authz.cli.options import bundle_or_exit, fail
from authz.errors import PolicyError
from authz.policy.case_file import load_cases
from authz.policy.snapshot import compile_snapshot
from authz.policy.text import render_problems
from authz.proof import CASES, Result, run

FAILURES = 1


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
