"""``dockgate explain``: why a recorded or a written request comes out as it does."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from authz.cli import report
from authz.cli.decide import How, Written, request_options, show
from authz.cli.options import USAGE, caller, caller_options, fail, snapshot_or_exit
from authz.errors import ConfigurationError
from authz.policy.explain import printable
from authz.policy.snapshot import Snapshot
from authz.tools.explain import Explanation, as_json, explain
from authz.tools.recorded import Recorded, find

HELP = """Say why a recorded decision came out as it did, or a written request would.

\b
dockgate explain 01JABC... --audit /var/log/dockgate/audit.jsonl --policy /etc/dockgate/policy
dockgate explain GET /v1.47/containers/json --policy builtin:developer --as user:alice

With a policy, also what it says now, the nearest rows that allow something of the kind, and
the smallest row that would allow it, for you to review. Files that were rotated away beside the
audit are searched as well. Of a written request everything that `dockgate decide` takes may be
said; the record of a decision has all of it."""

RECORDED, WRITTEN = 1, 2
"""How many words name a request: its id, or its method and target."""

OF_FACT = ("verdict", "row", "at")
"""What a record says of a fact, beside the fact itself."""

OF_WRITTEN = {
    "subject": "--as",
    "groups": "--group",
    "tenant": "--tenant",
    "door": "--door",
    "listener": "--listener",
    "tls": "--tls",
    "source": "--source",
    "headers": "--header",
    "body": "--body",
    "given": "--given",
}
"""Options that say something of a written request."""


@click.command(help=HELP)
@click.argument("request", nargs=-1, required=True, metavar="REQUEST_ID | METHOD TARGET")
@click.option(
    "--audit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The audit file that has the decision.",
)
@click.option("--policy", "reference", metavar="DIR", help="A bundle's folder, or builtin:NAME.")
@caller_options
@request_options
@click.option("--json", "as_document", is_flag=True, help="Print it for a program.")
def command(  # noqa: PLR0913  one parameter for each option
    *,
    request: tuple[str, ...],
    audit: Path | None,
    reference: str | None,
    subject: str,
    groups: tuple[str, ...],
    tenant: str,
    how: How,
    as_document: bool,
) -> None:
    """Explain what was recorded, or what is written."""
    if len(request) == WRITTEN:
        if reference is None or audit is not None:
            raise click.UsageError("METHOD TARGET takes --policy DIR, and no --audit")
        written = Written(request[0], request[1], how)
        show(
            written, caller(subject, groups, tenant), reference, explained=True, as_json=as_document
        )
        return
    if len(request) != RECORDED:
        raise click.UsageError("expected one REQUEST_ID, or METHOD TARGET")
    if audit is None:
        raise click.UsageError("REQUEST_ID takes --audit FILE")
    _nothing_written()
    _recorded(request[0], audit, reference, as_document=as_document)


def _nothing_written() -> None:
    """Refuse options that would be without effect. Raises UsageError."""
    said = click.get_current_context().get_parameter_source
    for name, option in OF_WRITTEN.items():
        if said(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option} is for METHOD TARGET; the record has it already")


def _recorded(request_id: str, audit: Path, reference: str | None, *, as_document: bool) -> None:
    """Find the record, explain it, print it."""
    snapshot = snapshot_or_exit(reference) if reference else None
    explanation = explain(_found(request_id, audit), snapshot)
    if as_document:
        report.echo_json(as_json(explanation))
    else:
        _echo(explanation, snapshot)


def _found(request_id: str, audit: Path) -> Recorded:
    try:
        recorded = find(request_id, audit)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    if recorded is None:
        fail(f"{audit}: there is no decision {request_id!r}; expected the id of a request", USAGE)
    if not _is_whole(recorded):
        fail(f"{audit}: the record of {request_id!r} has not all members of a decision", USAGE)
    return recorded


def _is_whole(recorded: Recorded) -> bool:
    """Say whether a record has what is printed of one, beside what is judged again."""
    document = recorded.document
    parts = [(document, ("door", "mode")), *((each, OF_FACT) for each in document["facts"])]
    return all(name in part for part, names in parts for name in names)


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
