"""``dockgate try``: runs a real client against a stand-in for the daemon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from authz.cli import report
from authz.cli.given import read_given
from authz.cli.options import (
    DENIED,
    USAGE,
    caller,
    caller_options,
    fail,
    policy_option,
    snapshot_or_exit,
)
from authz.cli.scratch import Judge, ScratchDaemon
from authz.cli.scratch_objects import Overheard, ScratchObjects
from authz.errors import ConfigurationError
from authz.facts.facts import Fact
from authz.gate import Verdict
from authz.policy.decision import Effect
from authz.policy.explain import printable
from authz.tools.drafts.cases import case_text, told_apart
from authz.tools.rehearse import Rehearsal, rehearse
from authz.wire.raw import RawRequest

TIME_LIMIT = 60
"""Seconds for the client; one that waits for a container that never ran is ended."""

ELSEWHERE = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_TLS")
"""Variables that would lead the client to another daemon."""

UNKNOWN = (
    "\non:unknown is an object that this empty daemon does not have. "
    "Describe it in a file for --given:\n  [container.web]\n  owner = 'user:alice'"
)
"""What to do about it."""

GREETINGS = frozenset({"SystemPing", "SystemPingHead"})
"""Operations by which a client only looks whether there is a daemon."""

CUT_SHORT = "failed, or did not end: what it would have sent after that is not shown;"
"""What to say of a client that was allowed everything and failed nevertheless."""

LONGEST_NAME = 150
"""Characters of a case's name."""

LONGEST_FOLDER = 80
"""Characters of a folder for temporary files in which there is room for a socket's path (107)."""

JUDGED = frozenset({"content-type"})
"""Headers that a case repeats; credentials are none of them."""

HELP = """Judge what a docker command would send. Nothing reaches a daemon.

\b
dockgate try --policy builtin:developer --as user:alice -- docker run --privileged alpine

The real client runs against a scratch socket that answers like an empty daemon. Exits with
0 when everything was allowed, 3 when something was denied or refused, 2 for a wrong call."""


@click.command(help=HELP, context_settings={"ignore_unknown_options": True})
@policy_option
@caller_options
@click.option(
    "--given",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Answers to look-ups, as TOML: objects that the scratch daemon should know.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the decisions, each with a test case.")
@click.argument("client", nargs=-1, required=True, type=click.UNPROCESSED)
def command(  # noqa: PLR0913  one parameter for each option
    *,
    reference: str,
    subject: str,
    groups: tuple[str, ...],
    tenant: str,
    given: Path | None,
    as_json: bool,
    client: tuple[str, ...],
) -> None:
    """Run the client, judge each of its requests, print them."""
    identity = caller(subject, groups, tenant)
    snapshot = snapshot_or_exit(reference)
    if shutil.which(client[0]) is None:
        fail(f"there is no command {client[0]!r} on this machine", USAGE)
    try:
        answers = ScratchObjects(read_given(given))
    except ConfigurationError as error:
        fail(str(error), USAGE)
    seen: list[_Seen] = []

    def judge(raw: RawRequest) -> tuple[Verdict, str]:
        asked = Overheard(answers)
        result = rehearse(raw, identity, snapshot, asked)
        seen.append(_Seen(raw, result, asked.given()))
        if result.verdict.lets_through:
            answers.made(result.operation, raw)
        return result.verdict, result.operation

    failed, said = _run(client, judge)
    seen = [*seen]  # what is still being judged comes too late
    if not seen:
        fail(f"{client[0]} sent nothing; it said: {said.strip() or 'nothing'}", USAGE)
    _print(seen, as_json=as_json)
    if any(each.result.verdict.effect is not Effect.ALLOW for each in seen):
        sys.exit(DENIED)
    if failed and all(each.result.operation in GREETINGS for each in seen):
        fail(f"{client[0]} only greeted the daemon; it said: {said.strip() or 'nothing'}", USAGE)
    if failed:
        last = printable(said.strip().rpartition("\n")[2])
        click.echo(f"dockgate: {client[0]} {CUT_SHORT} it said: {last or 'nothing'}", err=True)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One request, what became of it, and the answers that it needed, as a case has them."""

    raw: RawRequest
    result: Rehearsal
    given: Mapping[str, Any]


def _run(client: tuple[str, ...], judge: Judge) -> tuple[bool, str]:
    """Run the client against the scratch socket; return whether it failed, and what it said."""
    long = len(tempfile.gettempdir()) > LONGEST_FOLDER
    place = "/tmp" if long else None  # noqa: S108  a folder of its own is made in it
    with tempfile.TemporaryDirectory(prefix="dockgate-", dir=place) as folder:
        socket = Path(folder, "docker.sock")
        environ = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        environ |= {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CLI_HINTS": "false"}
        with ScratchDaemon(socket, judge):
            try:
                process = subprocess.Popen(  # noqa: S603  the command is what the user asked to run
                    client,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                fail(f"{client[0]}: {error.strerror}", USAGE)
            with process:
                return _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> tuple[bool, str]:
    """Wait for the client; then end it with all that it began, such as a plugin of the CLI."""
    try:
        said, _ = process.communicate(timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode != 0, said.decode(errors="replace")


def _print(seen: list[_Seen], *, as_json: bool) -> None:
    if as_json:
        cases = [_case(each) for each in seen]
        written = [case_text(case) for case in told_apart(cases)]
        report.echo_json(
            [
                report.document(each.result) | {"case": case, "toml": text}
                for each, case, text in zip(seen, cases, written, strict=True)
            ]
        )
        return
    for each in seen:
        report.echo(each.result, verbose=False)
    if any("on:unknown" in map(str, _facts(each.result)) for each in seen):
        click.echo(UNKNOWN)


def _facts(result: Rehearsal) -> list[Fact]:
    return [outcome.fact for outcome in result.record.outcomes]


def _case(seen: _Seen) -> dict[str, Any]:
    """Return the request as a case of ``tests.toml``."""
    raw, result = seen.raw, seen.result
    identity = result.record.identity
    case: dict[str, Any] = {
        "name": f"{raw.method} {raw.target}"[:LONGEST_NAME],
        "request": f"{raw.method} {raw.target}",
        "expect": result.record.verdict.value,
        "because": sorted(result.because),
    }
    if identity:
        case |= {"as": identity.subject, "groups": list(identity.groups)}
        case |= {"tenant": identity.tenant} if identity.tenant else {}
    if raw.body:
        case["body"] = raw.body.decode(errors="replace")
    if headers := {name: value for name, value in raw.headers if name.lower() in JUDGED}:
        case["headers"] = headers
    if seen.given:
        case["given"] = seen.given
    return case
