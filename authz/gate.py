"""The whole judgement, as plain functions without any I/O.

A door hands in a :class:`RawRequest`. ``authenticate`` and ``prepare`` say who asks
for what, ``survey`` what only others can answer and then what the request
would do, and ``judge`` what the policy says to that. Every function either
returns its value or raises :class:`RefusedError`; none of them waits.

The runner drives these functions for the doors, ``rehearse`` for the command
line. There is no other way to a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from authz.audit.record import AuditRecord, Mode, asked
from authz.audit.redaction import Redaction
from authz.docker.canonical import canonical
from authz.docker.forward import Forward
from authz.docker.forward import forward as written
from authz.docker.request import ApiRequest
from authz.errors import Reason, RefusedError
from authz.facts import build
from authz.facts.facts import Facts
from authz.facts.known import FactSettings, Key
from authz.facts.marks import marks
from authz.facts.pins import pins
from authz.facts.questions import Answers, Question
from authz.identity.chain import Method, identify
from authz.identity.identity import Identity
from authz.policy import explain
from authz.policy.decision import Decision, Effect, Word
from authz.policy.snapshot import Snapshot
from authz.wire.raw import Door, RawRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate is ready to read, and how it sends on. ``max_body`` counts decoded bytes.

    ``pin_images`` says that a create is sent on with the id of the image that was
    judged. ``proxied`` are the settings of facts behind a door that writes
    requests anew, where they are others.
    """

    max_body: int = 256 * 1024
    facts: FactSettings = field(default_factory=FactSettings)
    pin_images: bool = False
    proxied: FactSettings | None = None

    def facts_of(self, door: Door) -> FactSettings:
        """Return the settings of facts for a door."""
        return self.proxied if self.proxied and door is Door.PROXY else self.facts


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
    key: Key = field(init=False, default_factory=Key, compare=False, repr=False)
    """Found once for all surveys; a changed copy begins with one of its own."""


class Standing(NamedTuple):
    """What was let through and may last: enough to judge it again without asking anybody.

    The facts stay those of the beginning: what was judged is what was opened.
    """

    raw: RawRequest
    request: ApiRequest
    identity: Identity
    facts: Facts
    context: Mapping[str, str]


class Verdict(NamedTuple):
    """What leaves the gate for a door. ``id`` finds the audit record.

    ``message`` is one line for the caller; it is empty for an allow.
    ``enforced`` is False where shadow mode lets through what a policy denies.
    ``forward`` is what a door that can change requests sends on, and only
    there where the request is let through. A tuple, because one is made for each request.
    """

    id: str
    effect: Effect
    reason: Reason
    message: str = ""
    decision: Decision | None = None
    enforced: bool = True
    forward: Forward | None = None
    standing: Standing | None = None

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
    forward: Forward | None = None

    def verdict(self) -> Verdict:
        """Say how it ended, and what to send on.

        A request that was neither refused nor judged is refused.
        """
        if self.refusal is not None or self.decision is None or self.identity is None:
            refusal = self.refusal or RefusedError(Reason.INTERNAL_ERROR, "no decision was made")
            return refused(self.id, refusal)
        decision, message, enforced = self.decision, "", True
        if decision.effect is not Effect.ALLOW:
            action = self.facts.action if self.facts else ""
            message = explain.denial(decision, self.identity.subject, self.id, action)
            enforced = self._holds(decision)
        goes_on = self.forward is not None and (decision.effect is Effect.ALLOW or not enforced)
        return Verdict(
            self.id,
            decision.effect,
            decision.reason,
            message,
            decision,
            enforced,
            self.forward if goes_on else None,
            self._standing() if goes_on else None,
        )

    def _standing(self) -> Standing | None:
        if self.request is None or self.identity is None or self.facts is None:
            return None
        # Streams can be many, and last for days.
        raw = replace(self.raw, body=b"") if self.raw.body else self.raw
        return Standing(raw, self.request, self.identity, self.facts, self.context)

    @property
    def action(self) -> str:
        """The action asked for, as far as it is known: one of the table's, or nothing."""
        if self.facts is not None:
            return self.facts.action
        return self.request.operation.action if self.request is not None else ""

    def only_reads(self) -> bool:
        """Say whether the request was read and changes nothing, and reveals no secret."""
        return self.request is not None and self.request.operation.risk == "read"

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
            context=self.context or arrival(self.raw, self.began),
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


def refused(request: str, refusal: RefusedError) -> Verdict:
    """Return the verdict on a request, known by its id, that was refused."""
    message = explain.refusal(refusal.reason, refusal.detail, request)
    return Verdict(request, Effect.REFUSE, refusal.reason, message)


