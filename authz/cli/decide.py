"""``dockgate decide``: judges one written request."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, cast

import click

from authz.cli import report
from authz.cli.given import read_given
from authz.cli.options import (
    DENIED,
    USAGE,
    F,
    caller,
    caller_options,
    fail,
    policy_option,
    snapshot_or_exit,
)
from authz.errors import ConfigurationError
from authz.identity.identity import Identity
from authz.policy.decision import Effect
from authz.policy.snapshot import Snapshot
from authz.tools.explain import Advice, Explanation, advise
from authz.tools.explain import as_json as explanation_json
from authz.tools.rehearse import Rehearsal, rehearse
from authz.wire.raw import Door, RawRequest
from authz.wire.rehearsed import PROTECTIONS, ArrivalError, rehearsed

CONTENT_TYPE = "content-type"
MOST_BODY = 16 * 1024 * 1024
"""Bytes of a body that are read: more are refused, or never looked at, in any length."""
HELP = """Judge one written request, offline.

\b
dockgate decide --policy builtin:developer --as user:alice \\
    POST /v1.47/containers/create --body create.json

Questions that --given does not answer are unknown. Exits with 0 for allow, 3 for deny and
refuse, 2 for a wrong call."""


@dataclass(frozen=True, slots=True)
class How:
    """What is written of a request beside its method and target; one member for each option."""

    door: str = Door.PLUGIN.value
    listener: str | None = None
    tls: str | None = None
    source: str | None = None
    headers: tuple[str, ...] = ()
    body: str | None = None
    given: Path | None = None


def request_options(function: F) -> F:
    """Add the options of :class:`How`, and hand it to the command as ``how``."""

    @wraps(function)
    def called(**options: Any) -> object:  # noqa: ANN401  whatever click made of them
        how = How(**{each.name: options.pop(each.name) for each in fields(How)})
        return function(how=how, **options)

    found = cast("F", called)
    for option in (
        click.option(
            "--given",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Answers to look-ups, as TOML.",
        ),
        click.option("--body", metavar="FILE|-", help="The request's body, or - for stdin."),
        click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header."),
        click.option(
            "--door",
            type=click.Choice([Door.PLUGIN.value, Door.PROXY.value]),
            default=Door.PLUGIN.value,
            show_default=True,
            help="The door that the request would come in by.",
        ),
        click.option("--listener", metavar="ADDRESS", help="The proxy's listener, as configured."),
        click.option("--tls", type=click.Choice(PROTECTIONS), help="What protects the connection."),
        click.option("--source", metavar="IP", help="Where it comes from; '' for a unix socket."),
    ):
        found = option(found)
    return found


@click.command(help=HELP)
@policy_option
@caller_options
@request_options
@click.option("--explain", "explained", is_flag=True, help="Say what would allow it as well.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision for a program.")
@click.argument("method")
@click.argument("target")
def command(  # noqa: PLR0913  one parameter for each option
    *,
    reference: str,
    subject: str,
    groups: tuple[str, ...],
    tenant: str,
    how: How,
    explained: bool,
    as_json: bool,
    method: str,
    target: str,
) -> None:
    """Judge and print; the exit status is the verdict."""
    asked = (Written(method, target, how), caller(subject, groups, tenant), reference)
    sys.exit(show(*asked, explained=explained, as_json=as_json))


@dataclass(frozen=True, slots=True)
class Written:
    """A request as somebody wrote it down, and what stands in for look-ups."""

    method: str
    target: str
    how: How

    def raw(self) -> RawRequest:
        """Return what would arrive. Raises UsageError on what none can be like."""
        how = self.how
        content = _body(how.body)
        headers = _headers(how.headers, content)
        door = Door(how.door)
        try:
            came = rehearsed(door, listener=how.listener, tls=how.tls, source=how.source)
        except ArrivalError as error:
            raise click.UsageError(f"--{error.message}") from None
        return RawRequest(self.method, self.target, headers, content, evidence=came, door=door)


UNANSWERED = (
    "\nunknown stands for what nothing was given of: {}. "
    "A file for --given has a table for each, such as:\n"
    "  [container.web]\n  owner = 'user:alice'"
)
"""What to do about facts that fail because nobody told of an object."""


def show(
    request: Written, identity: Identity, reference: str, *, explained: bool, as_json: bool
) -> int:
    """Judge a written request and print it; return the status that its verdict has."""
    raw = request.raw()
    try:
        answers = read_given(request.how.given)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    snapshot = snapshot_or_exit(reference)
    result = rehearse(raw, identity, snapshot, answers)
    advice = _advice(result, identity, snapshot) if explained else None
    document = report.document(result)
    if as_json and explained:
        report.echo_json(explanation_json(Explanation(document, result.verdict.decision, advice)))
    elif as_json:
        report.echo_json(document)
    else:
        report.echo(result, verbose=True)
        if result.unanswered:
            click.echo(UNANSWERED.format(result.missing))
        elif advice and result.verdict.decision:
            report.echo_advice(result.verdict.decision, advice)
    return 0 if result.verdict.effect is Effect.ALLOW else DENIED


def _advice(result: Rehearsal, identity: Identity, snapshot: Snapshot) -> Advice | None:
    """Say what would allow it; nothing where no policy was asked."""
    decision, asked = result.verdict.decision, result.record.asked
    if decision is None or asked is None:
        return None
    return advise(identity, asked.action, decision, snapshot)


def _headers(written: tuple[str, ...], body: bytes) -> tuple[tuple[str, str], ...]:
    """Split the headers; a body without a type is JSON, which is what one writes by hand."""
    headers = []
    for text in written:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"--header is {text!r}; expected 'Name: value'")
        headers.append((name.strip(), value.strip()))
    if body and not any(name.lower() == CONTENT_TYPE for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return tuple(headers)


def _body(source: str | None) -> bytes:
    if source is None:
        return b""
    try:
        if source != "-":
            with Path(source).open("rb") as file:
                return file.read(MOST_BODY)
        if sys.stdin is None:
            raise click.UsageError("--body -: standard input is closed")
        return sys.stdin.buffer.read(MOST_BODY)
    except OSError as error:
        raise click.UsageError(f"--body {source}: {error.strerror}") from None
