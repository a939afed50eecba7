"""Drives the gate for the doors: answers its questions, writes the record, counts.

This is the only place where a judgement waits, and every wait has a limit: a
plugin that hangs hangs the daemon for good. It is also the only place that
catches whatever goes wrong, because a defect of ours must refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter

import structlog

from authz import gate
from authz.audit.chain import Kind
from authz.audit.record import Asked, AuditRecord, Mode
from authz.audit.redaction import Redaction
from authz.audit.summary import Summary
from authz.audit.ulid import Ulids
from authz.deadlines import Deadlines
from authz.errors import LookupFailedError, Reason, RefusedError
from authz.identity.chain import Method
from authz.identity.identity import Identity
from authz.inquiry import Asker, Inquiry, Lookups
from authz.lookups.lookup_pass import HEADER, Passes, Phase
from authz.metrics import Metrics
from authz.pending import Desk, Pending
from authz.policy.current import CurrentPolicy
from authz.policy.decision import Effect
from authz.policy.explain import SYSTEM_FAILURES
from authz.recorder import Recorder, Sink
from authz.views import Around, View
from authz.wire.evidence import Evidence
from authz.wire.raw import Door, RawRequest

TIME_LIMIT = 2.0
"""Seconds for one answer, look-ups and the record included."""

WRITING = 0.25
"""The part of that time which is kept for the record."""

MOST_IN_FLIGHT = 256
"""Questions that are answered at once; more are refused at once."""

_PASS = HEADER.lower()

log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner drives: the parts are made once, by ``authz.service.app``."""

    methods: tuple[Method, ...]
    policy: CurrentPolicy
    lookups: Lookups
    passes: Passes
    sink: Sink
    mode: Mode = Mode.ENFORCE
    limits: gate.Limits = field(default_factory=gate.Limits)
    metrics: Metrics = field(default_factory=Metrics)
    redaction: Redaction = field(default_factory=Redaction)
    summary: Summary = field(default_factory=Summary)
    allow_reads: bool = False
    """Whether reads go on, unrecorded, while nothing can be written."""
    outcomes: bool = True
    """Whether it is recorded how requests ended."""
    now: Callable[[], datetime] = _now


async def _nothing(_evidence: Evidence) -> None:
    """Prepare nothing: the proofs of this entrance can be checked as they are."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What one listener demands, and whose policy judges there.

    ``before`` fetches what its methods need, such as the key of a token; it
    may raise RefusedError, and it counts as part of the judgement's time.
    """

    methods: tuple[Method, ...]
    policy: CurrentPolicy
    tenant: str = ""
    before: Callable[[Evidence], Awaitable[None]] = _nothing


