"""One decision, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import click

from authz.audit.record import as_json
from authz.policy.decision import Decision, Effect, Outcome, Word
from authz.policy.explain import place, printable
from authz.tools.explain import Advice, sentence
from authz.tools.recorded import Reading
from authz.tools.rehearse import Rehearsal

COLOURS = {Effect.ALLOW: "green", Effect.DENY: "red", Effect.REFUSE: "yellow"}
INDENT = " " * 8
FACT_WIDTH = 30
MOST_VALUES = 3
"""Values of one kind that are spelt out where one row settles more of them; JSON has all."""
MOST_NEAR = 3
"""Rows of the same kind that are shown where no row allows a fact."""

ALLOWING = (Word.ALLOW, Word.EXCEPT)


def echo(rehearsal: Rehearsal, *, verbose: bool) -> None:
    """Print a decision: every failing fact with its row; the others, too, where ``verbose``."""
    record = rehearsal.record
    effect = record.verdict
    asked = record.asked
    head = click.style(effect.value.upper().ljust(7), fg=COLOURS[effect], bold=True)
    what = f"{asked.method} {asked.target}  {asked.action}" if asked else ""
    click.echo(f"{head} {printable(what).rstrip()}")
    if record.detail:
        click.echo(f"{INDENT}{printable(record.detail)} ({record.reason})")
    shown = [outcome for outcome in record.outcomes if verbose or not outcome.allowed]
    for group in _grouped(shown):
        click.echo(INDENT + _sentence(group))
    nearest = rehearsal.verdict.decision.nearest if rehearsal.verdict.decision else ()
    for row in nearest[:MOST_NEAR]:
        click.echo(f"{INDENT}near:  {printable(row.fact)}  allowed by {place(row)}")


def echo_recorded(document: Mapping[str, Any]) -> None:
    """Print a decision as it was written down."""
    asked, who = document["request"] or {}, document["identity"] or {}
    _head(
        Effect(document["verdict"]), asked.get("method"), asked.get("target"), asked.get("action")
    )
    groups = "".join(f" {group}" for group in who.get("groups") or ())
    said = f"{who.get('subject') or 'nobody'}{groups}, {document['time']}, {document['door']}"
    click.echo(INDENT + printable(said))
    if not document["enforced"]:
        click.echo(f"{INDENT}let through: {printable(str(document['mode']))} mode")
    if document.get("detail"):
        click.echo(f"{INDENT}{printable(document['detail'])} ({document['reason']})")


def echo_recorded_facts(document: Mapping[str, Any]) -> None:
    """Print what became of each fact then, the failing ones first, as ``echo_outcomes``."""
    facts = sorted(document["facts"], key=lambda fact: fact["verdict"] in ALLOWING)
    told = [(_member(fact), fact["fact"].partition(":")) for fact in facts]
    for (settled, kind), group in groupby(told, key=lambda one: (one[0], one[1][0])):
        click.echo(INDENT + f"{_listed(kind, [each[1][2] for each in group])} {settled}".rstrip())


def _member(fact: Mapping[str, Any]) -> str:
    if not fact["row"]:
        return "no row allows it"
    why = fact.get("error") or fact.get("message") or ""
    at = "" if fact["at"] == fact["row"] else f" ({fact['at']})"
    verb = "allowed by" if fact["verdict"] in ALLOWING else "by"
    return printable(f"{verb} {fact['row']}{at}  {why}".rstrip())


def echo_outcomes(decision: Decision) -> None:
    """Print what a policy says to each fact, the failing ones first."""
    for group in _grouped(sorted(decision.outcomes, key=lambda one: one.allowed)):
        click.echo(INDENT + _sentence(group))


def echo_advice(decision: Decision, advice: Advice | None) -> None:
    """Print what would allow a request; nothing where it is allowed."""
    if advice is None or decision.effect is Effect.ALLOW:
        return
    click.echo(f"\nroles searched: {', '.join(advice.roles) or 'none: nobody gave any'}")
    for said, group in groupby(advice.missed, key=sentence):
        missed = list(group)
        values = [each.fact.value for each in missed]
        click.echo(f"  {_listed(missed[0].fact.kind, values).rstrip()}: {printable(said)}")
        for row in missed[0].elsewhere[:MOST_NEAR]:
            click.echo(f"    {printable(row.subject)} has it, by {place(row)}")
    for row in advice.forbidden:
        click.echo(f"forbidden by {place(row)}: {printable(row.message or row.fact)}")
    if advice.forbidden:
        click.echo("No allow row outweighs that; talk to whoever wrote it.")
    for proposed in advice.proposal:
        click.echo(
            f"the smallest row that would allow it, to be reviewed:\n  {printable(proposed)}"
        )
    for danger in advice.dangers:
        click.secho(f"  careful: it grants {danger}", fg="yellow")
    if advice.obstacle:
        click.echo(printable(advice.obstacle))


def echo_trouble(reading: Reading) -> None:
    """Say on standard error which lines of an audit are no records."""
    for line in reading.unreadable:
        click.echo(f"dockgate: {printable(str(line))}", err=True)
    if reading.broken > len(reading.unreadable):
        click.echo(f"dockgate: {reading.broken} lines are no records", err=True)


def trouble(reading: Reading) -> dict[str, Any]:
    """Return the same for a program."""
    lines = [{"file": e.file, "line": e.line, "problem": e.problem} for e in reading.unreadable]
    return {"broken": reading.broken, "unreadable": lines}


def _head(effect: Effect, *asked: str | None) -> None:
    verdict = click.style(effect.value.upper().ljust(7), fg=COLOURS[effect], bold=True)
    click.echo(f"{verdict} {printable(' '.join(filter(None, asked)))}")


def document(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return the members that every program sees."""
    return as_json(rehearsal.record)


def echo_json(value: object) -> None:
    """Print a document."""
    click.echo(json.dumps(value, indent=2))


def _grouped(outcomes: list[Outcome]) -> Iterator[list[Outcome]]:
    """Put facts of one kind that came out by one row together, where they follow each other."""
    for _, group in groupby(outcomes, key=lambda one: (one.fact.kind, one.row, one.error)):
        yield list(group)


def _sentence(group: list[Outcome]) -> str:
    """Print facts of one kind and what became of them."""
    outcome = group[0]
    fact = _listed(outcome.fact.kind, [one.fact.value for one in group])
    if outcome.error:
        where = f"{place(outcome.row)}: " if outcome.row else ""
        return f"{fact} {where}{printable(outcome.error)}"
    if outcome.row is None:
        return f"{fact} no row allows it"
    why = f"  {printable(outcome.row.message)}" if outcome.row.message else ""
    verb = "allowed by" if outcome.allowed else "by"
    return f"{fact} {verb} {place(outcome.row)}{why}"


def _listed(kind: str, values: list[str]) -> str:
    rest = f" and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    shown = ", ".join(map(printable, values[:MOST_VALUES]))
    return f"{printable(kind)}:{shown}{rest}".ljust(FACT_WIDTH)
