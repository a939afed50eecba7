"""``dockgate uninstall``: takes the gate away."""

from __future__ import annotations

from pathlib import Path

import click

from authz.cli.options import USAGE, fail, say
from authz.errors import ConfigurationError
from authz.install import plugin, proxy
from authz.install.plugin import Wish
from authz.install.site import Site
from authz.install.switch import SwitchError
from authz.install.trial import PROBE

FAILED = 1
"""Exit status where it is still in its place."""

HELP = """Take Dockgate out of the daemon's settings, and its units away.

Settings, policy and records stay. Exits with 0 when it is gone, 1 when it could not be taken
out, 2 when settings cannot be used."""


@click.command(help=HELP)
@click.argument("what", type=click.Choice(["plugin", "proxy"]))
@click.option("--dry-run", "dry", is_flag=True, help="Say what would be done.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("/"),
    show_default=True,
    help="Another file system, such as that of an image.",
)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The settings.")
@click.option("--host", "-H", default="", metavar="H", help="The daemon; else as in the settings.")
def command(*, what: str, dry: bool, root: Path, config: Path | None, host: str) -> None:
    """Uninstall; the exit status says whether it is gone."""
    site = Site(root.resolve(), dry, say)
    work, usual = (
        (plugin.uninstall, plugin.CONFIG) if what == "plugin" else (proxy.uninstall, proxy.CONFIG)
    )
    try:
        work(site, Wish((config or usual).absolute(), host=host, probe=PROBE))
    except ConfigurationError as error:
        fail(str(error), USAGE)
    except SwitchError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", FAILED)
