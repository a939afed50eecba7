"""One request as one operation of the Engine API, or a refusal.

This is where target, headers and body meet. Whatever the daemon could read in
another way than we do, or could read without our seeing it, is refused.
"""

from functools import lru_cache
from typing import Any, NoReturn

from authz.docker.content_type import JSON, content_type
from authz.docker.fields import read_body, read_query
from authz.docker.gojson import quoted
from authz.docker.request import ApiRequest
from authz.docker.routes import Operation
from authz.docker.target import ASKING, SHORT, Target, read_target
from authz.errors import Reason, RefusedError
from authz.wire.raw import BodyState, Door, RawRequest

MAX_BODY = 256 * 1024
"""Bytes. The largest create seen from a client was a hundredth of it."""

_WITH_BODY = frozenset({"POST", "PUT"})
"""Methods whose body the daemon reads; it leaves that of others alone."""

_HIJACKED = "ContainerAttach"
"""The one operation whose body is the client's stream, which begins after the answer."""

_NOTHING = frozenset({b"", b"{}", b"null"})


def canonical(raw: RawRequest, *, max_body: int = MAX_BODY) -> ApiRequest:
    """Read a request as the daemon will; ``max_body`` in bytes.

    Raises RefusedError: UNKNOWN_ROUTE, UNREADABLE_REQUEST, LEGACY_FORM,
    BODY_INCOMPLETE or BODY_TOO_LARGE. No other error comes out, whatever the
    request holds.
    """
    target = read_target(raw.method, raw.target)
    media = content_type(raw.headers)
    if not media and raw.method in ASKING and len(raw.target) <= SHORT:
        return _asked_once(raw.method, raw.target)
    return _read(target, raw, media, max_body)


@lru_cache(maxsize=512)
def _asked_once(method: str, target: str) -> ApiRequest:
    """Read what is only asked for: that has no body, and comes again and again."""
    return _read(read_target(method, target), RawRequest(method, target), "", 0)


def _read(target: Target, raw: RawRequest, media: str, max_body: int) -> ApiRequest:
    operation = variant(target.operations, target.pairs)
    query, unknown = read_query(operation, target.pairs)
    body, members = _body(operation, raw, media, max_body)
    return ApiRequest(
        operation=operation,
        version=target.version,
        path=target.path,
        query=query,
        body=body,
        unknown_fields=unknown + members,
        opaque=operation.opaque if body is None else "",
        content_type=media,
    )


def variant(operations: tuple[Operation, ...], pairs: tuple[tuple[str, str], ...]) -> Operation:
    """Return the first operation whose variant holds; the last of a route has none.

    A parameter that comes twice is refused later, so any of its values will do.
    """
    given = dict(pairs)
    for operation in operations[:-1]:
        name, equals, value = operation.variant.partition("=")
        if given.get(name, "") == value if equals else given.get(name):
            return operation
    return operations[-1]


def _body(
    operation: Operation, raw: RawRequest, media: str, max_body: int
) -> tuple[Any, tuple[str, ...]]:
    """Return the document and its unknown members; what is opaque is left alone.

    An operation whose body is read and that has a word for the opaque one, too, is
    a login: most engines show its body to no plugin (moby pkg/authorization).
    """
    hidden = bool(operation.opaque) and raw.body_state is BodyState.UNSEEN
    if operation.body == "opaque" or hidden or raw.method not in _WITH_BODY:
        return None, ()
    if raw.body_state is BodyState.TOO_LARGE or len(raw.body) > max_body:
        _refuse(Reason.BODY_TOO_LARGE, f"body is larger than the {max_body} bytes that are read")
    if raw.body_state is BodyState.UNSEEN and operation.name != _HIJACKED:
        _refuse(Reason.BODY_INCOMPLETE, _hidden(operation, media))
    if operation.body == "none":
        _check_empty(operation, raw)
        return None, ()
    return _document(operation, raw, media)


def _document(operation: Operation, raw: RawRequest, media: str) -> tuple[Any, tuple[str, ...]]:
    if not raw.body:
        if operation.required:
            _refuse(Reason.BODY_INCOMPLETE, f"body of {operation.name} is missing")
        return None, ()
    if media != JSON:
        problem = f"Content-Type is {quoted(media)}; expected {JSON}"
        _refuse(Reason.UNREADABLE_REQUEST, problem)
    return read_body(operation, raw.body, rewritten=raw.door is Door.PROXY)


def _check_empty(operation: Operation, raw: RawRequest) -> None:
    """Refuse a body where the daemon reads none today; old ones read that of start.

    The proxy leaves it out: no daemon sees it, whatever it would have made of it
    (dockerode sends the parameters of a stop, a wait or a pull a second time).
    """
    if raw.body.strip(b" \t\r\n") in _NOTHING:
        return
    legacy = operation.name == "ContainerStart"
    if raw.door is Door.PROXY and not legacy:
        return
    reason = Reason.LEGACY_FORM if legacy else Reason.UNREADABLE_REQUEST
    _refuse(reason, f"{operation.name} has a body of {len(raw.body)} bytes; expected none")


def _hidden(operation: Operation, media: str) -> str:
    """Say what a client can do so that the body, or that there is none, is shown."""
    if operation.body == "none":
        return "body may be there and was not shown; expected Content-Length: 0"
    return f"body of type {quoted(media)} was not shown; expected one of type {JSON}"


def _refuse(reason: Reason, detail: str) -> NoReturn:
    raise RefusedError(reason, detail)
