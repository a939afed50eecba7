"""Any method, target, type and body as one request: read, described, or refused.

Knows what must hold of ``authz.docker.canonical`` and of the facts for every
input; knows no fuzzer. The parts of the input stand on lines of their own:
method, target, Content-Type; the rest is the body.
"""
# ruff: noqa: PT017  a fuzzer has no pytest

import json
from dataclasses import replace

from authz.docker.canonical import canonical
from authz.docker.request import ApiRequest
from authz.errors import Reason, RefusedError
from authz.facts.build import describe, survey
from authz.identity.identity import Identity
from authz.wire.raw import RawRequest

REASONS = {
    Reason.UNREADABLE_REQUEST,
    Reason.UNKNOWN_ROUTE,
    Reason.LEGACY_FORM,
    Reason.BODY_INCOMPLETE,
    Reason.BODY_TOO_LARGE,
}
SOMEBODY = Identity("user:somebody")


def check(data: bytes) -> None:
    """Read a request; what was accepted and is written anew reads the same, and is described."""
    method, target, kind, body = (*data.split(b"\n", 3), b"", b"", b"", b"")[:4]
    headers = (("Content-Type", _text(kind)),) if kind else ()
    raw = RawRequest(_text(method), _text(target), headers, body)
    try:
        request = canonical(raw)
    except RefusedError as refusal:
        assert refusal.reason in REASONS
        assert refusal.detail.isprintable()
        return
    if isinstance(request.body, dict):
        again = canonical(replace(raw, body=json.dumps(request.body).encode()))
        assert again.body == request.body
        assert {name for name in again.unknown_fields if not name.startswith("query.")} == set()
    _check_facts(request)


def _check_facts(request: ApiRequest) -> None:
    """Nothing but a refusal comes out, and a request that is described says whose it touches."""
    try:
        survey(request, SOMEBODY, {})
        found = describe(request, SOMEBODY, {})
    except RefusedError as refusal:
        assert refusal.detail.isprintable()
        return
    told = {fact.value for fact in found.facts if fact.kind == "field.unknown"}
    assert any(fact.kind == "on" for fact in found.facts)
    assert set(request.unknown_fields) <= told


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
