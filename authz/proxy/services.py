"""What the connections of a listener share, and how one of their requests is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from authz.docker.forward import Forward
from authz.errors import Reason, RefusedError
from authz.gate import Standing, Verdict
from authz.pending import Pending
from authz.proxy.commands import Judge
from authz.proxy.head import Headers
from authz.proxy.outcome import Outcome
from authz.proxy.sieve import Sieve
from authz.proxy.sifting import Sifting
from authz.proxy.upstream import Daemon
from authz.wire.evidence import Evidence
from authz.wire.raw import Door, RawRequest

Spawn = Callable[[Coroutine[None, None, None], Callable[[], None]], None]
Proofs = Callable[[Headers], Awaitable[Evidence]]


@dataclass(frozen=True, slots=True)
class Services:
    """What every connection of a listener uses.

    ``decide`` judges a request; ``refuse`` records a refusal made before that; what comes
    of either holds when it is written;
    ``welcome`` takes in a connection and returns what completes its proofs with
    those of one request, or None where there are too many connections; ``sign``
    returns headers that go along to the daemon. ``spawn`` runs something, and
    calls the function behind it where that fails by a defect; ``begin`` does so at
    once as far as nothing has to be waited for. ``still`` judges again what is under
    way, and returns None where it may go on. ``ended`` is told of each request that
    was let through how it ended; it must not wait. ``sift`` says how the answer to a
    request is filtered; there is none where no answer is.
    """

    decide: Callable[[RawRequest], Awaitable[Pending | Verdict]]
    refuse: Callable[[RawRequest, RefusedError], Pending]
    still: Callable[[Standing, Evidence], Awaitable[Verdict | None]]
    welcome: Callable[[asyncio.Transport, asyncio.Protocol], Proofs | None]
    sign: Callable[[Forward], Headers]
    daemon: Daemon
    spawn: Spawn
    begin: Spawn
    ended: Callable[[Outcome], None]
    max_body: int
    sift: Callable[[Verdict], Sifting | None] | None = None


async def judge(services: Services, proofs: Proofs | None, command: Judge) -> Pending | Verdict:
    """Have a request judged and recorded, or its broken framing recorded. Raises nothing."""
    problem = command.problem
    refusal = RefusedError(Reason.UNREADABLE_REQUEST, problem.detail) if problem else None
    headers = command.head.headers if command.head else ()
    try:
        evidence = await proofs(headers) if proofs else Evidence()
    except RefusedError as error:
        return services.refuse(_raw(command, Evidence()), refusal or error)
    raw = _raw(command, evidence)
    if refusal is not None:
        return services.refuse(raw, refusal)
    return await services.decide(raw)


def outgoing(
    services: Services, forward: Forward, verdict: Verdict, before: Sifting | None
) -> tuple[Forward, Sieve | None, Sifting | None]:
    """Return what is sent to the daemon, and how its answer is filtered, if it is.

    What filtered an answer ``before`` is not needed any more.
    """
    if before:
        before.sieve.let_go()
    sifting = services.sift(verdict) if services.sift else None
    if sifting is None:
        return forward.signed(services.sign(forward)), None, None
    return sifting.forward.signed(services.sign(sifting.forward)), sifting.sieve, sifting


def _raw(command: Judge, evidence: Evidence) -> RawRequest:
    head = command.head
    if head is None:
        return RawRequest("", "", evidence=evidence, door=Door.PROXY)
    return RawRequest(
        head.method, head.target, head.headers, command.body, command.state, evidence, Door.PROXY
    )
