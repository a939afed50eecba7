"""``dockgate revoke``: ends a grant."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from authz.cli.service import address, asked, service_options


@click.command(
    help="End a grant now; streams that need it are cut within seconds. Exits with 0, or with 1 "
    "when there is no such grant or no service."
)
@click.argument("grant_id", metavar="ID")
@service_options
def command(*, grant_id: str, admin: str | None, config: Path | None) -> None:
    """Revoke."""
    made = asked(address(admin, config), "DELETE", f"/grants/{quote(grant_id, safe='')}")
    click.echo(f"{made['id']}  revoked")
