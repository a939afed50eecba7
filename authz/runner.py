"""Drives the gate for the doors: answers its questions, writes the record, counts.

This is the only place where a judgement waits, and every wait has a limit: a
plugin that hangs hangs the daemon for good. It is also the only place that
catches whatever goes wrong, because a defect of ours must refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Protocol

import structlog

from authz import gate
from authz.audit.record import Asked, AuditRecord, Mode
from authz.audit.redaction import Redaction
from authz.audit.sink import Sink
from authz.audit.ulid import Ulids
from authz.errors import AuditUnavailableError, LookupFailedError, Reason, RefusedError
from authz.facts.facts import Facts
from authz.facts.questions import MISSING, Answer, Question
from authz.identity.chain import Method
from authz.identity.identity import Identity
from authz.lookups.lookup_pass import HEADER, Passes, Phase
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.policy.decision import Effect
from authz.policy.explain import SYSTEM_FAILURES
from authz.wire.evidence import Evidence
from authz.wire.raw import Door, RawRequest

TIME_LIMIT = 2.0
"""Seconds for one answer, look-ups and the record included."""

WRITING = 0.25
"""The part of that time which is kept for the record."""

MOST_IN_FLIGHT = 256
"""Questions that are answered at once; more are refused at once."""

MOST_ROUNDS = 4
"""An exec names its container, that its volumes, those a path of the host."""

MOST_QUESTIONS = 128
"""Look-ups for one request. An ordinary create needs two."""

LOOKUPS_AT_ONCE = 16
"""Look-ups of all requests together; further ones wait within their time."""

_PASS = HEADER.lower()

log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class Lookups(Protocol):
    """Whoever answers questions."""

    async def answer(self, question: Question) -> Answer:
        """Return the answer. Raises LookupFailedError where there is none."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner drives: the parts are made once, by ``authz.app``."""

    methods: tuple[Method, ...]
    policy: CurrentPolicy
    lookups: Lookups
    passes: Passes
    sink: Sink
    mode: Mode = Mode.ENFORCE
    limits: gate.Limits = field(default_factory=gate.Limits)
    metrics: Metrics = field(default_factory=Metrics)
    redaction: Redaction = field(default_factory=Redaction)
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
    """Answers requests, each within its time, each with a record.

    ``audit_problem`` says why the last record could not be written; it is
    empty where it could.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        time_limit: float = TIME_LIMIT,
        most_in_flight: int = MOST_IN_FLIGHT,
    ) -> None:
        self._parts = parts
        self._entrance = Entrance(parts.methods, parts.policy)
        self._writing_time = time_limit * WRITING
        self._judging_time = time_limit - self._writing_time
        self._most_in_flight = most_in_flight
        self._in_flight = 0
        self._ids = Ulids()
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._late: Future[None] | None = None
        self.audit_problem = ""

    async def decide(self, raw: RawRequest, entrance: Entrance | None = None) -> gate.Verdict:
        """Judge one request. Raises nothing: whatever goes wrong refuses.

        Without an ``entrance`` the parts say who may come and whose policy judges.
        """
        entrance = entrance or self._entrance
        token = next((value for name, value in raw.headers if name.lower() == _PASS), None)
        # INVARIANT: passes are for the plugin. A client of the proxy holds none.
        if token is not None and raw.door is Door.PLUGIN:
            return await self._let_back_in(raw, token)
        if self._in_flight >= self._most_in_flight:
            problem = "too many questions are in flight"
            return await self.refuse(raw, RefusedError(Reason.OVERLOADED, problem))
        self._enter(1)
        try:
            return await self._conclude(self._course(raw), entrance)
        finally:
            self._enter(-1)

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
            course.refusal = error
        except TimeoutError:
            return None
        verdict = course.verdict()
        if verdict.lets_through or verdict.reason in SYSTEM_FAILURES:
            return None
        verdict = await self._recorded(course, started)
        self._count(course, verdict, perf_counter() - started)
        return verdict

    async def refuse(
        self, raw: RawRequest, refusal: RefusedError, entrance: Entrance | None = None
    ) -> gate.Verdict:
        """Record a refusal that was made before there was a request to judge. Raises nothing.

        It takes no room from those that are judged: it costs a record only. With
        an ``entrance`` the record says who it was, if that can be told.
        """
        course = self._course(raw)
        course.refusal = refusal
        if entrance is not None:
            with suppress(RefusedError):
                course.identity = gate.authenticate(raw, entrance.methods, entrance.tenant)
        return await self._conclude(course, entrance or self._entrance)

    async def note(
        self,
        request: Asked | None,
        identity: Identity | None,
        *,
        allowed: bool,
        kind: str = "",
        event: Mapping[str, str] | None = None,
    ) -> None:
        """Record what was asked of Dockgate itself, or what happened by itself.

        ``event`` says what happened, for a record of another ``kind`` than a
        decision. Raises AuditUnavailableError.
        """
        record = AuditRecord(
            id=self._ids.next(),
            time=self._parts.now(),
            door=Door.ADMIN,
            mode=self._parts.mode,
            enforced=True,
            identity=identity,
            asked=request,
            context=event or {},
            kind=kind,
            verdict=Effect.ALLOW if allowed else Effect.REFUSE,
            reason=Reason.RULE if allowed else Reason.BAD_CREDENTIAL,
            policy=self._parts.policy.snapshot.digest,
        )
        await self._write(record)

    def close(self) -> None:
        """Let go of the writing thread; what it has begun it finishes."""
        self._writer.shutdown(wait=False)

    def _course(self, raw: RawRequest) -> gate.Course:
        return gate.Course(self._ids.next(), raw, self._parts.now(), self._parts.mode)

    def _enter(self, more: int) -> None:
        self._in_flight += more
        self._parts.metrics.in_flight.set(self._in_flight)

    async def _let_back_in(self, raw: RawRequest, token: str) -> gate.Verdict:
        """Admit a look-up of our own. It takes no room: somebody in flight waits for it."""
        try:
            self._parts.passes.admit(token, raw.method, raw.target, Phase.REQUEST)
        except RefusedError as error:
            self._parts.metrics.passes.labels("refused").inc()
            return await self.refuse(raw, error)
        self._parts.metrics.passes.labels("admitted").inc()
        return gate.Verdict(self._ids.next(), Effect.ALLOW, Reason.RULE)

    async def _conclude(self, course: gate.Course, entrance: Entrance) -> gate.Verdict:
        """Judge, record and count, in this order."""
        started = perf_counter()
        if course.refusal is None:
            await self._judge_guarded(course, entrance)
        verdict = await self._recorded(course, started)
        self._count(course, verdict, perf_counter() - started)
        return verdict

    async def _judge_guarded(self, course: gate.Course, entrance: Entrance) -> None:
        """Judge within the time; whatever goes wrong becomes the course's refusal."""
        try:
            async with asyncio.timeout(self._judging_time):
                await self._judge(course, entrance)
        except RefusedError as error:
            course.refusal = error
        except LookupFailedError as error:
            course.refusal = RefusedError(Reason.LOOKUP_FAILED, f"a look-up failed: {error}")
        except TimeoutError:
            course.refusal = RefusedError(Reason.TIMEOUT, "the judgement took too long")
        except Exception:
            log.exception("request.judgement_failed", request=course.id)
            course.refusal = RefusedError(Reason.INTERNAL_ERROR, "a defect of the gate")

    async def _judge(self, course: gate.Course, entrance: Entrance) -> None:
        """Take the request through the gate, noting on the way what is known of it."""
        await entrance.before(course.raw.evidence)
        course.identity = gate.authenticate(course.raw, entrance.methods, entrance.tenant)
        snapshot = entrance.policy.snapshot
        course.policy = snapshot.digest
        prepared = gate.prepare(course.raw, course.identity, snapshot, self._parts.limits)
        course.request = prepared.request
        course.forward = gate.forward(prepared)
        course.facts = await self._facts(prepared)
        course.context = gate.context(prepared, course.facts, course.began)
        course.decision = gate.judge(course.identity, course.facts, course.context, snapshot)

    async def _facts(self, prepared: gate.Prepared) -> Facts:
        """Ask until nothing is left to ask. Raises LookupFailedError, or RefusedError."""
        answers: dict[Question, Answer] = {}
        for _ in range(MOST_ROUNDS):
            found = gate.survey(prepared, answers)
            if isinstance(found, Facts):
                return found
            if len(answers) + len(found) > MOST_QUESTIONS:
                problem = f"the request refers to more than {MOST_QUESTIONS} objects"
                raise RefusedError(Reason.TOO_MANY_FACTS, problem)
            answers |= await self._asked(found)
        found = gate.survey(prepared, answers)
        if isinstance(found, Facts):
            return found
        raise LookupFailedError(f"answers raise further questions after {MOST_ROUNDS} rounds")

    async def _asked(self, questions: Iterable[Question]) -> Mapping[Question, Answer]:
        """Ask all of these at once; the first failure ends the others."""
        tasks: dict[Question, asyncio.Task[Answer]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    tasks[question] = group.create_task(self._ask(question))
        except* LookupFailedError as failures:
            raise LookupFailedError(str(failures.exceptions[0])) from failures
        return {question: task.result() for question, task in tasks.items()}

    async def _ask(self, question: Question) -> Answer:
        counted = self._parts.metrics.lookups
        async with self._room:
            try:
                answer = await self._parts.lookups.answer(question)
            except LookupFailedError:
                counted.labels(question.topic.value, "failed").inc()
                raise
        counted.labels(question.topic.value, "missing" if answer is MISSING else "found").inc()
        return answer

    async def _recorded(self, course: gate.Course, started: float) -> gate.Verdict:
        """Write the record. A request without one is refused, whatever was decided."""
        try:
            verdict = course.verdict()
            took = int((perf_counter() - started) * 1e6)
            await self._write(course.record(verdict, took, self._parts.redaction))
        except AuditUnavailableError as error:
            log.error("audit.write_failed", request=course.id, problem=str(error))  # noqa: TRY400  the disk's fault, a traceback says nothing
            reason, problem = Reason.AUDIT_UNAVAILABLE, "the decision could not be recorded"
        except Exception:
            log.exception("request.record_failed", request=course.id)
            reason, problem = Reason.INTERNAL_ERROR, "a defect of the gate"
        else:
            return verdict
        self._parts.metrics.unwritten.inc()
        course.refusal = RefusedError(reason, problem)
        return course.verdict()

    async def _write(self, record: AuditRecord) -> None:
        """Append, and remember whether that was possible. Raises AuditUnavailableError."""
        try:
            await self._append(record)
        except AuditUnavailableError as error:
            self.audit_problem = str(error)
            raise
        self.audit_problem = ""

    async def _append(self, record: AuditRecord) -> None:
        """Append, in a thread where that can wait for a disk.

        INVARIANT: whoever is cancelled while he waits leaves the record to be
        written. One that is too late is not written any more if the thread has
        not begun with it; else the file may tell of a decision that was
        refused, never the other way round. While one hangs, none is queued
        behind it.
        """
        sink = self._parts.sink
        if not sink.blocking:
            sink.append(record)
            return
        if self._late is not None and not self._late.done():
            raise AuditUnavailableError("an earlier record is still being written")
        job = self._writer.submit(sink.append, record)
        written = asyncio.wrap_future(job)
        written.add_done_callback(_retrieve)
        await asyncio.wait({written}, timeout=self._writing_time)
        if not written.done():
            if not job.cancel():
                self._late = job
            raise AuditUnavailableError("the record was not written in time")
        written.result()

    def _count(self, course: gate.Course, verdict: gate.Verdict, seconds: float) -> None:
        door = course.raw.door.value
        enforced = "yes" if verdict.enforced else "no"
        labels = (door, verdict.effect.value, verdict.reason.value, enforced)
        self._parts.metrics.decision(*labels).inc()
        self._parts.metrics.seconds_of(door).observe(seconds)
        if verdict.effect is not Effect.ALLOW:
            log.info(
                _EVENTS[verdict.effect],
                request=verdict.id,
                who=course.identity.subject if course.identity else None,
                action=course.facts.action if course.facts else None,
                reason=verdict.reason.value,
                enforced=verdict.enforced,
            )


def _retrieve(written: asyncio.Future[None]) -> None:
    """Take note of how a write ended, even where nobody waits for it any more."""
    if not written.cancelled():
        written.exception()


_EVENTS = {Effect.DENY: "request.denied", Effect.REFUSE: "request.refused"}