def authenticate(raw: RawRequest, methods: tuple[Method, ...], tenant: str = "") -> Identity:
    """Say who asks. Raises RefusedError when nobody proved it, or a proof does not hold.

    ``tenant`` is that of the door; a proof that names another one does not
    hold there.
    """
    identity = identify(raw.evidence, methods)
    if not tenant or identity.tenant == tenant:
        return identity
    if identity.tenant:
        problem = f"the proof is for tenant {identity.tenant!r}; expected {tenant!r}"
        raise RefusedError(Reason.BAD_CREDENTIAL, problem)
    return replace(identity, tenant=tenant)


def prepare(
    raw: RawRequest, identity: Identity, snapshot: Snapshot, limits: Limits | None = None
) -> Prepared:
    """Read the request as the daemon will. Raises RefusedError where that is not certain."""
    limits = limits or Limits()
    request = canonical(raw, max_body=limits.max_body)
    return Prepared(raw, request, identity, snapshot, limits)


def forward(prepared: Prepared, answers: Answers) -> Forward | None:
    """Return what to send on if the request is let through; None where a door changes nothing.

    What was judged by an answer goes on by its id, where the daemon takes one;
    what is created says whose it is, where that is wanted.
    Raises RefusedError where an answer has none.
    """
    if prepared.raw.door is not Door.PROXY:
        return None
    request, limits = prepared.request, prepared.limits
    found = pins(request, answers, images=limits.pin_images)
    labels = marks(request, prepared.identity, limits.facts_of(Door.PROXY))
    if labels:
        found = replace(found, body=(*found.body, *labels))
    return written(prepared.raw, request, found)


def survey(prepared: Prepared, answers: Answers) -> Facts | tuple[Question, ...]:
    """Say what the request would do, or what must still be looked up, given the answers so far.

    An answer can raise a further question: an exec names its container, and
    that its volumes. The caller asks again until nothing is left. Raises
    RefusedError where it cannot be told.
    """
    settings = prepared.limits.facts_of(prepared.raw.door)
    return build.survey(prepared.request, prepared.identity, answers, settings, prepared.key)


def describe(prepared: Prepared, answers: Answers) -> Facts:
    """Say what the request would do, with ``unknown`` for what nobody answers: in a rehearsal.

    Raises RefusedError where it cannot be told.
    """
    settings = prepared.limits.facts_of(prepared.raw.door)
    return build.describe(prepared.request, prepared.identity, answers, settings)


def context(prepared: Prepared, facts: Facts, now: datetime) -> dict[str, str]:
    """Return what a ``when`` column may read. A missing key is not known.

    ``now`` is part of it, so that a recorded decision can be judged again.
    """
    identity = prepared.identity
    said = {"user": identity.subject, "tenant": identity.tenant}
    return {**facts.conditions, **said, **arrival(prepared.raw, now)}


def arrival(raw: RawRequest, now: datetime) -> dict[str, str]:
    """Return the part of it that is known of any request, whoever sent it: how it came in."""
    evidence = raw.evidence
    known = {
        "door": raw.door,
        "method": raw.method,
        "listener": evidence.listener,
        "now": now.isoformat(timespec="seconds"),
    }
    tls = _transport(raw)
    if tls:
        known["tls"] = tls
    if evidence.source is not None:
        known["source"] = evidence.source
    return known


def judge(
    identity: Identity, facts: Facts, context: Mapping[str, str], snapshot: Snapshot
) -> Decision:
    """Let the policy speak on every fact, and combine what it says."""
    return snapshot.judge(identity, facts, context)


def again(
    standing: Standing, identity: Identity, snapshot: Snapshot, now: datetime
) -> tuple[Decision, Mapping[str, str]]:
    """Judge what is under way, for whom its proofs now name, by the policy of now.

    Returns the decision and what its conditions could read. Raises RefusedError
    where the caller is another one than the one who began.
    """
    began = standing.identity
    if (identity.subject, identity.tenant) != (began.subject, began.tenant):
        raise RefusedError(Reason.BAD_CREDENTIAL, "the caller is not the one who began this")
    context = {**standing.context, "now": now.isoformat(timespec="seconds")}
    return judge(identity, standing.facts, context, snapshot), context


def _transport(raw: RawRequest) -> str:
    """Say how the connection is protected, or nothing where that is not known.

    The daemon tells a plugin of a client certificate and of nothing else: a
    TLS connection without one looks like the unix socket (moby
    pkg/authorization/middleware.go).
    """
    if raw.door is not Door.PLUGIN:
        return raw.evidence.tls
    return "mutual" if raw.evidence.daemon_method == "TLS" else ""
