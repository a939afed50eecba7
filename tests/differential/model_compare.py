"""Asks stock Casbin over files, and the index, and compares: verdict, explaining row, failure.

Nothing of Dockgate is in the answer of Casbin but two things that the decision about other models
says: the groups of a caller are links for the length of a request, and for a fact of which not
all is known an allow row counts only where it writes it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import casbin
from simpleeval import InvalidExpression

from authz.facts.facts import Fact
from authz.policy.decision import Outcome
from authz.policy.snapshot import compile_snapshot
from tests.differential.model_worlds import (
    ModelRequest,
    ModelWorld,
    a_model_request,
    a_model_world,
)

REQUESTS = 12
"""Requests that each policy judges."""
NAMED = ("field.unknown", "body.opaque")
FAILED = "failed"


@dataclass(frozen=True)
class ModelMismatch:
    """A fact on which the two differ. The seed makes its world again."""

    seed: int
    request: ModelRequest
    fact: Fact
    ours: object
    theirs: object
    world: ModelWorld

    def __str__(self) -> str:
        """Show all that is needed to see why."""
        files = (self.world.conf, "\n".join(self.world.rows), "\n".join(self.world.links))
        parts = (f"seed {self.seed}", f"{self.request}", f"fact {self.fact!r}")
        return "\n".join((*parts, f"ours   {self.ours}", f"theirs {self.theirs}", *files))


def models_compared(seed: int, folder: Path) -> Iterator[ModelMismatch | str]:
    """Yield for each fact how both judged it (allow, deny, failed, none), or the mismatch."""
    random = Random(seed)  # noqa: S311  repeatable, not secret
    world = a_model_world(random, folder)
    if world is None:
        return
    snapshot = compile_snapshot(world.bundle)
    stock = StockModel(world, folder)
    for _ in range(REQUESTS):
        request = a_model_request(random, world)
        decision = snapshot.judge(request.identity, request.facts, request.context)
        for outcome in decision.outcomes:
            if "\n" in str(outcome.fact):
                if outcome.allowed or not outcome.error:
                    yield ModelMismatch(seed, request, outcome.fact, outcome, FAILED, world)
                continue
            ours, theirs = _ours(outcome, world), stock.answer(request, outcome.fact)
            if ours != theirs:
                yield ModelMismatch(seed, request, outcome.fact, ours, theirs, world)
            else:
                yield str(ours[0])


def _ours(outcome: Outcome, world: ModelWorld) -> tuple[object, object]:
    if outcome.error:
        return FAILED, None
    row = world.rows[outcome.row.location.line - 1] if outcome.row else None
    return ("allow" if outcome.allowed else "deny" if row else "none"), row


class StockModel:
    """One world in Casbin's hands: an Enforcer for each caller, over real files."""

    def __init__(self, world: ModelWorld, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._made: dict[object, Any] = {}
        (folder / "stock.conf").write_text(world.conf)

    def answer(self, request: ModelRequest, fact: Fact) -> tuple[object, object]:
        """Ask about one fact: the verdict and the row that explains it."""
        named = str(fact) if fact.value == "unknown" else ""
        named = named or (f"{fact.kind}:" if fact.kind in NAMED else "")
        rows = [row for row in self._world.rows if _counts(self._world, row, named)]
        if not rows:  # Casbin would evaluate an empty policy once with empty columns
            return "none", None
        texts = {
            "sub": request.identity.subject,
            "dom": request.identity.domain,
            "act": request.facts.action,
            "obj": str(fact),
            "ctx": dict(request.context),
        }
        fields = self._world.bundle.brought.model.fields
        try:
            enforcer = self._enforcer(request, tuple(rows))
            allowed, row = enforcer.enforce_ex(*(texts[name] for name in fields))
        except InvalidExpression:
            return FAILED, None
        written = ", ".join(("p", *row)) if row else None
        return ("allow" if allowed else "deny" if written else "none"), written

    def _enforcer(self, request: ModelRequest, rows: tuple[str, ...]) -> Any:
        who = request.identity
        key = (who.subject, who.groups, who.domain, rows)
        if key not in self._made:
            lines = [*rows, *self._world.links]
            if "g" in self._world.places:
                third = f", {who.domain}" if self._world.places["g"] == 3 else ""
                lines += [f"g, {who.subject}, {group}{third}" for group in who.groups]
            policy = self._folder / "stock.csv"
            policy.write_text("".join(f"{line}\n" for line in lines))
            self._made[key] = casbin.Enforcer(str(self._folder / "stock.conf"), str(policy))
        return self._made[key]


def _counts(world: ModelWorld, row: str, named: str) -> bool:
    """Say whether a row speaks of a fact that an allow row has to write out."""
    columns = world.bundle.brought.model.columns
    denies = "eft" in columns and _cells(row, len(columns))[columns.index("eft")] == "deny"
    return denies or re.search(rf"(?<![\w.-]){re.escape(named)}", row) is not None


def _cells(row: str, count: int) -> list[str]:
    """Cut a row as Casbin does."""
    from casbin.persist.adapter import _extract_tokens  # noqa: PLC0415  Casbin's own reader

    cells: list[str] = _extract_tokens(row)[1:]
    assert len(cells) == count
    return cells
