"""``dockgate learn``: a policy out of what was recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from authz.cli import report
from authz.cli.options import USAGE, fail, snapshot_or_exit
from authz.errors import ConfigurationError, PolicyError
from authz.policy.bundle import load_bundle
from authz.policy.decision import Row
from authz.policy.explain import place, printable
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.tools.learn.bundle import cases_of, folder_of
from authz.tools.learn.lesson import Lesson
from authz.tools.learn.rerun import Rerun, rerun, unused
from authz.tools.learn.rows import Learned, drafted
from authz.tools.recorded import Reading, Recorded

HELP = """Write the least policy that allows what was recorded.

\b
dockgate learn /var/log/dockgate/audit.jsonl --into policy/
dockgate learn /var/log/dockgate/audit.jsonl --prune --policy policy/

Start with the bundle `observe` in shadow mode, work as ever for a while, then learn from the
record. Rows are for you to review: each says how often and when it was used. Without --into they
are printed. With --prune, rows of a policy are named that the record never used."""


@click.command(help=HELP)
@click.argument("audit", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--subject", "subjects", multiple=True, metavar="S", help="Of this caller only.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new folder for the bundle.",
)
@click.option("--prune", is_flag=True, help="Name rows of --policy that were never used.")
@click.option("--policy", "reference", metavar="DIR", help="The policy to prune.")
@click.option("--json", "as_json", is_flag=True, help="Print it for a program.")
def command(  # noqa: PLR0913  one parameter for each option
    *,
    audit: Path,
    subjects: tuple[str, ...],
    into: Path | None,
    prune: bool,
    reference: str | None,
    as_json: bool,
) -> None:
    """Learn rows, or name those that were not used."""
    if prune != bool(reference):
        raise click.UsageError("--prune and --policy DIR belong together")
    if audit.is_fifo():
        raise click.UsageError(f"{audit} is a pipe; expected a file, as it is read twice")
    try:
        audit_of = _Audit(audit, frozenset(subjects))
        if reference:
            _prune(audit_of, snapshot_or_exit(reference), as_json=as_json)
        else:
            _learn(audit_of, into, as_json=as_json)
    except ConfigurationError as error:
        fail(str(error), USAGE)


@dataclass(frozen=True, slots=True)
class _Audit:
    """A file, and whose decisions in it are wanted; everybody's where nobody is named."""

    path: Path
    subjects: frozenset[str]

    def read(self, *, loud: bool = False) -> Iterator[Recorded]:
        """Read the decisions; say which lines are none, where that is wanted."""
        reading = Reading(self.path)
        for recorded in reading:
            if not self.subjects or recorded.identity.subject in self.subjects:
                yield recorded
        if loud:
            report.echo_trouble(reading)


def _prune(audit: _Audit, snapshot: Snapshot, *, as_json: bool) -> None:
    rows = unused(audit.read(loud=True), snapshot)
    if as_json:
        report.echo_json([_row(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{place(row)}: {printable(f'{row.subject} {row.action} {row.fact}')}")
    click.echo(f"{len(rows)} rows that give something were never used")


def _row(row: Row) -> dict[str, str]:
    at = f"{row.location.file}:{row.location.line}"
    members = {"subject": row.subject, "action": row.action, "fact": row.fact}
    return {"row": row.id, "at": at, **members}


def _learn(audit: _Audit, into: Path | None, *, as_json: bool) -> None:
    lesson = Lesson()
    lesson.read(audit.read(loud=True))
    if not lesson.learned:
        whose = f" of {', '.join(sorted(audit.subjects))}" if audit.subjects else ""
        fail(f"{audit.path}: no decision{whose} went through, so nothing is learned", USAGE)
    learned = drafted(lesson.uses, lesson.unguarded)
    folder = folder_of(lesson, learned)
    with tempfile.TemporaryDirectory(prefix="dockgate-") as scratch:
        target = into or Path(scratch, "learned")
        folder.write(target)
        snapshot = _loaded(target)
        if into:
            (into / "tests.toml").write_text(cases_of(learned, snapshot), encoding="utf-8")
        elif not as_json:
            click.echo(folder.policy + "\n" + folder.people)
    again = rerun(audit.read(), snapshot)
    _report(lesson, learned.unspeakable, into)
    _echo_again(again)
    if as_json:
        report.echo_json(_document(lesson, learned, again))


def _document(lesson: Lesson, learned: Learned, again: Rerun) -> dict[str, Any]:
    """Return the rows and links of the policy, and how the record fares under it."""
    return {
        "learned": lesson.learned,
        "passed_by": lesson.passed_by,
        "rows": [{"row": each.id, "text": each.row, "note": each.note} for each in learned.rows],
        "links": [f"g, {each.member}, {each.role}, {each.domain}" for each in learned.links],
        "guarded": sorted(learned.guarded),
        "beyond": lesson.beyond,
        "unspeakable": list(learned.unspeakable),
        "judged": again.judged,
        "denied": again.denied,
        "lacks": [{**lack._asdict(), "count": count} for lack, count in again.lacks.items()],
    }


def _loaded(target: Path) -> Snapshot:
    try:
        return compile_snapshot(load_bundle(target))
    except PolicyError as error:
        fail(f"{target}: what was learned does not load", 1, error.problems)


def _report(lesson: Lesson, unspeakable: tuple[str, ...], into: Path | None) -> None:
    """Say on standard error what was learned, and what was not."""
    where = f"; written to {into}" if into else ""
    click.echo(f"learned from {lesson.learned} decisions{where}", err=True)
    if lesson.passed_by:
        click.echo(f"passed by {lesson.passed_by} that did not go through", err=True)
    for fact, count in sorted(lesson.beyond.items()):
        click.echo(f"no policy can allow {printable(fact)}, used {count} times", err=True)
    for what in unspeakable:
        click.echo(f"no row can say {printable(what)}", err=True)


def _echo_again(again: Rerun) -> None:
    """Say on standard error how the record fares under what was learned from it."""
    click.echo(f"{again.judged} judged again by it, {again.denied} still denied", err=True)
    for lack, count in sorted(again.lacks.items()):
        click.echo(f"  denied {count} times: {printable(' '.join(lack))}", err=True)
