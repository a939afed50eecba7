"""One decision, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

from authz.audit.record import as_json
from authz.policy.decision import Effect, Outcome
from authz.policy.explain import place, printable
from authz.rehearse import Rehearsal

COLOURS = {Effect.ALLOW: "green", Effect.DENY: "red", Effect.REFUSE: "yellow"}
INDENT = " " * 8
FACT_WIDTH = 30
MOST_VALUES = 3
"""Values of one kind that are spelt out where one row settles more of them; JSON has all."""
MOST_NEAR = 3
"""Rows of the same kind that are shown where no row allows a fact."""


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
    values = [printable(one.fact.value) for one in group]
    rest = f" and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    fact = f"{outcome.fact.kind}:{', '.join(values[:MOST_VALUES])}{rest}".ljust(FACT_WIDTH)
    if outcome.error:
        where = f"{place(outcome.row)}: " if outcome.row else ""
        return f"{fact} {where}{printable(outcome.error)}"
    if outcome.row is None:
        return f"{fact} no row allows it"
    why = f"  {printable(outcome.row.message)}" if outcome.row.message else ""
    verb = "allowed by" if outcome.allowed else "by"
    return f"{fact} {verb} {place(outcome.row)}{why}"
