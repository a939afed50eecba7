"""Any bytes as a message of the daemon: the request that it describes, or a refusal.

Knows what must hold of ``authz.plugin.protocol`` for every input; knows no fuzzer.
"""
# ruff: noqa: PT017  a fuzzer has no pytest

import base64
import json
from typing import Any

from authz.errors import Reason, RefusedError
from authz.plugin.protocol import MAX_BODY, read_call
from authz.wire.raw import BodyState, Door, RawRequest

REASONS = {Reason.UNREADABLE_REQUEST, Reason.BODY_TOO_LARGE}


def check(data: bytes) -> None:
    """Read a message; what is accepted says what any reader of JSON finds in it."""
    try:
        raw = read_call(data)
    except RefusedError as refusal:
        assert refusal.reason in REASONS
        assert refusal.detail.isprintable()
        return
    said = json.loads(data)
    assert raw.door is Door.PLUGIN
    assert (raw.method, raw.target) == (said["RequestMethod"], said["RequestUri"])
    assert len(raw.body) <= MAX_BODY
    assert base64.b64encode(raw.body).decode() == said.get("RequestBody", "") or _is_too_large(raw)
    assert len(dict(raw.headers)) == len(raw.headers) == len(said.get("RequestHeaders", {}))
    assert raw.evidence.daemon_user == said.get("User", "")
    assert read_call(json.dumps(message(raw, said)).encode()) == raw


def message(raw: RawRequest, said: dict[str, Any]) -> dict[str, Any]:
    """Write the message that describes this request, without what nobody reads."""
    members = {
        "User": raw.evidence.daemon_user,
        "UserAuthNMethod": raw.evidence.daemon_method,
        "RequestMethod": raw.method,
        "RequestUri": raw.target,
        "RequestBody": said.get("RequestBody", ""),
        "RequestHeaders": dict(raw.headers),
        "RequestPeerCertificates": said.get("RequestPeerCertificates", []),
    }
    return {name: value for name, value in members.items() if value}


def _is_too_large(raw: RawRequest) -> bool:
    return raw.body_state is BodyState.TOO_LARGE and not raw.body
