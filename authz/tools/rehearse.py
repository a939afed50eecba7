"""Puts written requests through the gate: for decide, try and test.

The same functions as in the doors, without waiting: what a look-up would have
told is given, or it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Any

from authz import gate
from authz.audit.record import AuditRecord, Mode
from authz.audit.redaction import Redaction
from authz.audit.ulid import Ulids
from authz.errors import ConfigurationError, RefusedError
from authz.facts.catalogue import UNKNOWN
from authz.facts.facts import Facts
from authz.facts.labels import OWNER, TENANT
from authz.facts.objects import SPECIFIED
from authz.facts.questions import MISSING, Answer, Answers, Question, Topic
from authz.identity.identity import Identity
from authz.policy.decision import Decision, Effect
from authz.policy.snapshot import Snapshot
from authz.policy.spelling import listed
from authz.policy.subject import CALLERS, fault_of
from authz.wire.raw import RawRequest

SHORTHANDS = frozenset({"owner", "tenant", "missing", "container", "user", "service"})
"""Keys of a given table that are not members of the daemon's inspect document."""

_OF_TOPIC: Mapping[Topic, tuple[str, ...]] = {
    Topic.EXEC: ("missing", "container", "user"),
    Topic.IMAGE: ("missing", "owner", "tenant", "user"),
    Topic.TASK: ("missing", "service"),
    Topic.PATH: ("missing", "path"),
}
"""Which of them a topic has; all others are owned. Members of the daemon begin with a capital."""
_OWNED = ("missing", "owner", "tenant")

ORDINARY = {"IpcMode": "private"}
"""What a daemon stores where nothing was asked for; empty would mean an engine of long ago."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would have happened, and what would have been written down."""

    verdict: gate.Verdict
    record: AuditRecord
    unanswered: tuple[Question, ...] = ()
    """What nobody told of, where a fact fails because of that."""

    @property
    def missing(self) -> str:
        """Name what nobody told of, for a person."""
        return ", ".join(f"{topic.value} {key}".rstrip() for topic, key in self.unanswered)

    @property
    def operation(self) -> str:
        """The name of the operation; empty where the request could not be read."""
        return self.record.asked.operation if self.record.asked else ""

    @property
    def because(self) -> frozenset[str]:
        """The ids of the rows that settled it; for a refusal by the gate its reason.

        For a denial these are the rows that deny: none, where no row allows a fact.
        """
        if self.verdict.decision is None:
            return frozenset({self.verdict.reason.value})
        allowed = self.verdict.effect is Effect.ALLOW
        return frozenset(
            outcome.row.id
            for outcome in self.record.outcomes
            if outcome.row is not None and outcome.allowed is allowed
        )


_IDS = Ulids()


def rehearse(
    raw: RawRequest,
    identity: Identity,
    snapshot: Snapshot,
    answers: Answers | None = None,
    *,
    now: datetime | None = None,
) -> Rehearsal:
    """Judge a request without asking anybody. Nothing is written down.

    What ``answers`` does not tell is not known. ``now`` is the time that
    conditions see; the present by default.
    """
    began, started = now or datetime.now(UTC), perf_counter_ns()
    course = gate.Course(_IDS.next(), raw, began, Mode.ENFORCE, snapshot.digest, identity)
    unanswered: tuple[Question, ...] = ()
    try:
        prepared = gate.prepare(raw, identity, snapshot)
        course.request = prepared.request
        course.facts = gate.describe(prepared, answers or {})
        course.context = gate.context(prepared, course.facts, began)
        course.decision = gate.judge(identity, course.facts, course.context, snapshot)
        unanswered = _unanswered(prepared, answers or {}, course.decision)
    except RefusedError as error:
        course.refusal = error.bare()
    verdict = course.verdict()
    took = (perf_counter_ns() - started) // 1000
    return Rehearsal(verdict, course.record(verdict, took, Redaction()), unanswered)


def _unanswered(
    prepared: gate.Prepared, answers: Answers, decision: Decision
) -> tuple[Question, ...]:
    """Return what a door would look up first; nothing where it is not for that that facts fail."""
    if all(each.allowed or each.fact.value != UNKNOWN for each in decision.outcomes):
        return ()
    found = gate.survey(prepared, answers)
    return () if isinstance(found, Facts) else found


