"""What was said of a create before: the same settings under the same answers give the same facts.

Programs make the same kinds of containers again and again, and describing one takes
a hundred microseconds. Whoever describes gets :func:`essence`: a request without what
the table of fields calls harmless, without its name, and with commands reduced to what
is said of them (``programs``). So nothing that is not part of the key can have a part
in the facts. It knows no setting and no kind.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from authz.docker.field_table import rows
from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.known import FactSettings, Known
from authz.facts.programs import reduced
from authz.facts.questions import Answer, Question, Topic

REMEMBERED: Final = frozenset({"ContainerCreate"})
"""Operations whose description costs more than this does."""

MOST: Final = 128
"""Requests that are remembered."""

MOST_WAYS: Final = 4
"""Sets of answers under which one request is remembered."""

_NAME: Final = "name"


class _Way(NamedTuple):
    """One way to describe a request: what was asked on it, what the answers were, what came out."""

    settings: FactSettings
    asked: tuple[tuple[Question, Answer | None], ...]
    facts: tuple[Fact, ...]


_ways: dict[bytes, list[_Way]] = {}


def essence(request: ApiRequest) -> ApiRequest:
    """Return what facts are made of: no name, no harmless member, no argument of a command."""
    query = {name: values for name, values in request.query.items() if name != _NAME}
    return replace(request, body=_essential(request.body), query=query)


def key(request: ApiRequest, known: Known) -> bytes:
    """Return what stands for a request's essence and for who asks; nothing can be read in it."""
    query = [(name, values) for name, values in request.query.items() if name != _NAME]
    identity = known.identity
    parts = (
        request.operation.name,
        request.version,
        query,
        list(request.path.items()),
        _essential(request.body),
        request.unknown_fields,
        request.opaque,
        identity.subject,
        identity.tenant,
        str(identity.proof),
    )
    # Version 2 of the format has no references: equal bytes are equal values, of equal types.
    return sha256(marshal.dumps(parts, 2)).digest()


def recall(wanted: bytes, known: Known) -> tuple[Fact, ...] | None:
    """Return the facts of an equal request with the very same answers; ask what it asked."""
    answers = known.answers
    for way in _ways.get(wanted, ()):
        if way.settings is known.settings and all(
            _same(question, answers.get(question), answer) for question, answer in way.asked
        ):
            known.pending.update(
                (question, None) for question, answer in way.asked if answer is None
            )
            return way.facts
    return None


def keep(wanted: bytes, known: Known, facts: tuple[Fact, ...]) -> None:
    """Remember facts, unless one of them may be a secret. Few are kept, the last ones."""
    if not all(fact.memorable for fact in facts):
        return
    if len(_ways) >= MOST:
        _ways.clear()
    asked = tuple((question, known.answers.get(question)) for question in known.asked)
    ways = _ways.setdefault(wanted, [])
    ways.insert(0, _Way(known.settings, asked, facts))
    del ways[MOST_WAYS:]


def _same(question: Question, given: Answer | None, known: Answer | None) -> bool:
    """Say whether two answers are the same one; where a path leads is a text, and compared."""
    return given is known or (question.topic is Topic.PATH and given == known)


def _essential(body: Mapping[str, Any] | None) -> dict[str, Any]:
    if not body:
        return {}
    harmless = _harmless()
    kept = {name: value for name, value in body.items() if name not in harmless}
    return kept | reduced(body)


@cache
def _harmless() -> frozenset[str]:
    return frozenset(
        row.name for row in rows() if row.type == "Config" and row.meaning == "harmless"
    )
