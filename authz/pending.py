"""A verdict on its way out: its record is written first, then it is counted, then it leaves.

It knows how a verdict turns into a refusal where its record cannot be written, and
nothing of judging or of doors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

import structlog

from authz import gate
from authz.audit.record import AuditRecord
from authz.audit.redaction import Redaction
from authz.errors import AuditUnavailableError, Reason, RefusedError
from authz.metrics import Metrics
from authz.policy.decision import Effect
from authz.recorder import Recorder

UNREAD = "unread"
"""The action, in metrics, of what could not be read."""

log = structlog.get_logger(__name__)


class Desk:
    """Where all verdicts of a runner pass. ``allow_reads`` lets reads go on without a record."""

    def __init__(
        self, recorder: Recorder, metrics: Metrics, redaction: Redaction, *, allow_reads: bool
    ) -> None:
        self.recorder = recorder
        self.metrics = metrics
        self.redaction = redaction
        self.allow_reads = allow_reads

    def hold(
        self,
        course: gate.Course,
        started: float,
        left: Callable[[], None] | None = None,
        *,
        at_once: bool = False,
    ) -> Pending:
        """Have the record of a course written: with those of this turn, or ``at_once``.

        ``left`` is called when the verdict leaves, and before anybody has it.
        """
        pending = Pending(self, course, started, left)
        try:
            pending.verdict = course.verdict()
            if course.raw.body:
                pending.let_go_of_the_request()
        except Exception as error:  # noqa: BLE001  it is told where it becomes a refusal
            pending.settled(error)
            return pending
        if at_once:
            self.recorder.put(pending)
        else:
            self.recorder.hold(pending)
        return pending


class Pending:
    """A verdict that does not leave before its record is written, nor without one."""

    __slots__ = (
        "_action",
        "_course",
        "_desk",
        "_door",
        "_final",
        "_left",
        "_made",
        "_reads",
        "_record",
        "_started",
        "_take",
        "_who",
        "id",
        "verdict",
    )

    verdict: gate.Verdict
    """What was decided; ``settled`` says whether it holds."""

    def __init__(
        self, desk: Desk, course: gate.Course, started: float, left: Callable[[], None] | None
    ) -> None:
        self.id = course.id
        self._desk = desk
        self._course = course
        self._door, self._action, self._who = course.raw.door, course.action, course.identity
        self._reads = desk.allow_reads and course.only_reads()
        self._started = started
        self._left = left
        self._made = perf_counter()
        self._record: AuditRecord | None = None
        self._take: Callable[[gate.Verdict], None] | None = None
        self._final: gate.Verdict | None = None

    def then(self, take: Callable[[gate.Verdict], None]) -> None:
        """Let one have the verdict that holds, as soon as there is one."""
        if self._final is not None:
            take(self._final)
        else:
            self._take = take

    async def holds(self) -> gate.Verdict:
        """Wait for the verdict that holds."""
        if self._final is not None:
            return self._final
        done: asyncio.Future[gate.Verdict] = asyncio.get_running_loop().create_future()
        self.then(lambda verdict: None if done.done() else done.set_result(verdict))
        return await done

    def record(self) -> AuditRecord:
        """Return what is written down."""
        return self._record or self._recorded()

    def let_go_of_the_request(self) -> None:
        """Make the record now: what was asked need not wait with the answer to it.

        Hundreds of bodies that wait take more memory than a processor has at hand.
        """
        self._record = self._recorded()
        del self._course

    def _recorded(self) -> AuditRecord:
        took = int((self._made - self._started) * 1e6)
        return self._course.record(self.verdict, took, self._desk.redaction)

    def settled(self, error: Exception | None) -> None:
        """Leave: as it is if the record is written, as a refusal if it is not."""
        ended = perf_counter()
        if error is None:
            verdict = self.verdict
            self._desk.metrics.stages.observe("audit", ended - self._made)
        else:
            verdict = self._unwritten(error)
        try:
            self._count(verdict, ended - self._started)
        finally:  # whoever waits has no time limit of his own
            self._final = verdict
            if self._left is not None:
                self._left()
            if self._take is not None:
                self._take(verdict)

    def _unwritten(self, error: Exception) -> gate.Verdict:
        """Refuse, whatever was decided; only reads may go on, where that is set."""
        desk = self._desk
        desk.metrics.unwritten.inc()
        if isinstance(error, AuditUnavailableError):
            log.error("audit.write_failed", request=self.id, problem=str(error))
            if self._reads and self.verdict.lets_through:
                desk.recorder.unrecorded()
                return self.verdict
            reason, problem = Reason.AUDIT_UNAVAILABLE, "the decision could not be recorded"
        else:
            log.error("request.record_failed", request=self.id, exc_info=error)
            reason, problem = Reason.INTERNAL_ERROR, "a defect of the gate"
        return gate.refused(self.id, RefusedError(reason, problem))

    def _count(self, verdict: gate.Verdict, seconds: float) -> None:
        metrics, effect = self._desk.metrics, verdict.effect
        enforced = "yes" if verdict.enforced else "no"
        metrics.decisions.count[self._door, effect, verdict.reason, enforced] += 1
        metrics.seconds.observe(self._door, seconds)
        metrics.actions.count[self._action or UNREAD, effect] += 1
        if effect is not Effect.ALLOW:
            log.info(
                _EVENTS[effect],
                request=self.id,
                who=self._who.subject if self._who else None,
                action=self._action or None,
                reason=verdict.reason.value,
                enforced=verdict.enforced,
            )


_EVENTS = {Effect.DENY: "request.denied", Effect.REFUSE: "request.refused"}
