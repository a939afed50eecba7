"""``dockgate check``: every problem of a bundle at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace

import click

from authz.errors import Location, PolicyError, Problem, Severity
from authz.policy.bundle import Bundle, load_bundle
from authz.policy.controls import uncovered
from authz.policy.pack_file import shipped_packs
from authz.policy.snapshot import compile_snapshot
from authz.policy.spelling import nearest
from authz.policy.text import problem_json, render_problems
from authz.shipped import shipped
from authz.tools.exposure import exposed

_NO_CONTROLS = (
    "--controls compares packs, which are written for the reviewed model; this is another"
)


@click.command(help="Check bundles and packs strictly. Exits with 1 when one does not load.")
@click.argument("references", metavar="DIR...", nargs=-1, required=True)
@click.option(
    "--controls",
    "packs",
    multiple=True,
    metavar="PACK",
    help="Also report the controls of a pack that the bundle does not keep, as errors.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the problems for a program.")
def command(references: tuple[str, ...], packs: tuple[str, ...], *, as_json: bool) -> None:
    """Print all errors and warnings of bundles and packs."""
    checked = [(reference, *_problems(reference, packs)) for reference in references]
    for reference, problems, summary in () if as_json else checked:
        if problems:
            click.echo(render_problems(problems))
        errors = _errors(problems)
        click.echo(_conclusion(reference, errors, len(problems) - errors, summary))
    every = [problem for _, problems, _ in checked for problem in problems]
    if as_json:
        click.echo(json.dumps([problem_json(problem) for problem in every], indent=2))
    sys.exit(1 if _errors(every) else 0)


def _errors(problems: Iterable[Problem]) -> int:
    return sum(problem.severity is Severity.ERROR for problem in problems)


def _problems(reference: str, packs: tuple[str, ...]) -> tuple[tuple[Problem, ...], str]:
    """Return what is wrong, and a summary of the policy where it loads."""
    try:
        bundle = load_bundle(reference, thorough=True)
    except PolicyError as error:
        return error.problems, ""
    if packs and bundle.brought:
        return (*bundle.warnings, Problem(Location(reference), _NO_CONTROLS)), ""
    if bundle.brought:
        bundle = replace(bundle, warnings=(*bundle.warnings, *exposed(compile_snapshot(bundle))))
    missing = [each for name in packs for each in uncovered(bundle, _pack(name))]
    summary = f"{len(bundle.rows)} rows, digest {bundle.digest[:12]}"
    return (*bundle.warnings, *missing), summary


def _pack(name: str) -> Bundle:
    """Load a shipped pack by its name."""
    known = shipped_packs()
    if name not in known:
        near = nearest(name, known)
        hint = f"; try {near}" if near else ""
        raise click.UsageError(f"--controls: there is no pack {name!r}{hint}")
    return load_bundle(shipped("policies", "packs", name))


def _conclusion(reference: str, errors: int, warnings: int, summary: str) -> str:
    counts = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    if errors and not summary:
        return f"{reference}: {counts}: the policy does not load"
    return f"{reference}: {counts}; {summary}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