def answers_from(given: Mapping[str, Any]) -> Answers:
    """Turn the tables of ``--given`` or of a policy test into answers.

    ``[container.web]``, ``[volume.data]``, ``[image."nginx"]`` and the like hold
    members of the daemon's inspect document, or the short forms ``owner``,
    ``tenant``, ``missing = true``, ``container`` (of an exec), ``service`` (of a
    task) and ``user`` (of an image or an exec). ``[daemon]`` holds members of ``GET /info``. Raises
    ConfigurationError on a table that is none of these.
    """
    answers: dict[Question, Answer] = {}
    for name, table in given.items():
        topic = _topic(name)
        if not isinstance(table, dict):
            raise ConfigurationError(f"given.{name} is {table!r}; expected a table")
        if topic is Topic.DAEMON:
            answers[Question(topic, "")] = table
            continue
        for key, document in table.items():
            if not isinstance(document, dict):
                raise ConfigurationError(f"given.{name}.{key} is {document!r}; expected a table")
            _check_shorthands(topic, f"given.{name}.{key}", document)
            answers[Question(topic, key)] = _document(topic, key, document)
    return answers


def _topic(name: str) -> Topic:
    try:
        return Topic(name)
    except ValueError:
        expected = ", ".join(topic.value for topic in Topic)
        raise ConfigurationError(f"given.{name} is not known; expected one of {expected}") from None


def _check_shorthands(topic: Topic, where: str, table: Mapping[str, Any]) -> None:
    """Refuse what would be without effect. Raises ConfigurationError."""
    known = _OF_TOPIC.get(topic, _OWNED)
    wrong = next((each for each in table if each[:1].islower() and each not in known), None)
    if wrong is not None:
        raise ConfigurationError(
            f"{where}.{wrong} is not known; expected {listed(known)}, "
            "or a member of what the daemon shows, such as Labels"
        )
    fault = fault_of(str(table["owner"]), CALLERS) if "owner" in table else None
    if fault:
        raise ConfigurationError(f"{where}.owner: {fault[0]}")


def _document(topic: Topic, key: str, table: Mapping[str, Any]) -> Answer:
    """Spell out the short forms as the daemon's inspect document has them."""
    if table.get("missing"):
        return MISSING
    document = {name: value for name, value in table.items() if name not in SHORTHANDS}
    labels = {
        label: str(table[short])
        for short, label in (("owner", OWNER), ("tenant", TENANT))
        if short in table
    }
    if topic is Topic.CONTAINER:
        config = dict(_inner(document, "Config"))
        config["Labels"] = {**_inner(config, "Labels"), **labels}
        host = {**ORDINARY, **_inner(document, "HostConfig")}
        return {"Id": key, "Name": f"/{key}", **document, "HostConfig": host, "Config": config}
    if topic is Topic.EXEC:
        process = {"user": table.get("user", ""), **_inner(document, "ProcessConfig")}
        return {
            "ID": key,
            "ContainerID": table.get("container", ""),
            **document,
            "ProcessConfig": process,
        }
    if topic is Topic.IMAGE:
        config = {"User": table.get("user", ""), **_inner(document, "Config")}
        if labels:
            config["Labels"] = {**_inner(config, "Labels"), **labels}
        return {"Id": "", "RepoTags": [], **document, "Config": config}
    if topic is Topic.TASK:
        return {"ID": key, "ServiceID": table.get("service", ""), **document}
    return _labelled(topic, key, document, labels)


def _labelled(
    topic: Topic, key: str, document: Mapping[str, Any], labels: Mapping[str, str]
) -> Answer:
    if topic is Topic.PATH:
        return {"path": key, **document}
    if topic in SPECIFIED:
        spec = _inner(document, "Spec")
        named = {"Name": key, **spec, "Labels": {**_inner(spec, "Labels"), **labels}}
        return {"ID": key, **document, "Spec": named}
    return {"Name": key, **document, "Labels": {**_inner(document, "Labels"), **labels}}


def _inner(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = document.get(name, {})
    if not isinstance(inner, dict):
        raise ConfigurationError(f"given: {name} is {inner!r}; expected a table")
    return inner


def stored_container(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a daemon would store for the body of a create, as far as facts need it."""
    host = body.get("HostConfig") or {}
    networks = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    return {
        "Name": f"/{name}",
        "Config": {key: value for key, value in body.items() if key not in _NOT_CONFIG},
        "HostConfig": {
            **{key: value for key, value in host.items() if value is not None},
            "IpcMode": host.get("IpcMode") or ORDINARY["IpcMode"],
            # An empty list is stored as one; only null is replaced by the daemon's own.
            **{key: host.get(key) for key in ("MaskedPaths", "ReadonlyPaths")},
        },
        "NetworkSettings": {"Networks": networks},
    }


_NOT_CONFIG = frozenset({"HostConfig", "NetworkingConfig"})
