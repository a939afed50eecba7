"""Answers of the proxy's own, in the daemon's error format, so that clients print them."""

import json
from http import HTTPStatus

from authz.errors import Reason

STATUSES = {
    Reason.NO_CREDENTIAL: HTTPStatus.UNAUTHORIZED,
    Reason.BAD_CREDENTIAL: HTTPStatus.UNAUTHORIZED,
    Reason.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.LOOKUP_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.TIMEOUT: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.AUDIT_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each reason; of every other one it is 403."""


def status(reason: Reason) -> int:
    """Return the HTTP status by which a refusal is told."""
    return STATUSES.get(reason, HTTPStatus.FORBIDDEN)


def answer(status: int, message: str, *, closes: bool, bodiless: bool = False) -> bytes:
    """Write a whole response. ``bodiless`` answers a HEAD request."""
    body = json.dumps({"message": message}).encode("ascii") + b"\n"
    lines = [
        f"HTTP/1.1 {status} {_phrase(status)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if status == HTTPStatus.UNAUTHORIZED:
        lines.append('WWW-Authenticate: Bearer realm="dockgate"')
    if closes:
        lines.append("Connection: close")
    head = "\r\n".join((*lines, "", "")).encode("ascii")
    return head if bodiless else head + body


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
