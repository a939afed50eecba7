"""Which decision an answer of the daemon belongs to, as far as that can be told.

The daemon asks a plugin twice and gives no id: before a request is done, and
when it has an answer. Both calls describe the same request, so its digest links
them; where equal requests are under way at once the oldest is taken, and the
record says how many it could have been. Nothing is kept of an answer but its
status, its size and the id of what was made.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from authz.lookups.lookup_pass import HEADER
from authz.wire.raw import RawRequest

MOST_PENDING = 4096
"""Requests whose answers are waited for; the oldest make room."""

_PASS = HEADER.lower()
_CREATED = 201
_IDS = ("Id", "ID", "Name")
"""What the daemon calls it; a volume has its name only."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


@dataclass(frozen=True, slots=True)
class Answered:
    """What is known of an answer. ``candidates`` decisions it may belong to."""

    request: str
    status: int
    object_id: str
    bytes_in: int
    bytes_out: int
    seconds: float
    candidates: int


class Outcomes:
    """Remembers what was let through until the daemon tells of its answer."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._pending: dict[bytes, deque[tuple[str, float]]] = {}
        self._count = 0

    def asked(self, raw: RawRequest, request: str) -> None:
        """Remember a request that was let through; ``request`` is the id of its decision."""
        key = _key(raw.method, raw.target, raw.evidence.daemon_user, raw.body)
        self._pending.setdefault(key, deque()).append((request, self._clock()))
        self._count += 1
        if self._count > MOST_PENDING:
            self._take(next(iter(self._pending)))

    def answered(self, document: bytes) -> Answered | None:
        """Read the document of an answer; None: it belongs to nothing that is remembered."""
        try:
            found = json.loads(document)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or _is_lookup(found.get("RequestHeaders")):
            return None
        body = _decoded(found.get("RequestBody"))
        key = _key(
            str(found.get("RequestMethod", "")),
            str(found.get("RequestUri", "")),
            str(found.get("User", "")),
            body,
        )
        candidates = len(self._pending.get(key, ()))
        if not candidates:
            return None
        request, began = self._take(key)
        status = found.get("ResponseStatusCode")
        answer = _decoded(found.get("ResponseBody"))
        return Answered(
            request,
            status if isinstance(status, int) else 0,
            _created(answer) if status == _CREATED else "",
            len(body),
            len(answer),
            self._clock() - began,
            candidates,
        )

    def _take(self, key: bytes) -> tuple[str, float]:
        waiting = self._pending[key]
        oldest = waiting.popleft()
        self._count -= 1
        if not waiting:
            del self._pending[key]
        return oldest


def _key(method: str, target: str, user: str, body: bytes) -> bytes:
    text = f"{method}\0{target}\0{user}".encode(errors="surrogatepass")
    return hashlib.sha256(b"%d\0%s%s" % (len(text), text, body)).digest()


def _is_lookup(headers: object) -> bool:
    """Say whether it is a look-up of our own: those are counted, not recorded."""
    named: Mapping[Any, Any] = headers if isinstance(headers, dict) else {}
    return any(str(name).lower() == _PASS for name in named)


def _decoded(text: object) -> bytes:
    try:
        return binascii.a2b_base64(text) if isinstance(text, str) else b""
    except ValueError:
        return b""


def _created(answer: bytes) -> str:
    """Return the id in the daemon's answer to a create."""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    found = [document.get(name) for name in _IDS] if isinstance(document, dict) else []
    return next((each for each in found if isinstance(each, str) and _NAME.fullmatch(each)), "")
