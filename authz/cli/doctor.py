"""``dockgate doctor``: looks at a whole set-up."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from authz.cli import report
from authz.cli.options import USAGE, fail
from authz.doctor.examine import Service, Setup, examine
from authz.doctor.finding import Finding, Weight
from authz.errors import ConfigurationError
from authz.policy.explain import printable
from authz.proxy.contexts import ClientFiles, client_context
from authz.service.config import load_settings

FINDINGS = 4
"""Exit status where something is wrong."""

USUAL = (Path("/etc/dockgate/dockgate.toml"), Path("/etc/dockgate-proxy/dockgate.toml"))
"""Where the units look for their settings."""

DAEMON = "unix:///var/run/docker.sock"

COLOURS = {Weight.CRITICAL: "red", Weight.HIGH: "red", Weight.MEDIUM: "yellow", Weight.LOW: "blue"}

HELP = """Look at a whole set-up: the daemon's version and its known holes, its settings (CIS Docker
Benchmark, section 2), who reaches its socket and its ports, its plugins, its clock, and who could
change policy, keys, records and configuration.

As root it also tries whether a stranger can connect. Exits with 0 when all is well, 4 with
findings, 2 when settings cannot be read."""


@click.command(help=HELP)
@click.option("--host", "-H", metavar="H", help="The daemon: unix:///path or tcp://host:port.")
@click.option(
    "--config",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A configuration of Dockgate; several times for several services. "
    f"Without one: {USUAL[0]} and {USUAL[1]}, where they are.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings for a program.")
def command(*, host: str | None, paths: tuple[Path, ...], as_json: bool) -> None:
    """Examine and print; the exit status says whether something is wrong."""
    try:
        setup = _setup(host, paths or tuple(path for path in USUAL if _is_there(path)))
    except ConfigurationError as error:
        fail(str(error), USAGE)
    found = examine(setup)
    if as_json:
        report.echo_json({"host": setup.host, "findings": [each.as_json() for each in found]})
    else:
        _echo(found)
    sys.exit(FINDINGS if found else 0)


def _is_there(path: Path) -> bool:
    """Say whether there are settings; where one may not look, reading them tells why."""
    try:
        return path.exists()
    except OSError:
        return True


def _setup(host: str | None, paths: tuple[Path, ...]) -> Setup:
    services = [Service(load_settings(path, {}), path) for path in paths]
    settings = services[0].settings if services else None
    files = settings.daemon_tls if settings else None
    tls = client_context(ClientFiles(files.ca, files.certificate, files.key)) if files else None
    return Setup(host or (settings.daemon if settings else DAEMON), services, tls)


def _echo(found: list[Finding]) -> None:
    for each in found:
        head = click.style(each.weight.upper().ljust(9), fg=COLOURS[each.weight], bold=True)
        control = f"  [{each.control}]" if each.control else ""
        # A daemon's words, and those of the command lines of processes, move no cursor.
        click.echo(f"{head} {each.id}: {printable(each.what)}{control}")
        click.echo(f"{'':9} expected: {printable(each.expected)}")
        click.echo(f"{'':9} fix: {printable(each.fix)}")
    if not found:
        click.echo("Nothing found.")
