"""``dockgate audit``: checks the chain of the audit log, searches it, and follows it."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from authz.audit.chain import Kind, is_link
from authz.audit.checkpoint import load_verifier
from authz.audit.query import Query, facts, moment, table
from authz.audit.reader import Entry, read, whole
from authz.audit.trail import Line, Trail
from authz.audit.verify import Demands, Finding, Report, verify
from authz.cli.options import USAGE, fail
from authz.errors import ConfigurationError
from authz.policy.explain import printable

BROKEN = 1
"""Exit status of a chain in which something is wrong."""

EVERY = 0.25
"""Seconds between two looks at a file that is followed."""

LAST = 10
"""Records that are shown before those that come."""

NOT_SAID = ("seq", "prev", "kind", "time")
"""Members of a line that a person reads elsewhere, or not at all."""

COLOURS = {"allow": "green", "deny": "red", "refuse": "yellow"}

VERIFY = """Check the audit log: every line is there, unchanged and in order.

The closed and compressed files that belong to FILE are checked with it. Without signatures a log
proves that there was no accident and no clumsy edit: whoever can write the file can compute it
anew. With --key, checkpoints must be signed: the lines up to the last one are those that were
signed. With --checkpoints, copies that were kept elsewhere show a missing end as well. Exits with
1 where something is wrong."""

FILES = click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print it for a program.")


@click.group(help="Verify, query and follow the audit log.")
def command() -> None:
    """Hold the commands of the audit."""


@command.command("verify", help=VERIFY)
@FILES
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A public Ed25519 key that signs, in PEM; several where it was changed.",
)
@click.option(
    "--checkpoints", type=click.Path(path_type=Path), help="Checkpoints that were kept elsewhere."
)
@click.option("--part", is_flag=True, help="The files are a part: what was before is not missed.")
@JSON
def check(
    files: tuple[Path, ...],
    keys: tuple[Path, ...],
    checkpoints: Path | None,
    *,
    part: bool,
    as_json: bool,
) -> None:
    """Check the chain."""
    try:
        demands = Demands(
            keys=tuple(load_verifier(key) for key in keys),
            elsewhere=_copies(checkpoints) if checkpoints else (),
            part=part,
        )
        report = verify(whole(files), demands)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2))
    else:
        _print(report, signed=bool(keys), kept=checkpoints is not None)
    raise SystemExit(BROKEN if report.problems else 0)


def _copies(checkpoints: Path) -> list[Entry]:
    """Return checkpoints that were kept elsewhere. Raises ConfigurationError where none is."""
    entries = list(read(checkpoints))
    if not any(is_link(entry.record) for entry in entries):
        raise ConfigurationError(f"{checkpoints}: has no checkpoint; expected at least one")
    return entries


QUERY = """Search the audit log; texts may hold * and ?.

