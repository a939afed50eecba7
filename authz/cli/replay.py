"""``dockgate replay``: what would change under another policy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from authz.cli import report
from authz.cli.options import USAGE, fail, policy_option, snapshot_or_exit
from authz.errors import ConfigurationError
from authz.policy.explain import printable
from authz.tools.recorded import Reading
from authz.tools.replay import Policy, Replay, as_json, biggest

SOME: Final = 4
"""Exit status where a decision would change."""
MOST_SHOWN: Final = 40
"""Groups that a person is shown; JSON has all."""

HELP = """Say which recorded decisions would change under another policy.

\b
dockgate replay /var/log/dockgate/audit.jsonl --policy new/ --against old/

Without --against, with what was decided then. Files that were rotated away beside the audit are
read as well, compressed or not. Exits with 0 when nothing changes, 4 when something does."""


@click.command(help=HELP)
@click.argument("audit", type=click.Path(path_type=Path, dir_okay=False))
@policy_option
@click.option("--against", metavar="DIR", help="Compare with this policy, not with the record.")
@click.option("--json", "as_document", is_flag=True, help="Print it for a program.")
def command(audit: Path, reference: str, against: str | None, *, as_document: bool) -> None:
    """Judge every record again and print what is different."""
    new = Policy(snapshot_or_exit(reference))
    old = Policy(snapshot_or_exit(against)) if against else None
    replay = Replay(new, old)
    try:
        reading = Reading(audit)
        replay.read(reading)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    report.echo_trouble(reading)
    if reading.broken and not replay.records:
        fail(f"{audit}: none of its lines is a decision; expected an audit file", USAGE)
    if as_document:
        report.echo_json(as_json(replay) | report.trouble(reading))
    else:
        _echo(replay)
    sys.exit(SOME if replay.changed else 0)


def _echo(replay: Replay) -> None:
    groups = biggest(replay)
    for change, group in groups[:MOST_SHOWN]:
        verdicts = f"{change.before.value} -> {change.after.value}"
        what = f"{change.subject or 'nobody'} {change.action} {change.fact}"
        click.echo(f"{group.count:>7} {verdicts:<15} {printable(what)}  by {change.row}")
        click.echo(f"{'':>7} {'':<15} e.g. {printable(' '.join(group.examples))}")
    if len(groups) > MOST_SHOWN or replay.uncounted:
        more = len(groups) - MOST_SHOWN
        click.echo(f"{'':>7} and {max(more, 0)} more groups; --json has them")
    click.echo(f"{replay.judged} judged again, {replay.changed} would change")
    if replay.refused:
        click.echo(f"{replay.refused} were refused before any policy was asked")
    if replay.unsettled:
        click.echo(f"{replay.unsettled} could not be judged: rows read what the record hides")
        for row, count in sorted(replay.blind.items(), key=lambda each: (-each[1], each[0])):
            click.echo(f"{count:>7} {printable(row)}")
