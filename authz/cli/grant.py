"""``dockgate grant``: lets somebody do something for a while."""

from __future__ import annotations

import re
from pathlib import Path

import click

from authz.cli import report
from authz.cli.service import address, asked, service_options

HELP = """Let somebody do something for a while, on the record.

\b
dockgate grant user:alice container.exec on:own exec.user:root \\
    --for 30m --reason "INC-1234: the queue is stuck"

FACTs are written as in the fact column of a policy. It lies over deny rows and over what no row
allows, never over a never row, nor over what rows of a model of your own deny; it ends by itself,
within eight hours at most, and every judgement that needs it names it. Exits with 0 when it is in
force, 1 when there is no service or it says no, 2 for a wrong call."""

SPAN = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII)


def seconds(text: str) -> int:
    """Read ``30m``, ``1h30m`` or ``90s``. Raises UsageError."""
    found = SPAN.fullmatch(text)
    if not text or found is None:
        raise click.UsageError(f"--for is {text!r}; expected a time such as 30m, 90s or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


@click.command(help=HELP)
@click.argument("subject")
@click.argument("action")
@click.argument("facts", metavar="FACT...", nargs=-1, required=True)
@click.option("--for", "span", required=True, metavar="TIME", help="How long: 30m, 90s, 1h30m.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record.")
@service_options
@click.option("--json", "as_json", is_flag=True, help="Print the grant for a program.")
def command(  # noqa: PLR0913  one parameter for each option
    *,
    subject: str,
    action: str,
    facts: tuple[str, ...],
    span: str,
    reason: str,
    admin: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Grant and print the grant's id."""
    wanted = {
        "subject": subject,
        "action": action,
        "facts": list(facts),
        "seconds": seconds(span),
        "reason": reason,
    }
    made = asked(address(admin, config), "POST", "/grants", wanted)
    if as_json:
        report.echo_json(made)
    else:
        click.echo(f"{made['id']}  {subject} {action} {' '.join(facts)}  until {made['ends']}")