Without --kind and --all these are the decisions; with --id all lines that carry it: the decision,
and how the request ended. Exits with 0, also where nothing is found."""


@command.command("query", help=QUERY)
@FILES
@click.option("--id", "request", default="", metavar="ID", help="The request's id.")
@click.option("--subject", default="", metavar="S", help="Who asked, such as user:alice.")
@click.option("--action", default="", metavar="A", help="Such as container.create.")
@click.option("--verdict", type=click.Choice(["allow", "deny", "refuse"]))
@click.option("--reason", default="", metavar="CODE", help="A reason code.")
@click.option("--row", default="", metavar="ROW", help="A row that settled a fact.")
@click.option("--object", "thing", default="", metavar="O", help="A name or id that was meant.")
@click.option("--since", default="", metavar="TIME", help="ISO 8601, or 90m, 2h, 1d ago.")
@click.option("--until", default="", metavar="TIME", help="The same; not included.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([str(each) for each in Kind]),
    help="Such as outcome, grant or summary; several add up.",
)
@click.option("--all", "every", is_flag=True, help="Lines of every kind.")
@JSON
def search(
    files: tuple[Path, ...],
    *,
    kinds: tuple[str, ...],
    every: bool,
    as_json: bool,
    **asked: str | None,
) -> None:
    """Print the records that match."""
    wanted = kinds or ((Kind.DECISION,) if not asked["request"] else ())
    given = {name: text or "" for name, text in asked.items()}
    query = Query(
        id=given.pop("request"),
        since=_moment("--since", given.pop("since")),
        until=_moment("--until", given.pop("until")),
        **given,
    )
    broken = 0
    try:
        for entry in read(whole(files)):
            broken += bool(entry.problem)
            meant = every or not wanted or entry.kind in wanted
            if entry.record and meant and query.matches(entry.record):
                _show(entry.record, entry.text, as_json=as_json)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    if broken:
        click.echo(f"dockgate: {broken} lines are no records; audit verify names them", err=True)


@command.command("tail", help="Print the last records, and with -f those that come.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("-f", "--follow", is_flag=True, help="Wait for more, also over rotations.")
@click.option("-n", "count", type=click.IntRange(0, sys.maxsize), default=LAST, show_default=True)
@click.option("--all", "every", is_flag=True, help="Also lines that are no decisions.")
@JSON
def tail(file: Path, count: int, *, follow: bool, every: bool, as_json: bool) -> None:
    """Print the end of a log."""
    try:
        last: deque[Entry] = deque(maxlen=count)
        seq = 0
        for entry in read(file):
            number = entry.record.get("seq")
            seq = number if isinstance(number, int) else seq
            if entry.record and (every or entry.kind == Kind.DECISION):
                last.append(entry)
    except ConfigurationError as error:
        fail(str(error), USAGE)
    for entry in last:
        _show(entry.record, entry.text, as_json=as_json)
    if not follow:
        return
    with suppress(KeyboardInterrupt):
        for line in _coming(file, seq):
            record = line.record()
            if record and (every or record.get("kind") == Kind.DECISION):
                _show(record, line.text, as_json=as_json)


def _coming(file: Path, seq: int) -> Iterator[Line]:
    trail = Trail(file, seq)
    while True:
        lines = trail.take()
        yield from lines
        if not lines:
            time.sleep(EVERY)


def _moment(option: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return moment(text, datetime.now(UTC))
    except ValueError:
        message = f"{option} is {text!r}; expected a time such as 2026-07-01T12:00, or 90m, 2h, 1d"
        raise click.UsageError(message) from None


def _show(record: Mapping[str, Any], text: bytes, *, as_json: bool) -> None:
    if as_json:
        line = text.decode("utf-8", errors="replace").rstrip("\n")
        ours = line.isascii() and line.isprintable()
        click.echo(line if ours else json.dumps(record))
        return
    click.echo(sentence(record))


def sentence(record: Mapping[str, Any]) -> str:
    """Return a record as a person reads it, on one line."""
    when = printable(str(record.get("time", "")))
    if record.get("kind", Kind.DECISION) != Kind.DECISION:
        rest = [_pair(*each) for each in record.items() if each[0] not in NOT_SAID]
        return f"{when}  {printable(str(record.get('kind'))):<8} {printable('  '.join(rest))}"
    identity, request = table(record, "identity"), table(record, "request")
    verdict = printable(str(record.get("verdict", "")))
    head = click.style(verdict.upper().ljust(8), fg=COLOURS.get(verdict))
    what = f"{request.get('method') or ''} {request.get('target') or ''}".strip()
    parts = [
        f"{when}  {head} {printable(str(identity.get('subject') or 'nobody'))}",
        printable(str(request.get("action") or "-")),
        printable(what),
        _why(record),
        printable(str(record.get("id", ""))),
    ]
    return "  ".join(part for part in parts if part)


def _pair(name: str, value: object) -> str:
    """Say one member of a line that is no decision; what could be taken for two is quoted."""
    plain = isinstance(value, str) and value and " " not in value
    return f"{name}={value if plain else json.dumps(value)}"


def _why(record: Mapping[str, Any]) -> str:
    """Say which facts failed by which rows, or why it was refused."""
    if record.get("verdict") == "allow":
        return ""
    if record.get("detail"):
        return printable(f"({record.get('reason')}: {record['detail']})")
    failed = [fact for fact in facts(record) if fact.get("verdict") not in ("allow", "except")]
    if not failed:
        return printable(f"({record.get('reason')})")
    first = failed[0]
    more = f"; {len(failed) - 1} more" if len(failed) > 1 else ""
    by = f"by {first.get('row')}" if first.get("row") else "no row allows it"
    return printable(f"({first.get('fact')} {by}{more})")


def _print(report: Report, *, signed: bool, kept: bool) -> None:
    for finding in report.problems:
        click.echo(f"{click.style('BROKEN', fg='red', bold=True)}  {printable(str(finding))}")
    for finding in report.notes:
        click.echo(f"note    {printable(str(finding))}")
    if report.untold:
        click.echo(f"{report.untold} more of both were found")
    span = f"sequence {report.first} to {report.last}" if report.first else "no lines"
    state = "broken" if report.problems else "whole"
    click.echo(f"{state}: {report.lines} lines, {span}, head {report.head}")
    click.echo(_proved(report, signed=signed, kept=kept))


def _proved(report: Report, *, signed: bool, kept: bool) -> str:
    """Say what this check can prove, so that nobody takes it for more."""
    if not signed:
        return (
            "unsigned: this shows accidents and clumsy edits, not a writer who computes the log "
            "anew" + (", unless before the last checkpoint kept elsewhere" if kept else "")
        )
    behind = report.last - report.last_signed
    end = "" if kept else "; whether lines are missing at the end only copies elsewhere can show"
    return (
        f"signed: {report.signed} checkpoints, the last is sequence {report.last_signed}; "
        f"{behind} lines behind it are only chained{end}"
    )


def _document(report: Report) -> dict[str, Any]:
    return {
        "whole": not report.problems,
        "lines": report.lines,
        "first": report.first,
        "last": report.last,
        "head": report.head,
        "checkpoints": report.checkpoints,
        "signed": report.signed,
        "last_signed": report.last_signed,
        "kinds": report.kinds,
        "problems": [_finding(each) for each in report.problems],
        "notes": [_finding(each) for each in report.notes],
        "untold": report.untold,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "file": str(finding.path),
        "line": finding.line,
        "seq": finding.seq,
        "message": finding.message,
    }
