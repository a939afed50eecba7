"""``dockgate test``: runs the tests of a policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from authz.cli.junit import junit_xml
from authz.cli.options import bundle_or_exit, fail
from authz.errors import PolicyError
from authz.policy.bundle import Bundle
from authz.policy.case_file import load_cases
from authz.policy.explain import place as place_of
from authz.policy.explain import printable
from authz.policy.snapshot import compile_snapshot
from authz.tools.proof import CASES, Result, run, untested

FAILURES = 1


@click.command(help="Run the tests of bundles and packs. Exits with 1 when one fails.")
@click.argument("references", metavar="DIR...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the results for a program.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results as JUnit XML, too.",
)
@click.option("--coverage", is_flag=True, help="Name the rows that settled no case.")
def command(
    references: tuple[str, ...], junit: Path | None, *, as_json: bool, coverage: bool
) -> None:
    """Run every case and say which fail."""
    if as_json and len(references) > 1:
        raise click.UsageError("--json takes one DIR")
    proved = [_prove(reference) for reference in references]
    if junit:
        _write(junit, junit_xml([(bundle.name, results) for bundle, results in proved]))
    for reference, (bundle, results) in zip(references, proved, strict=True):
        if len(references) > 1:
            click.echo(reference)
        _print(results, bundle, as_json=as_json, coverage=coverage)
    failed = any(result.complaint for _, results in proved for result in results)
    sys.exit(FAILURES if failed else 0)


def _prove(reference: str) -> tuple[Bundle, list[Result]]:
    """Run the cases of one folder; end where there are none."""
    bundle = bundle_or_exit(reference, FAILURES)
    try:
        cases = load_cases(bundle.root / CASES)
    except PolicyError as error:
        fail(f"{reference}: the tests cannot be read", FAILURES, error.problems)
    if not cases:
        fail(f"{reference}: {CASES} has no cases", FAILURES)
    snapshot = compile_snapshot(bundle)
    return bundle, [run(case, snapshot) for case in cases]


def _write(path: Path, text: bytes) -> None:
    try:
        path.write_bytes(text)
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror}", FAILURES)


def _print(results: list[Result], bundle: Bundle, *, as_json: bool, coverage: bool) -> None:
    rows = bundle.own_rows()
    missing = untested(results, bundle)
    if as_json:
        cases = [
            {
                "name": result.case.name,
                "at": str(result.case.location),
                "passed": not result.complaint,
                "complaint": result.complaint,
            }
            for result in results
        ]
        untouched = [{"row": row.id, "at": row.at} for row in missing]
        covered = {"cases": cases, "rows": len(rows), "untested": untouched}
        click.echo(json.dumps(covered if coverage else cases, indent=2))
        return
    failed = [result for result in results if result.complaint]
    for result in failed:
        head = click.style("FAIL", fg="red", bold=True)
        place = f"{bundle.root / CASES}:{result.case.location.line}"
        click.echo(f"{head}  {result.case.name}  ({place})")
        click.echo(f"      {result.complaint}")
    for row in missing if coverage else ():
        click.echo(f"untested: {place_of(row)}  {printable(row.fact)}")
    hint = "" if coverage or not missing else "; --coverage names the others"
    click.echo(f"{len(rows) - len(missing)} of {len(rows)} rows settle a case{hint}")
    click.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
