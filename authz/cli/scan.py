"""``dockgate scan``: judges what already runs."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

import click

from authz.cli import report
from authz.cli.options import USAGE, caller, caller_options, fail, policy_option, snapshot_or_exit
from authz.errors import ConfigurationError
from authz.policy.explain import printable
from authz.policy.pack_file import is_pack
from authz.policy.subject import GROUPED, fault_of
from authz.tools.scan.findings import Finding, Scan, as_json, by_rule
from authz.tools.scan.inventory import Daemon, Inventory
from authz.tools.scan.sarif import sarif
from authz.wire.raw import Door

FOUND: Final = 4
"""Exit status of a scan with findings."""
MOST_FACTS: Final = 3
"""Facts that are spelt out where one row denies more of them; JSON has all."""
HOST: Final = "unix:///var/run/docker.sock"

HELP = """Judge what already runs, as if it were created now.

\b
dockgate scan --policy builtin:developer --as user:alice
dockgate scan --policy policies/packs/pss-baseline --sarif scan.sarif

Each container and service is judged for the owner that its label names, else for --as. A pack
alone is judged by what it denies. Exits with 0 when everything would be allowed, 4 when not."""


@click.command(help=HELP)
@policy_option
@caller_options
@click.option("--role", "roles", multiple=True, metavar="R", help="Lend a role or a pack.")
@click.option(
    "--host", default=HOST, envvar="DOCKER_HOST", show_default=True, help="The daemon to ask."
)
@click.option(
    "--door",
    type=click.Choice([Door.PLUGIN.value, Door.PROXY.value]),
    default=Door.PLUGIN.value,
    show_default=True,
    help="The door that things would come in by.",
)
@click.option("--json", "as_document", is_flag=True, help="Print the findings for a program.")
@click.option(
    "--sarif",
    "sarif_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the findings as SARIF 2.1.0, too.",
)
def command(  # noqa: PLR0913  one parameter for each option
    *,
    reference: str,
    subject: str,
    groups: tuple[str, ...],
    tenant: str,
    roles: tuple[str, ...],
    host: str,
    door: str,
    as_document: bool,
    sarif_file: Path | None,
) -> None:
    """Judge everything and report by control."""
    for role in roles:
        if fault := fault_of(role, GROUPED):
            raise click.UsageError(f"--role: {fault[0]}")
    identity = caller(subject, groups, tenant)
    snapshot = snapshot_or_exit(reference)
    alone = is_pack(snapshot.bundle.root)
    lent = (*roles, f"pack:{snapshot.bundle.name}") if alone else roles
    lending = replace(identity, groups=(*groups, *lent))
    scan = Scan(snapshot, lending, only_denied=alone, door=Door(door))
    try:
        findings, inventory = asyncio.run(_scanned(scan, host))
    except ConfigurationError as error:
        fail(str(error), USAGE)
    if sarif_file:
        _write(sarif_file, json.dumps(sarif(findings, snapshot.digest), indent=2) + "\n")
    if as_document:
        report.echo_json([as_json(each) for each in findings])
    else:
        _echo(findings, inventory)
    sys.exit(FOUND if findings else 0)


async def _scanned(scan: Scan, host: str) -> tuple[list[Finding], Inventory]:
    async with Daemon(host) as daemon:
        inventory = await daemon.inventory()
        return await scan.findings(daemon, inventory), inventory


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror}", USAGE)


def _echo(findings: list[Finding], inventory: Inventory) -> None:
    for rule, found in by_rule(findings).items():
        click.secho(printable(rule), bold=True)
        for (kind, name, row), group in groupby(
            found, key=lambda one: (one.kind, one.name, one.row)
        ):
            facts = [each.fact or each.message for each in group]
            rest = f" and {len(facts) - MOST_FACTS} more" if len(facts) > MOST_FACTS else ""
            at = f"{row.id} ({row.at})" if row else ""
            line = f"  {kind:<9} {name:<20} {', '.join(facts[:MOST_FACTS])}{rest}"
            click.echo(printable(f"{line}  by {at}" if row else line))
    objects = {(each.kind, each.id) for each in findings}
    seen = f"{len(inventory.containers)} containers and {len(inventory.services)} services"
    click.echo(f"{seen} judged, {len(objects)} with findings")