class Runner:
    """Answers requests, each within its time, each with a record."""

    def __init__(
        self,
        parts: Parts,
        *,
        time_limit: float = TIME_LIMIT,
        most_in_flight: int = MOST_IN_FLIGHT,
    ) -> None:
        self._parts = parts
        self._entrance = Entrance(parts.methods, parts.policy)
        self._judging_time = time_limit * (1 - WRITING)
        self._deadlines = Deadlines(self._judging_time)
        self._most_in_flight = most_in_flight
        self._in_flight = 0
        parts.metrics.in_flight.set_function(lambda: self._in_flight)
        self._ids = Ulids()
        self._asker = Asker(parts.lookups, parts.metrics)
        self._around = Around(self._asker, parts.limits, parts.metrics, parts.mode, parts.now)
        self._recorder = Recorder(parts.sink, time_limit * WRITING, parts.summary, parts.now)
        self._desk = Desk(
            self._recorder, parts.metrics, parts.redaction, allow_reads=parts.allow_reads
        )

    async def decide(self, raw: RawRequest, entrance: Entrance | None = None) -> gate.Verdict:
        """Judge one request, and wait for its record. Raises nothing: whatever goes wrong refuses.

        Without an ``entrance`` the parts say who may come and whose policy judges.
        """
        pending = await self.decided(raw, entrance, at_once=True)
        return pending if isinstance(pending, gate.Verdict) else await pending.holds()

    async def decided(
        self, raw: RawRequest, entrance: Entrance | None = None, *, at_once: bool = False
    ) -> Pending | gate.Verdict:
        """Do so for a door that can hold its answer back: until the record of it is written.

        That is ``at_once`` where nobody else can ask in the same turn of the event
        loop. What need not be recorded is no more than a verdict.
        """
        course = self._course(raw)
        # INVARIANT: passes are for the plugin. A client of the proxy holds none.
        if raw.door is Door.PLUGIN:
            token = next((value for name, value in raw.headers if name.lower() == _PASS), None)
            if token is not None:
                verdict = self._let_back_in(course, token)
                return verdict or self._desk.hold(course, perf_counter(), at_once=at_once)
        if self._in_flight >= self._most_in_flight:
            course.refusal = RefusedError(Reason.OVERLOADED, "too many questions are in flight")
            return self._desk.hold(course, perf_counter(), at_once=at_once)
        self._in_flight += 1
        started = perf_counter()
        try:
            await self._judge_guarded(course, entrance or self._entrance)
        except BaseException:
            self._leave()
            raise
        return self._desk.hold(course, started, self._leave, at_once=at_once)

    def _leave(self) -> None:
        self._in_flight -= 1

    async def still(
        self, standing: gate.Standing, evidence: Evidence, entrance: Entrance
    ) -> gate.Verdict | None:
        """Judge again what is under way; None where it may go on. Raises nothing.

        A denial is recorded as one more decision. A failure of the system ends
        nothing by itself: it is no denial, and the next time may tell.
        """
        started = perf_counter()
        course = self._course(replace(standing.raw, evidence=evidence))
        course.request, course.facts = standing.request, standing.facts
        try:
            async with asyncio.timeout(self._judging_time):
                await entrance.before(evidence)
            course.identity = gate.authenticate(course.raw, entrance.methods, entrance.tenant)
            snapshot = entrance.policy.snapshot
            course.policy = snapshot.digest
            found = gate.again(standing, course.identity, snapshot, course.began)
            course.decision, course.context = found
        except RefusedError as error:
            course.refusal = error.bare()
        except TimeoutError:
            return None
        verdict = course.verdict()
        if verdict.lets_through or verdict.reason in SYSTEM_FAILURES:
            return None
        return await self._desk.hold(course, started, at_once=True).holds()

    def view(self, standing: gate.Standing, entrance: Entrance) -> View:
        """Return what says what the caller may see of the answer to a request."""
        return View(self._around, entrance.policy, standing, standing.identity)

    def refused(
        self,
        raw: RawRequest,
        refusal: RefusedError,
        entrance: Entrance | None = None,
        *,
        at_once: bool = False,
    ) -> Pending:
        """Record a refusal that was made before there was a request to judge. Raises nothing.

        It takes no room from those that are judged: it costs a record only. With
        an ``entrance`` the record says who it was, if that can be told.
        """
        course = self._course(raw)
        course.refusal = refusal
        if entrance is not None:
            with suppress(RefusedError):
                course.identity = gate.authenticate(raw, entrance.methods, entrance.tenant)
        return self._desk.hold(course, perf_counter(), at_once=at_once)

    async def note(self, request: Asked, identity: Identity, *, allowed: bool) -> None:
        """Record something that was asked of Dockgate itself. Raises AuditUnavailableError."""
        record = AuditRecord(
            id=self._ids.next(),
            time=self._parts.now(),
            door=Door.ADMIN,
            mode=self._parts.mode,
            enforced=True,
            identity=identity,
            asked=request,
            verdict=Effect.ALLOW if allowed else Effect.REFUSE,
            reason=Reason.RULE if allowed else Reason.BAD_CREDENTIAL,
            policy=self._parts.policy.snapshot.digest,
        )
        await self._recorder.write(record)

    async def note_grant(self, event: Mapping[str, str]) -> None:
        """Record what became of a grant. Raises AuditUnavailableError."""
        await self._recorder.state(Kind.GRANT, {"id": self._ids.next(), **event})

    def outcome(  # noqa: PLR0913  what a door may know of an end; none needs all of it
        self,
        request: str,
        *,
        status: int | None = None,
        object_id: str = "",
        bytes_in: int | None = None,
        bytes_out: int | None = None,
        duration_s: float | None = None,
        ended: str = "",
        candidates: int = 1,
        entries: int | None = None,
        hidden: int | None = None,
    ) -> None:
        """Record how a request ended that was let through. Waits for nothing, raises nothing.

        ``request`` is the id of its decision; ``ended`` a word such as
        ``complete`` or ``cut``. ``candidates`` says how many decisions it may
        belong to, where that could not be told: it is marked as ambiguous then.
        ``hidden`` of the ``entries`` of a list are what the caller may not inspect.
        """
        known = {
            "status": status,
            "object": object_id or None,
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
            "took_us": None if duration_s is None else int(duration_s * 1e6),
            "ended": ended or None,
            "ambiguous": candidates if candidates > 1 else None,
            "entries": entries,
            "hidden": hidden,
        }
        members = {name: value for name, value in known.items() if value is not None}
        self._recorder.tell(Kind.OUTCOME, {"id": request, **members})

    @property
    def records_outcomes(self) -> bool:
        """Whether it is recorded how requests ended."""
        return self._parts.outcomes

    @property
    def audit_problem(self) -> str:
        """Why records cannot be written now; empty where they can."""
        return self._recorder.problem

    @property
    def audit_waiting(self) -> int:
        """How many records wait to be written."""
        return self._recorder.waiting

    def flush(self) -> None:
        """Write now what is held back until the end of this turn of the event loop."""
        self._recorder.flush()

    def close(self) -> None:
        """Let go of the writing thread; what it has begun it finishes."""
        self._recorder.close()

    def _course(self, raw: RawRequest) -> gate.Course:
        return gate.Course(self._ids.next(), raw, self._parts.now(), self._parts.mode)

    def _let_back_in(self, course: gate.Course, token: str) -> gate.Verdict | None:
        """Admit a look-up of our own, or refuse. It takes no room: somebody in flight waits."""
        raw, passes = course.raw, self._parts.metrics.passes
        try:
            self._parts.passes.admit(token, raw.method, raw.target, Phase.REQUEST)
        except RefusedError as error:
            passes.labels("refused").inc()
            course.refusal = error.bare()
            return None
        passes.labels("admitted").inc()
        return gate.Verdict(course.id, Effect.ALLOW, Reason.RULE)

    async def _judge_guarded(self, course: gate.Course, entrance: Entrance) -> None:
        """Judge within the time; whatever goes wrong becomes the course's refusal.

        INVARIANT: what waits for nobody is judged without a pause, what waits
        for one answer of the daemon waits for its future, and before any other
        wait there is one ``asyncio.sleep(0)``, so that a door needs no task up to there.
        """
        try:
            inquiry = self._begin(course, entrance) if entrance.before is _nothing else None
            if inquiry is not None and self._asker.ready(inquiry):
                await self._look_up_soon(inquiry)
            elif inquiry is None or inquiry.questions:
                await asyncio.sleep(0)
                limit = self._deadlines.begin()
                try:
                    async with limit:
                        if inquiry is None:
                            await entrance.before(course.raw.evidence)
                            inquiry = self._begin(course, entrance)
                        await self._look_up(inquiry)
                finally:
                    self._deadlines.end(limit)
            self._judge(course, inquiry)
        except RefusedError as error:
            course.refusal = error.bare()
        except LookupFailedError as error:
            course.refusal = RefusedError(Reason.LOOKUP_FAILED, f"a look-up failed: {error}")
        except TimeoutError:
            course.refusal = RefusedError(Reason.TIMEOUT, "the judgement took too long")
        except Exception:
            log.exception("request.judgement_failed", request=course.id)
            course.refusal = RefusedError(Reason.INTERNAL_ERROR, "a defect of the gate")

    def _begin(self, course: gate.Course, entrance: Entrance) -> Inquiry:
        """Take the request into the gate, noting on the way what is known of it."""
        began = perf_counter()
        course.identity = gate.authenticate(course.raw, entrance.methods, entrance.tenant)
        snapshot = entrance.policy.snapshot
        course.policy = snapshot.digest
        prepared = gate.prepare(course.raw, course.identity, snapshot, self._parts.limits)
        course.request = prepared.request
        inquiry = self._asker.begin(prepared)
        self._parts.metrics.stages.observe("read", perf_counter() - began)
        return inquiry

    async def _look_up(self, inquiry: Inquiry) -> None:
        """Ask what is open. Raises LookupFailedError, or RefusedError."""
        if inquiry.questions:
            began = perf_counter()
            await self._asker.ask_all(inquiry)
            self._parts.metrics.stages.observe("lookup", perf_counter() - began)

    async def _look_up_soon(self, inquiry: Inquiry) -> None:
        """Ask one question over a connection that is there, and what it leaves open in a task.

        Raises LookupFailedError, RefusedError, and TimeoutError.
        """
        began = perf_counter()
        await self._asker.ask_soon(inquiry, self._deadlines)
        if inquiry.questions:
            await asyncio.sleep(0)
            async with asyncio.timeout(self._judging_time - (perf_counter() - began)):
                await self._asker.ask_all(inquiry)
        self._parts.metrics.stages.observe("lookup", perf_counter() - began)

    def _judge(self, course: gate.Course, inquiry: Inquiry) -> None:
        """Let the policy speak, and say what is sent on if it allows."""
        began = perf_counter()
        prepared, facts = inquiry.prepared, inquiry.facts
        course.facts = facts
        course.forward = gate.forward(prepared, inquiry.answers)
        course.context = gate.context(prepared, facts, course.began)
        course.decision = gate.judge(prepared.identity, facts, course.context, prepared.snapshot)
        self._parts.metrics.stages.observe("judge", perf_counter() - began)
