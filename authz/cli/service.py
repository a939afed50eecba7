"""How commands talk to the service that runs: by its admin socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from authz.cli.options import USAGE, fail
from authz.dial import UnreachableError, ask
from authz.errors import ConfigurationError
from authz.service.config import load_settings
from authz.service.sections import Admin

FAILED = 1
"""Exit status where there is no service, or it says no."""

USUAL = Path("/etc/dockgate/dockgate.toml")

F = TypeVar("F", bound=Callable[..., Any])


def service_options(function: F) -> F:
    """Add ``--admin`` and ``--config``, either of which says where the service is."""
    for option in (
        click.option("--admin", metavar="SOCKET", help="The admin socket: unix:///path."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"The service's settings, which name it; {USUAL} where that is there.",
        ),
    ):
        function = option(function)
    return function


def address(admin: str | None, config: Path | None) -> str:
    """Return where the admin socket is, or end."""
    if admin:
        return admin
    path = config or (USUAL if USUAL.exists() else None)
    if path is None:
        return Admin().address
    try:
        settings = load_settings(path, {})
    except ConfigurationError as error:
        fail(str(error), USAGE)
    if settings.admin is None:
        fail(f"{path}: has no [admin]; expected its address", USAGE)
    return settings.admin.address


def asked(where: str, method: str, target: str, body: object = None) -> dict[str, Any]:
    """Return what the service answers, or end with why it does not."""
    try:
        answer = ask(where, method, target, body=body)
    except UnreachableError as error:
        fail(f"the service cannot be asked: {error}", FAILED)
    document = answer.document()
    if answer.status in {200, 201}:
        return document
    _tell(document)
    return fail(answer.message or f"the service answers with status {answer.status}", FAILED)


def _tell(document: dict[str, Any]) -> None:
    for problem in document.get("problems") or ():
        click.echo(f"{problem.get('message')}", err=True)
        if problem.get("suggestion"):
            click.echo(f"  try: {problem['suggestion']}", err=True)
