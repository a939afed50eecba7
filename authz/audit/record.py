"""What was decided, in one line.

The record is the last value that a request becomes. Its members are read by
programs of other people, so they are added to and never renamed. What is
printed holds no secret: everything goes through ``authz.audit.redaction``.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from authz.audit.chain import Pieces
from authz.audit.redaction import Redaction
from authz.audit.stamp import stamp
from authz.docker.request import ApiRequest
from authz.docker.target import ASKING, SHORT
from authz.errors import Reason
from authz.identity.identity import Identity
from authz.policy.condition import KEYS
from authz.policy.decision import Effect, Outcome
from authz.wire.raw import BodyState, Door, RawRequest


class Mode(StrEnum):
    """Whether a policy's denial holds, or is only written down."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Asked(NamedTuple):
    """The request as it is recorded: without secrets, without the body.

    Members are empty where they are not known. ``body_sha256`` is the digest,
    in hex, of a body that was read; never of one that may be a secret.
    """

    method: str
    target: str
    operation: str = ""
    action: str = ""
    version: str = ""
    body_sha256: str = ""


@dataclass(slots=True)
class AuditRecord:
    """One decision. ``took_us`` is in microseconds, ``policy`` a digest in hex.

    ``identity`` and ``asked`` are None where they could not be told.
    ``detail`` says why a request was refused. ``enforced`` is False where
    shadow mode let through what the policy denies. Nobody changes one; it is not
    frozen, because one is made for each decision, and that would take four times as long.
    """

    id: str
    time: datetime
    door: Door
    mode: Mode
    enforced: bool
    identity: Identity | None
    asked: Asked | None
    context: Mapping[str, str] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    verdict: Effect = Effect.REFUSE
    reason: Reason = Reason.INTERNAL_ERROR
    detail: str = ""
    policy: str = ""
    took_us: int = 0
    redaction: Redaction = field(default_factory=Redaction, compare=False, repr=False)


def asked(
    raw: RawRequest, request: ApiRequest | None, redaction: Redaction, action: str = ""
) -> Asked:
    """Say what was asked, as far as it was read: ``request`` is None where it was not.

    The very same request, which is only asked for and came again, gives the very same value.
    """
    if request is None:
        return Asked(raw.method, redaction.raw_target(raw.target), action=action)
    if raw.method not in ASKING or raw.body or len(raw.target) > SHORT:
        return _asked_for(raw, request, redaction, action)
    known = _questions.get(id(request))
    # INVARIANT: what is kept holds its request, so that no other one can have its id.
    if known is not None and known[:3] == (request, redaction, action):
        return known[3]
    found = _asked_for(raw, request, redaction, action)
    if len(_questions) >= MOST_QUESTIONS:
        _questions.clear()
    _questions[id(request)] = request, redaction, action, found
    return found


MOST_QUESTIONS = 512
"""Requests whose printed form is kept."""

_questions: dict[int, tuple[ApiRequest, Redaction, str, Asked]] = {}

_printed: set[tuple[str, str]] = set()
"""Methods and short targets that are printed as they came: there was nothing to hide."""


def _target(raw: RawRequest, request: ApiRequest, redaction: Redaction) -> str:
    """Print the target; most are printed as they came, and come again."""
    key = raw.method, raw.target
    if key in _printed:
        return raw.target
    text = redaction.target(request)
    if text == raw.target and len(text) <= SHORT:
        if len(_printed) >= MOST_QUESTIONS:
            _printed.clear()
        _printed.add(key)
    return text


def _asked_for(raw: RawRequest, request: ApiRequest, redaction: Redaction, action: str) -> Asked:
    version = f"{request.version[0]}.{request.version[1]}" if request.version else ""
    return Asked(
        raw.method,
        _target(raw, request, redaction),
        request.operation.name,
        action or request.operation.action,
        version,
        _body_digest(raw, request),
    )


def as_json(record: AuditRecord) -> dict[str, Any]:
    """Return the members that every program sees: audit, ``decide`` and ``explain`` alike.

    What is not known is null, in the context of a judgement as well. Only
    ``body_sha256``, ``detail`` and a fact's ``error`` and ``looked_up`` are absent instead.
    """
    document = {
        "id": record.id,
        "time": stamp(record.time),
        "door": record.door.value,
        "mode": record.mode.value,
        "enforced": record.enforced,
        "identity": _identity(record.identity),
        "request": _asked(record.asked),
        "context": {
            **{key: record.redaction.text(text) for key, text in record.context.items()},
            **dict.fromkeys(_unknown(record.context)),
        },
        "facts": [_fact(outcome, record.redaction) for outcome in record.outcomes],
        "verdict": record.verdict.value,
        "reason": record.reason.value,
        "policy": record.policy or None,
        "took_us": record.took_us,
    }
    if record.detail:
        document["detail"] = record.redaction.text(record.detail)
    return document


