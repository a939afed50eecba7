"""Whether the answer to a request is filtered, and how its entries are judged in time.

It brings the sieve, which knows bytes, and the view, which knows who may see what,
together. What is said on the connection is the business of the exchange.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from authz import gate
from authz.docker.forward import Forward
from authz.errors import RefusedError
from authz.facts.listings import EVENTS, LISTINGS
from authz.proxy.commands import Command
from authz.proxy.exchange import Exchange
from authz.proxy.sieve import Batch, Room, Sieve, wanted_whole
from authz.proxy.turns import Turns
from authz.runner import Entrance, Runner
from authz.views import Sight, View
from authz.wire.evidence import Evidence

TIME_LIMIT: Final = 10.0
"""Seconds for all entries of a list, or for events that came together."""

MOST_AT_ONCE: Final = 8
MOST_OF_ONE: Final = 3
"""Answers whose entries are judged at once, of all and of one caller; others wait in time."""


@dataclass(frozen=True, slots=True)
class Sifters:
    """What all answers share: how much is held back, and how many are judged at once."""

    room: Room
    turns: Turns


def sifters() -> Sifters:
    """Return what one process shares."""
    return Sifters(Room(), Turns(MOST_AT_ONCE, MOST_OF_ONE))


@dataclass(frozen=True, slots=True)
class Sifting:
    """One answer that is filtered. ``forward`` is the request for it."""

    forward: Forward
    sieve: Sieve
    view: View
    entrance: Entrance
    turns: Turns
    caller: str

    async def sift(self, batch: Batch, exchange: Exchange) -> list[Command]:
        """Judge a batch, and return what the exchange says to that."""
        try:
            async with asyncio.timeout(TIME_LIMIT), self.turns.turn(self.caller):
                sights = await self.view.look(batch.groups)
        except TimeoutError:
            return exchange.unsifted(batch, "it took too long to tell what may be seen")
        return exchange.sifted(batch, [sight is Sight.SHOWN for sight in sights])

    def renew(self, evidence: Evidence) -> None:
        """Go by newer proofs of the same caller. What else they are ends the stream elsewhere."""
        view, entrance = self.view, self.entrance
        raw, began = replace(view.standing.raw, evidence=evidence), view.standing.identity
        try:
            found = gate.authenticate(raw, entrance.methods, entrance.tenant)
        except RefusedError:
            return
        if (found.subject, found.tenant) == (began.subject, began.tenant):
            view.identity = found


def sifting(
    runner: Runner, entrance: Entrance, verdict: gate.Verdict, shared: Sifters
) -> Sifting | None:
    """Return how the answer to a request that is let through is filtered; None where it is not.

    Raises RuntimeError where nothing was let through.
    """
    forward, standing = verdict.forward, verdict.standing
    if forward is None or standing is None:
        raise RuntimeError("an answer is filtered by what was judged")
    operation = standing.request.operation.name
    if operation not in LISTINGS and operation != EVENTS:
        return None
    view = runner.view(standing, entrance)
    whole, limit = wanted_whole(forward, operation)
    caller = f"{view.identity.subject} {view.identity.tenant}"
    sieve = Sieve(operation, shared.room, limit, shows_all=view.shows_all, caller=caller)
    return Sifting(whole, sieve, view, entrance, shared.turns, caller)
