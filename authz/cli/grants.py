"""``dockgate grants``: lists what is granted now."""

from __future__ import annotations

from pathlib import Path

import click

from authz.cli import report
from authz.cli.service import address, asked, service_options
from authz.policy.explain import printable


@click.command(help="List what is granted now. Exits with 0, or with 1 when there is no service.")
@service_options
@click.option("--json", "as_json", is_flag=True, help="Print them for a program.")
def command(*, admin: str | None, config: Path | None, as_json: bool) -> None:
    """Ask and print."""
    found = asked(address(admin, config), "GET", "/grants")
    if as_json:
        report.echo_json(found)
        return
    for each in found["grants"]:
        what = f"{each['subject']} {each['action']} {' '.join(each['facts'])}"
        click.echo(f"{each['id']}  {printable(what)}  until {each['ends']}")
        click.echo(f"{'':26}  {printable(each['reason'])} ({each['by']})")
    if not found["grants"]:
        click.echo("Nothing is granted.")