def pieces(record: AuditRecord) -> Pieces:
    """Return the record as one line of ASCII, the line feed included, in three pieces.

    All that could move a cursor or end a line is escaped by JSON. The line is
    what JSON makes of ``as_json``; it is put together here, because the piece in
    the middle, which is most of it, was in a line before and need not be copied.
    """
    detail = f',"detail":{_quoted(record.redaction.text(record.detail))}' if record.detail else ""
    begin, middle, end = _middle(record)
    return (
        f'{{"id":{_quoted(record.id)},"time":"{stamp(record.time)}",{begin}'.encode("ascii"),
        middle,
        f'{end},"took_us":{record.took_us}{detail}}}\n'.encode("ascii"),
    )


MOST_SENTENCES = 256
"""Records whose text between id and time taken is kept."""

LONGEST: Final = 4096
"""Characters of such a text."""

_Middle: TypeAlias = tuple[str, bytes, str]

_sentences: dict[int, tuple[tuple[object, ...], _Middle]] = {}


def _middle(record: AuditRecord) -> _Middle:
    """Return what stands between the times: the same for a question that comes again.

    INVARIANT: it is kept with all that it says, which holds the request; a context is the
    same within a second, and what may be a secret is in none that is kept.
    """
    what = record.asked
    if what is None or what.body_sha256:
        return _written(record)
    known = _sentences.get(id(what))
    said = (
        what,
        record.outcomes,
        record.verdict,
        record.reason,
        record.policy,
        record.identity,
        record.enforced,
        record.mode,
        record.door,
        record.redaction,
        record.context,
    )
    if known is not None and known[0] == said:
        return known[1]
    begin, facts, end = _written(record)
    whole = begin.encode("ascii") + facts + end.encode("ascii")
    if len(whole) <= LONGEST and _is_plain(record):
        if len(_sentences) >= MOST_SENTENCES:
            _sentences.clear()
        _sentences[id(what)] = said, ("", whole, "")
    return "", whole, ""


def _is_plain(record: AuditRecord) -> bool:
    """Say whether a record may be kept: it holds no value that may be a secret."""
    return _is_short(record.context) and all(each.fact.memorable for each in record.outcomes)


def _written(record: AuditRecord) -> _Middle:
    """Return what stands before the facts, the facts, and what stands behind them."""
    redaction = record.redaction
    begin = (
        f'"door":{_quoted(record.door)},"mode":{_quoted(record.mode)},'
        f'"enforced":{"true" if record.enforced else "false"},'
        f'"identity":{_identity_text(record.identity)},"request":{_asked_text(record.asked)},'
        f'"context":{{{_context_text(redaction, record.context)}}},"facts":['
    )
    end = (
        f'],"verdict":{_quoted(record.verdict)},"reason":{_quoted(record.reason)},'
        f'"policy":{_or_null(record.policy)}'
    )
    return begin, _facts_text(record.outcomes, redaction), end


_ENCODER = json.JSONEncoder(separators=(",", ":"))
_quoted = json.encoder.encode_basestring_ascii

MOST_FRAGMENTS = 2048
"""Outcomes whose text is kept: a policy gives the same ones again and again."""

_fragments: dict[int, tuple[Outcome, Redaction, str]] = {}


def _fragment(outcome: Outcome, redaction: Redaction) -> str:
    """Return a fact as text, made once for an outcome that comes again."""
    known = _fragments.get(id(outcome))
    # INVARIANT: what is kept holds its outcome, so that no other one can have its id.
    if known is not None and known[0] is outcome and known[1] is redaction:
        return known[2]
    text = _ENCODER.encode(_fact(outcome, redaction))
    if outcome.fact.memorable:
        if len(_fragments) >= MOST_FRAGMENTS:
            _fragments.clear()
        _fragments[id(outcome)] = outcome, redaction, text
    return text


MOST_LISTS = 256
"""Outcomes of whole requests whose text is kept."""

