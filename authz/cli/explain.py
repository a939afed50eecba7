"""``dockgate explain``: why a recorded decision came out as it did."""

from __future__ import annotations

from pathlib import Path

import click

from authz.cli import report
from authz.cli.options import USAGE, fail, snapshot_or_exit
from authz.errors import ConfigurationError
from authz.explain import Explanation, as_json, explain
from authz.policy.explain import printable
from authz.policy.snapshot import Snapshot
from authz.recorded import Recorded, files_of, find

HELP = """Say why a recorded decision came out as it did.

\b
dockgate explain 01JABC... --audit /var/log/dockgate/audit.jsonl --policy /etc/dockgate/policy

With a policy, also what it would say now, the nearest rows that allow something of the kind, and
the smallest row that would allow it, for you to review. Files that were rotated away beside the
audit are searched as well. Written requests are explained by `dockgate decide --explain`."""


@click.command(help=HELP)
@click.argument("request_id")
@click.option(
    "--audit",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The audit file.",
)
@click.option("--policy", "reference", metavar="DIR", help="A bundle's folder, or builtin:NAME.")
@click.option("--json", "as_document", is_flag=True, help="Print it for a program.")
def command(request_id: str, audit: Path, reference: str | None, *, as_document: bool) -> None:
    """Find the record, explain it, print it."""
    snapshot = snapshot_or_exit(reference) if reference else None
    explanation = explain(_found(request_id, audit), snapshot)
    if as_document:
        report.echo_json(as_json(explanation))
    else:
        _echo(explanation, snapshot)


def _found(request_id: str, audit: Path) -> Recorded:
    try:
        recorded = find(request_id, files_of(audit))
    except ConfigurationError as error:
        fail(str(error), USAGE)
    if recorded is None:
        fail(f"{audit}: there is no decision {request_id!r}; expected the id of a request", USAGE)
    return recorded


def _echo(explanation: Explanation, snapshot: Snapshot | None) -> None:
    document, now = explanation.document, explanation.now
    report.echo_recorded(document)
    if now is None or snapshot is None:
        report.echo_recorded_facts(document)
        hint = "With --policy DIR you see the nearest rows, and what would allow it."
        if snapshot:
            hint = "The request was refused before any policy was asked."
        click.echo(f"\n{hint}")
        return
    if not explanation.same_policy:
        report.echo_recorded_facts(document)
        digest = printable(str(document["policy"] or ""))[:12]
        click.echo(
            f"\npolicy {digest} decided this; {snapshot.digest[:12]} says {now.effect.value}:"
        )
    report.echo_outcomes(now)
    report.echo_advice(now, explanation.advice)
