"""Asks both engines and compares what they say: verdict word, row, error and nearest rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from authz.policy.asking import Asking
from authz.policy.casbin_engine import Engine as Oracle
from authz.policy.decision import Outcome, Row
from authz.policy.placeholder import fill_for
from authz.policy.snapshot import Snapshot, compile_snapshot
from tests.differential.stock import DEEPEST, Stock, writable
from tests.differential.worlds import Request, World, a_request, a_world, held_by

REQUESTS = 12
"""Requests that each policy judges."""

AGAIN = 0.3
"""Share of them that ask the same of the same caller again, under other circumstances."""


@dataclass(frozen=True)
class Mismatch:
    """A request on which the engines differ. The seed makes its world again."""

    seed: int
    request: Request
    compiled: object
    oracle: object
    rows: tuple[str, ...]

    def __str__(self) -> str:
        """Show all that is needed to see why."""
        rows = "\n  ".join(self.rows)
        parts = (f"seed {self.seed}", f"{self.request}", f"compiled {self.compiled}")
        return "\n".join((*parts, f"oracle   {self.oracle}", f"rows:\n  {rows}"))


def compared(seed: int) -> Iterator[Mismatch | int]:
    """Yield for each request of one policy how many facts were judged alike, or the mismatch."""
    random = Random(seed)  # noqa: S311  repeatable, not secret
    world = a_world(random)
    snapshot = compile_snapshot(world.bundle)
    oracle = Oracle(world.bundle.rows)
    earlier: list[Request] = []
    for _ in range(REQUESTS):
        request = a_request(random, world)
        if earlier and random.random() < AGAIN:  # what was remembered must not count
            request = replace(random.choice(earlier), context=request.context)
        earlier.append(request)
        ours = _compiled(snapshot, request)
        theirs = _oracle(oracle, world, snapshot, request)
        if ours == theirs:
            yield len(request.facts.facts)
        else:
            rows = tuple(map(_line, world.bundle.rows))
            yield Mismatch(seed, request, ours, theirs, rows)


def _line(row: Row) -> str:
    texts = (row.subject, row.domain, row.action, row.fact, row.when, row.word.value)
    return f"{row.location}: {', '.join(texts)}"


def _compiled(snapshot: Snapshot, request: Request) -> tuple[object, ...]:
    decision = snapshot.judge(request.identity, request.facts, request.context)
    return decision.outcomes, decision.nearest


def _oracle(
    oracle: Oracle, world: World, snapshot: Snapshot, request: Request
) -> tuple[object, ...]:
    """Judge by Casbin; only the names of the action come from the snapshot."""
    action = request.facts.action
    asking = Asking(
        held=held_by(world, request.identity),
        domain=request.identity.domain,
        names=snapshot.names.get(action, frozenset({action})),
        fill=fill_for(request.identity),
        context=request.context,
    )
    outcomes: tuple[Outcome, ...] = oracle.outcomes(asking, request.facts.facts)
    kinds = {outcome.fact.kind for outcome in outcomes if outcome.row is None}
    return outcomes, oracle.nearest(asking, kinds, 5) if kinds else ()


def stock_compared(seed: int, folder: Path) -> tuple[int, int, list[str]]:
    """Ask stock Casbin over files: facts judged alike, facts in doubt, and differences."""
    random = Random(seed)  # noqa: S311  repeatable, not secret
    world = a_world(random, certain=True, deepest=DEEPEST)
    if not writable(world):
        return 0, 0, []
    snapshot = compile_snapshot(world.bundle)
    stock = Stock(world, snapshot.names, folder)
    alike, doubted, wrong = 0, 0, []
    for _ in range(REQUESTS):
        request = a_request(random, world, certain=True)
        decision = snapshot.judge(request.identity, request.facts, request.context)
        for outcome in decision.outcomes:
            theirs = stock.allows(request, outcome.fact)
            if stock.doubted or outcome.error:
                doubted += 1
            elif theirs is outcome.allowed:
                alike += 1
            else:
                wrong.append(f"seed {seed}: {outcome} against {theirs} for {request}")
    return alike, doubted, wrong
