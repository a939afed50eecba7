"""Heads as the proxy writes them: requests for the daemon, answers for the client."""

from collections.abc import Sequence
from functools import lru_cache

from authz.docker.forward import Forward
from authz.proxy.head import AnswerHead, Head, Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

HOST = "docker"
"""What the daemon is told; it looks at none of it."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def request(forward: Forward, head: Head) -> bytes:
    """Write the request that was judged, with its body where that was read."""
    lines = [f"{forward.method} {forward.target} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in forward.headers]
    if forward.body is None and head.chunked:
        lines.append("Transfer-Encoding: chunked")
    elif forward.method in _WITH_BODY:
        length = head.length if forward.body is None else len(forward.body)
        lines.append(f"Content-Length: {length}")
    if head.upgrade:
        lines += ["Connection: Upgrade", f"Upgrade: {forward.plan.switch}"]
    return _written(lines, "ascii") + (forward.body or b"")


def answer(head: AnswerHead, *, framing: Sequence[str], closes: bool) -> bytes:
    """Write the daemon's answer; ``framing`` are the lines that say where its body ends."""
    lines = [*framing, "Connection: close"] if closes else framing
    return _begun(head.status, head.reason, head.headers) + _written(lines, "latin-1")


@lru_cache(maxsize=64)
def _begun(status: int, reason: str, headers: Headers) -> bytes:
    """Write what does not depend on the client: daemons say the same again and again."""
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP_BY_HOP]
    return "\r\n".join((*lines, "")).encode("latin-1")


def _written(lines: Sequence[str], encoding: str) -> bytes:
    return "\r\n".join((*lines, "", "")).encode(encoding)