_lists: dict[int, tuple[tuple[Outcome, ...], Redaction, bytes]] = {}


def _facts_text(outcomes: tuple[Outcome, ...], redaction: Redaction) -> bytes:
    """Return all facts as text; a policy gives the very same outcomes to the same request."""
    known = _lists.get(id(outcomes))
    # INVARIANT: what is kept holds its outcomes, so that no other ones can have their id.
    if known is not None and known[0] is outcomes and known[1] is redaction:
        return known[2]
    text = ",".join([_fragment(outcome, redaction) for outcome in outcomes]).encode("ascii")
    if all(outcome.fact.memorable for outcome in outcomes):
        if len(_lists) >= MOST_LISTS:
            _lists.clear()
        _lists[id(outcomes)] = outcomes, redaction, text
    return text


def _or_null(text: str) -> str:
    return _quoted(text) if text else "null"


LONGEST_CONTEXT = 1024
"""Characters of a context whose text is kept, so that no request says how much memory that is."""

MOST_CONTEXTS = 256
"""Contexts whose text is kept."""

_contexts: dict[tuple[object, ...], str] = {}


def _context_text(redaction: Redaction, context: Mapping[str, str]) -> str:
    """Return the members of a context: within a second a caller's questions share one.

    What may be a secret is not kept.
    """
    items = redaction, *context.items()
    known = _contexts.get(items)
    if known is not None:
        return known
    text = _members(redaction, context)
    if _is_short(context):
        if len(_contexts) >= MOST_CONTEXTS:
            _contexts.clear()
        _contexts[items] = text
    return text


def _unknown(context: Collection[str]) -> list[str]:
    """Return what a row may ask for and nobody knows."""
    return [key for key in KEYS if key not in context] if context else []


def _is_short(context: Mapping[str, str]) -> bool:
    whole = "".join([*context, *context.values()])
    return not ("@" in whole or "=" in whole or len(whole) > LONGEST_CONTEXT)


def _members(redaction: Redaction, context: Mapping[str, str]) -> str:
    told = [f"{_quoted(key)}:{_quoted(redaction.text(text))}" for key, text in context.items()]
    return ",".join([*told, *(f"{_quoted(key)}:null" for key in _unknown(context))])


@lru_cache(maxsize=256)
def _identity_text(identity: Identity | None) -> str:
    return _ENCODER.encode(_identity(identity))


def _asked_text(request: Asked | None) -> str:
    if request is None:
        return "null"
    digest = f',"body_sha256":{_quoted(request.body_sha256)}' if request.body_sha256 else ""
    return (
        f'{{"method":{_quoted(request.method)},"target":{_quoted(request.target)},'
        f'"operation":{_or_null(request.operation)},"action":{_or_null(request.action)},'
        f'"version":{_or_null(request.version)}{digest}}}'
    )


def _body_digest(raw: RawRequest, request: ApiRequest) -> str:
    """Digest a body that was read and that the table of operations does not call a secret."""
    seen = request.operation.body == "json" and raw.body_state is BodyState.COMPLETE and raw.body
    return hashlib.sha256(raw.body).hexdigest() if seen else ""


def _identity(identity: Identity | None) -> dict[str, Any] | None:
    if identity is None:
        return None
    return {
        "subject": identity.subject,
        "groups": list(identity.groups),
        "tenant": identity.tenant or None,
        "proof": identity.proof.value,
        "uid": identity.uid,
        "gid": identity.gid,
        "pid": identity.pid,
        "certificate": identity.certificate or None,
    }


def _asked(request: Asked | None) -> dict[str, Any] | None:
    if request is None:
        return None
    members: dict[str, Any] = {
        "method": request.method,
        "target": request.target,
        "operation": request.operation or None,
        "action": request.action or None,
        "version": request.version or None,
    }
    if request.body_sha256:
        members["body_sha256"] = request.body_sha256
    return members


def _fact(outcome: Outcome, redaction: Redaction) -> dict[str, Any]:
    """Show what became of a fact; where no row speaks of it, that is a denial."""
    row = outcome.row
    members: dict[str, Any] = {
        "fact": redaction.text(str(outcome.fact)),
        "verdict": outcome.word or "deny",
        "row": row.id if row else None,
        "at": row.at if row else None,
        "message": row.message if row else "",
    }
    if outcome.error:
        members["error"] = outcome.error
    if outcome.fact.looked_up:
        members["looked_up"] = True
    return members
