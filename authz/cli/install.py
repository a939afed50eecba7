"""``dockgate install``: puts the gate in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from authz.cli.options import USAGE, fail, say
from authz.errors import ConfigurationError, PolicyError
from authz.install import plugin, proxy
from authz.install.plugin import Wish
from authz.install.site import Site
from authz.install.switch import SwitchError
from authz.install.trial import PROBE, TrialError

FAILED = 1
"""Exit status where the gate does not work there, and everything is as it was."""

HELP = """Install Dockgate as the authorization plugin of the daemon, or as its front proxy.

Settings and policy are made where there are none. The plugin must deny and allow before the
daemon is told; a daemon that cannot work afterwards gets its old settings back. Without systemd
it says what to start. Exits with 0 when it works, 1 when it was taken back, 2 when settings or
policy cannot be used."""


@click.command(help=HELP)
@click.argument("what", type=click.Choice(["plugin", "proxy"]))
@click.option("--dry-run", "dry", is_flag=True, help="Say what would be done.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("/"),
    show_default=True,
    help="Another file system, such as that of an image; nothing is started there.",
)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The settings.")
@click.option("--host", "-H", default="", metavar="H", help="The daemon; else as in the settings.")
@click.option(
    "--policy",
    default="builtin:developer",
    show_default=True,
    help="What the policy is a copy of, where there is none yet.",
)
@click.option(
    "--probe",
    default=PROBE,
    show_default=True,
    metavar="TARGET",
    help="What this account must be allowed to GET afterwards.",
)
@click.option("--close-socket", "close", is_flag=True, help="Make the daemon's socket root's.")
def command(  # noqa: PLR0913  one parameter for each option
    *,
    what: str,
    dry: bool,
    root: Path,
    config: Path | None,
    host: str,
    policy: str,
    probe: str,
    close: bool,
) -> None:
    """Install; the exit status says whether it works."""
    site = Site(root.resolve(), dry, say)
    if what == "plugin":
        wish = Wish((config or plugin.CONFIG).absolute(), policy, host, probe)
        _guarded(lambda: plugin.install(site, wish), policy)
    else:
        wish = Wish((config or proxy.CONFIG).absolute(), policy, host, probe)
        _guarded(lambda: proxy.install(site, wish, close=close), policy)


def _guarded(work: Callable[[], None], policy: str) -> None:
    try:
        work()
    except ConfigurationError as error:
        fail(str(error), USAGE)
    except PolicyError as error:
        fail(f"{policy}: the policy does not load", USAGE, error.problems)
    except (TrialError, SwitchError) as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", FAILED)
