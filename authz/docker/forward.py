"""What is sent to the daemon for a request that was judged.

The daemon must do what was judged, so nothing that a client wrote is passed on
as it came: the target is written anew from the decoded one, the document from
the canonical one, and of the headers only those stay that the daemon is known
to read. A body that nobody read is the exception; it follows unchanged.

Members and parameters without a description were judged by name
(``field.unknown``). Where a policy admits them, they are sent on as well.

Names can be replaced by what they meant when they were judged (:class:`Pins`);
which those are is for others to say.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

from authz.docker.canonical import variant
from authz.docker.content_type import JSON
from authz.docker.gojson import dumps, fold, loads
from authz.docker.query import parse_query
from authz.docker.request import ApiRequest
from authz.docker.routes import Operation
from authz.docker.target import read_target
from authz.wire.raw import RawRequest

Headers = tuple[tuple[str, str], ...]

_SWITCHES = {
    "ContainerAttach": "tcp",
    "ExecStart": "tcp",
    "ContainerAttachWebsocket": "websocket",
    "Session": "h2c",
    "Grpc": "h2c",
}
"""Operations that take a connection over, and to what it is switched."""

_BARE = frozenset({"ContainerAttach", "ExecStart"})
"""Operations that take it over without being asked for a switch as well."""

_KEPT = frozenset(
    {
        "accept",
        "accept-encoding",
        "baggage",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-registry-auth",
        "x-registry-config",
    }
)
"""Headers that the daemon reads for any operation; everything else stays here."""

_KEPT_OF = {
    "Session": ("x-docker-expose-session-",),
    "Grpc": ("x-docker-expose-session-",),
    "ContainerAttachWebsocket": ("origin", "sec-websocket-"),
    "ImageCreate": ("x-meta-",),
    "ImagePush": ("x-meta-",),
}
"""Beginnings of further names, by operation."""

_READING = frozenset({"GET", "HEAD"})
_MOST = 256
_LONGEST = 512
"""How many targets of what only reads are remembered, and of which length."""

_targets: dict[tuple[str, str], str] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a request is to be handled before it is judged.

    ``reads`` says that the body is part of the judgement. ``switch`` is what
    ``Upgrade`` may ask for, ``bare`` whether the daemon takes the connection
    over without it.
    """

    reads: bool = True
    switch: str = ""
    bare: bool = False


class Forward(NamedTuple):
    """A request as the daemon gets it, framing and ``Host`` aside.

    ``body`` is None where the client's body follows as it comes. A tuple, because one is
    made for each request.
    """

    method: str
    target: str
    headers: Headers
    body: bytes | None
    plan: Plan

    def signed(self, headers: Headers) -> "Forward":
        """Return it with further headers, by which a plugin knows who sent it."""
        return self._replace(headers=(*self.headers, *headers)) if headers else self


@dataclass(frozen=True, slots=True)
class Edit:
    """A member of a document, by the names that lead to it, and what it becomes."""

    place: tuple[str, ...]
    value: str | list[str]


@dataclass(frozen=True, slots=True)
class Pins:
    """What takes the place of names: path variables, parameters, members of the document."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: tuple[Edit, ...] = ()


_NO_PINS = Pins()


def plan(method: str, target: str) -> Plan:
    """Say how to handle a request. Raises RefusedError where the target cannot be read."""
    found = read_target(method, target)
    return _plan(variant(found.operations, found.pairs))


def forward(raw: RawRequest, request: ApiRequest, pins: Pins = _NO_PINS) -> Forward:
    """Write the request that was judged, with ids for names where there are pins."""
    operation = request.operation
    handling = _plan(operation)
    body = _body(raw, request, pins) if handling.reads else None
    media = JSON if body else request.content_type if body is None else ""
    headers = _headers(operation, raw.headers)
    if media:
        headers = (("Content-Type", media), *headers)
    return Forward(operation.method, _target(raw, request, pins), headers, body, handling)


def _plan(operation: Operation) -> Plan:
    return _plan_of(operation.name, operation.body)


@cache
def _plan_of(name: str, body: str) -> Plan:
    """Keep one plan for each operation."""
    return Plan(reads=body != "opaque", switch=_SWITCHES.get(name, ""), bare=name in _BARE)


def _target(raw: RawRequest, request: ApiRequest, pins: Pins) -> str:
    """Write it anew, or know it: the same reading, by the same pins, of what anybody may see."""
    if raw.method not in _READING or pins.path or pins.query or len(raw.target) > _LONGEST:
        return _escaped(raw, request, pins)
    known = _targets.get((raw.method, raw.target))
    if known is None:
        if len(_targets) >= _MOST:
            del _targets[next(iter(_targets))]
        known = _targets[raw.method, raw.target] = _escaped(raw, request, pins)
    return known


def _escaped(raw: RawRequest, request: ApiRequest, pins: Pins) -> str:
    """Escape by one rule: letters, digits, ``-._~``, and what separates parts of names."""
    path = request.operation.path
    for name, value in {**request.path, **pins.path}.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="/:@"))
    version = "/v{}.{}".format(*request.version) if request.version else ""
    pairs = [
        (name, pins.query.get(name, value))
        for name, values in request.query.items()
        for value in values
    ]
    pairs += _unknown(raw.target, request.unknown_fields)
    query = "&".join(f"{quote(n, safe='')}={quote(v, safe='/:@,')}" for n, v in pairs)
    return version + path + (f"?{query}" if query else "")


def _unknown(target: str, fields: Sequence[str]) -> list[tuple[str, str]]:
    names = {each.removeprefix("query.") for each in fields if each.startswith("query.")}
    if not names:
        return []
    pairs = parse_query(target.partition("?")[2])
    return [(name, value) for name, value in pairs if name in names]


def _body(raw: RawRequest, request: ApiRequest, pins: Pins) -> bytes:
    if request.body is None:
        return b""
    admits = any(not name.startswith("query.") for name in request.unknown_fields)
    document: Any = loads(raw.body) if admits else request.body
    for edit in pins.body:
        document = _edited(document, edit.place, edit.value)
    written = dumps(document) if admits else json.dumps(document, separators=(",", ":"))
    return written.encode("ascii")


def _edited(document: Any, place: Sequence[str], value: str | list[str]) -> Any:  # noqa: ANN401  any JSON
    """Return a document with one member changed, which may be spelt as the client did, or added."""
    if not place:
        return value
    members = document if isinstance(document, dict) else {}
    wanted = fold(place[0])
    spelt = [name for name in members if fold(name) == wanted] or [place[0]]
    changed = {name: _edited(members.get(name), place[1:], value) for name in spelt}
    return {**members, **changed}


def _headers(operation: Operation, headers: Sequence[tuple[str, str]]) -> Headers:
    further = _KEPT_OF.get(operation.name, ())
    found = [
        each
        for each in headers
        if (name := each[0].lower()) in _KEPT or (further and name.startswith(further))
    ]
    return tuple(found)
