"""What several commands take, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from authz.errors import PolicyError, Problem
from authz.identity.identity import ANONYMOUS, Identity, Proof
from authz.policy.bundle import Bundle, load_bundle
from authz.policy.explain import printable
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.policy.subject import CALLERS, fault_of
from authz.policy.text import render_problems

DENIED = 3
"""Exit status of a deny or a refusal."""
USAGE = 2
"""Exit status of a wrong call: click's own."""

F = TypeVar("F", bound=Callable[..., Any])


def policy_option(function: F) -> F:
    """Add ``--policy``."""
    return click.option(
        "--policy",
        "reference",
        required=True,
        metavar="DIR",
        help="A bundle's folder, or builtin:NAME for a shipped one.",
    )(function)


def caller_options(function: F) -> F:
    """Add ``--as``, ``--group`` and ``--tenant``."""
    for option in (
        click.option("--tenant", default="", metavar="T", help="The caller's tenant."),
        click.option(
            "--group", "groups", multiple=True, metavar="G", help="A group, such as group:os/dev."
        ),
        click.option(
            "--as",
            "subject",
            default=ANONYMOUS,
            show_default=True,
            metavar="SUBJECT",
            help="Who asks: user:alice, cert:ci, token:bot or container:<id>.",
        ),
    ):
        function = option(function)
    return function


def caller(subject: str, groups: tuple[str, ...], tenant: str) -> Identity:
    """Return the identity that a rehearsal assumes. Raises UsageError on an untyped name."""
    _check("--as", subject, CALLERS)
    for group in groups:
        _check("--group", group, ("group",))
    _check_printable("--tenant", tenant)
    return Identity(subject, groups, tenant, Proof.ASSUMED)


def _check_printable(option: str, name: str) -> None:
    """Refuse what no proof can say: control characters, and bytes that are no text."""
    if not name.isprintable():
        raise click.UsageError(f"{option} is {name!r}; expected printable characters")


def _check(option: str, subject: str, types: tuple[str, ...]) -> None:
    _check_printable(option, subject)
    if fault := fault_of(subject, types):
        message, instead = fault
        raise click.UsageError(f"{option}: {message}" + (f"; try {instead}" if instead else ""))


def bundle_or_exit(reference: str, status: int) -> Bundle:
    """Load a bundle, or print all its problems and end."""
    try:
        return load_bundle(reference)
    except PolicyError as error:
        fail(f"{reference}: the policy does not load", status, error.problems)


def snapshot_or_exit(reference: str) -> Snapshot:
    """Load and compile a bundle, or print all its problems and end."""
    return compile_snapshot(bundle_or_exit(reference, USAGE))


def fail(message: str, status: int, problems: tuple[Problem, ...] = ()) -> NoReturn:
    """End with a message on standard error, behind the problems of a policy where there are any.

    What others said in it moves no cursor.
    """
    if problems:
        click.echo(render_problems(problems), err=True)
    lines = "\n".join(map(printable, message.split("\n")))
    click.echo(f"dockgate: {lines}", err=True)
    sys.exit(status)


def say(text: str) -> None:
    """Print a step. The work goes on when nobody listens any more, as behind ``| head``."""
    try:
        click.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
