"""``dockgate serve``: runs the doors that the configuration names."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click
import structlog
import uvloop

from authz.cli.options import USAGE, fail
from authz.errors import ConfigurationError, PolicyError
from authz.log import configure
from authz.service.app import SIGNALS, opened, run
from authz.service.config import load_settings

HELP = """Run the doors that the configuration names.

Environment variables DOCKGATE_SECTION__KEY lie over the file's values. SIGTERM and SIGINT
end it, SIGHUP reads the policy again. Exits with 0 after a clean stop, 2 when settings or
policy cannot be used, 1 when it fails."""

FAILED = 1
"""Exit status of a service that could not go on."""

STANDARD_ERROR = 2
"""The last descriptor that a program expects to be somebody else's."""

LAST_MOMENT = 5
"""Seconds from the last answer to the end of the process; then the kernel ends it."""

log = structlog.get_logger(__name__)


def _occupy() -> None:
    """Put nothing where a standard stream is closed: no file of ours may get its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = os.fdopen(STANDARD_ERROR, "w", closefd=False)


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
    _occupy()
    configure()
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the loop can take them
    try:
        settings = load_settings(path)
        with opened(settings) as ground:
            try:
                uvloop.run(run(ground))
            finally:  # what hangs on a dead disk must not hold up the end
                signal.alarm(LAST_MOMENT)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    except PolicyError as error:
        fail("the policy does not load; nothing was started", USAGE, error.problems)
    except Exception:
        log.exception("service.failed")
        fail("the service failed; the line above says where", FAILED)
    sys.exit(0)
