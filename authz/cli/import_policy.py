"""``dockgate import``: a bundle out of another gate's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from authz.cli.options import USAGE, fail
from authz.errors import ConfigurationError, PolicyError
from authz.policy.bundle import load_bundle
from authz.policy.explain import printable
from authz.policy.subject import TYPES, fault_of
from authz.policy.text import render_problems
from authz.tools.importers import casbin_table, json_lines, regex_list, socket_env
from authz.tools.importers.grants import Imported

HOLDER: Final = "group:os/docker"
"""Who could reach the socket before, where a policy names nobody."""

TEXTS: Final[Mapping[str, Callable[[str, tuple[str, ...]], Imported]]] = {
    "socket-env": socket_env.read,
    "regex-list": regex_list.read,
    "json-lines": json_lines.read,
}
CASBIN: Final = "casbin-table"

EXPECTED: Final[Mapping[str, str]] = {
    "socket-env": "settings such as CONTAINERS=1",
    "regex-list": "expressions such as -allowGET=/version",
    "json-lines": "lines with users and actions",
    CASBIN: "rows such as p, alice, /containers/*, GET",
}
"""What a file of each kind says at least."""

HELP = """Make a bundle out of another gate's settings.

\b
socket-env    CONTAINERS=1, POST=0 and the like of the HAProxy-based socket proxies
regex-list    -allowGET=... and the like: regular expressions by method
json-lines    {"name":..,"users":[..],"actions":[..],"readonly":..} of authorization plugins
casbin-table  casbin_rule (ptype, v0 to v5) in a SQLite file or a CSV dump

What cannot be carried over is printed, and stands at the top of policy.csv. Where the other gate
names nobody, --as says who gets the role."""


@click.command(help=HELP)
@click.argument("kind", type=click.Choice([*TEXTS, CASBIN]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--into",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="A new folder for the bundle.",
)
@click.option(
    "--as",
    "holders",
    multiple=True,
    default=[HOLDER],
    show_default=True,
    metavar="SUBJECT",
    help="Who gets what was granted to whoever could connect.",
)
def command(kind: str, file: Path, into: Path, holders: tuple[str, ...]) -> None:
    """Read, write, and say what was lost."""
    for holder in holders:
        if fault := fault_of(holder, TYPES):
            raise click.UsageError(f"--as: {fault[0]}")
    try:
        imported = _read(kind, file, holders)
        if not imported.grants and not imported.rows:
            _echo_left(imported)
            fail(f"{file}: nothing in it can be carried over; expected {EXPECTED[kind]}", USAGE)
        folder = imported.folder()
        folder.write(into)
        bundle = load_bundle(into, thorough=True)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    except PolicyError as error:
        fail(f"{file}: nothing in it can be carried over as a policy", USAGE, error.problems)
    _echo_left(imported)
    if bundle.warnings:
        click.echo(render_problems(bundle.warnings))
    own = len(bundle.own_rows())
    click.echo(f"{own} rows written to {into}; next: dockgate check {into}")


def _echo_left(imported: Imported) -> None:
    for text in dict.fromkeys(imported.left):
        click.echo(f"not carried over: {printable(text)}")


def _read(kind: str, file: Path, holders: tuple[str, ...]) -> Imported:
    try:
        if kind == CASBIN:
            return casbin_table.read_file(file, holders)
        return TEXTS[kind](file.read_text(encoding="utf-8-sig"), holders)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: is not UTF-8") from None
