"""The whole judgement, as plain functions without any I/O.

A door hands in a :class:`RawRequest`. ``authenticate`` and ``prepare`` say who
asks for what, ``questions`` what only others can answer, ``describe`` what the
request would do, and ``judge`` what the policy says to that. Every function
either returns its value or raises :class:`RefusedError`; none of them waits.

The runner drives these functions for the doors, ``rehearse`` for the command
line. There is no other way to a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from authz.audit.record import AuditRecord, Mode, asked
from authz.audit.redaction import Redaction
from authz.docker.canonical import canonical
from authz.docker.request import ApiRequest
from authz.errors import Reason, RefusedError
from authz.facts import build
from authz.facts.facts import Facts
from authz.facts.known import FactSettings
from authz.facts.questions import Answers, Question
from authz.identity.chain import Method, identify
from authz.identity.identity import Identity
from authz.policy import explain
from authz.policy.decision import Decision, Effect, Word
from authz.policy.snapshot import Snapshot
from authz.wire.raw import Door, RawRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate is ready to read. ``max_body`` counts decoded bytes."""

    max_body: int = 256 * 1024
    facts: FactSettings = field(default_factory=FactSettings)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was read and whose caller is known, with the policy that will judge it.

    The snapshot is held from here on, so that one request is never judged by
    two policies.
    """

    raw: RawRequest
    request: ApiRequest
    identity: Identity
    snapshot: Snapshot
    limits: Limits


@dataclass(frozen=True, slots=True)
class Verdict:
    """What leaves the gate for a door. ``id`` finds the audit record.

    ``message`` is one line for the caller; it is empty for an allow.
    ``enforced`` is False where shadow mode lets through what a policy denies.
    """

    id: str
    effect: Effect
    reason: Reason
    message: str = ""
    decision: Decision | None = None
    enforced: bool = True

    @property
    def lets_through(self) -> bool:
        """Whether the door may pass the request on."""
        return self.effect is Effect.ALLOW or not self.enforced


@dataclass(slots=True)
class Course:
    """How far one request has come: all that its verdict and its record can say.

    Whoever drives the gate fills in the members as they become known.
    ``policy`` is the digest of the snapshot that judges.
    """

    id: str
    raw: RawRequest
    began: datetime
    mode: Mode
    policy: str = ""
    identity: Identity | None = None
    request: ApiRequest | None = None
    facts: Facts | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    decision: Decision | None = None
    refusal: RefusedError | None = None

    def verdict(self) -> Verdict:
        """Say how it ended. A request that was neither refused nor judged is refused."""
        if self.refusal is not None or self.decision is None or self.identity is None:
            refusal = self.refusal or RefusedError(Reason.INTERNAL_ERROR, "no decision was made")
            message = explain.refusal(refusal.reason, refusal.detail, self.id)
            return Verdict(self.id, Effect.REFUSE, refusal.reason, message)
        decision = self.decision
        if decision.effect is Effect.ALLOW:
            return Verdict(self.id, decision.effect, decision.reason, decision=decision)
        action = self.facts.action if self.facts else ""
        message = explain.denial(decision, self.identity.subject, self.id, action)
        return Verdict(
            self.id, decision.effect, decision.reason, message, decision, self._holds(decision)
        )

    def record(self, verdict: Verdict, took_us: int, redaction: Redaction) -> AuditRecord:
        """Return what is written down; ``took_us`` in microseconds."""
        return AuditRecord(
            id=self.id,
            time=self.began,
            door=self.raw.door,
            mode=self.mode,
            enforced=verdict.enforced,
            identity=self.identity,
            asked=asked(self.raw, self.request, redaction, self.facts.action if self.facts else ""),
            context=self.context,
            outcomes=self.decision.outcomes if self.decision else (),
            verdict=verdict.effect,
            reason=verdict.reason,
            detail=self.refusal.detail if self.refusal else "",
            policy=self.policy,
            took_us=took_us,
            redaction=redaction,
        )

    def _holds(self, decision: Decision) -> bool:
        """Say whether a denial is enforced: in shadow mode only by a never row or an error."""
        if self.mode is Mode.ENFORCE or decision.effect is Effect.REFUSE:
            return True
        return any(outcome.word is Word.NEVER for outcome in decision.outcomes)


def authenticate(raw: RawRequest, methods: tuple[Method, ...]) -> Identity:
    """Say who asks. Raises RefusedError when nobody proved it, or a proof does not hold."""
    return identify(raw.evidence, methods)


def prepare(
    raw: RawRequest, identity: Identity, snapshot: Snapshot, limits: Limits | None = None
) -> Prepared:
    """Read the request as the daemon will. Raises RefusedError where that is not certain."""
    limits = limits or Limits()
    request = canonical(raw, max_body=limits.max_body)
    return Prepared(raw, request, identity, snapshot, limits)


def questions(prepared: Prepared, answers: Answers) -> tuple[Question, ...]:
    """Return what must still be looked up, given the answers so far.

    An answer can raise a further question: an exec names its container, and
    that its volumes. The caller asks again until nothing is left.
    """
    return build.questions(prepared.request, answers)


def describe(prepared: Prepared, answers: Answers) -> Facts:
    """Say what the request would do. Raises RefusedError where it cannot be told."""
    return build.describe(prepared.request, prepared.identity, answers, prepared.limits.facts)


def context(prepared: Prepared, facts: Facts, now: datetime) -> dict[str, str]:
    """Return what a ``when`` column may read. A missing key is not known.

    ``now`` is part of it, so that a recorded decision can be judged again.
    """
    raw, identity = prepared.raw, prepared.identity
    known = {
        "user": identity.subject,
        "tenant": identity.tenant,
        "door": raw.door.value,
        "method": raw.method,
        "listener": raw.evidence.listener,
        "now": now.isoformat(timespec="seconds"),
    }
    tls = _transport(raw)
    if tls:
        known["tls"] = tls
    return {**facts.conditions, **known}


def judge(
    identity: Identity, facts: Facts, context: Mapping[str, str], snapshot: Snapshot
) -> Decision:
    """Let the policy speak on every fact, and combine what it says."""
    return snapshot.judge(identity, facts, context)


def _transport(raw: RawRequest) -> str:
    """Say how the connection is protected, or nothing where that is not known.

    The daemon tells a plugin of a client certificate and of nothing else: a
    TLS connection without one looks like the unix socket (moby
    pkg/authorization/middleware.go).
    """
    if raw.door is not Door.PLUGIN:
        return raw.evidence.tls
    return "mutual" if raw.evidence.daemon_method == "TLS" else ""
