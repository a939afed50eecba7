"""``dockgate serve``: runs the doors that the configuration names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import uvloop

from authz import log
from authz.app import opened, run
from authz.cli.options import USAGE, fail
from authz.config import load_settings
from authz.errors import ConfigurationError, PolicyError
from authz.policy.text import render_problems

HELP = """Run the doors that the configuration names.

Environment variables DOCKGATE_SECTION__KEY lie over the file's values. SIGTERM and SIGINT
end it, SIGHUP reads the policy again. Exits with 0 after a clean stop, 2 when settings or
policy cannot be used, 1 when it fails."""


@click.command(help=HELP)
@click.option(
    "--config",
    "path",
    envvar="DOCKGATE_CONFIG",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration, as TOML; without one the defaults hold.",
)
def command(path: Path | None) -> None:
    """Serve until a signal."""
    log.configure()
    os.umask(0o077)
    try:
        settings = load_settings(path)
        with opened(settings) as ground:
            uvloop.run(run(ground))
    except ConfigurationError as error:
        fail(str(error), USAGE)
    except PolicyError as error:
        click.echo(render_problems(error.problems), err=True)
        fail(f"{settings.policy}: the policy does not load", USAGE)
    sys.exit(0)
