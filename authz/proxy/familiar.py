"""Heads that were read before: clients ask and daemons answer in the same words all the time.

What a head says depends on its bytes alone, so that equal bytes are not read
again. Nothing is refused here: what is not known is read by ``authz.proxy.head``,
and what that refuses is not remembered. Neither is what may hold a secret, a
credential above all. It does no I/O.
"""

from typing import TypeAlias, TypeVar

from authz.docker.forward import Plan, plan
from authz.errors import RefusedError
from authz.proxy import head
from authz.proxy.head import AnswerHead, Head

MOST = 256
"""Heads of either kind that are remembered."""

LONGEST = 1024
"""Bytes of one of them."""

_READING = frozenset({"GET", "HEAD"})
_OPEN = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers of requests that hold no secret."""

Asked: TypeAlias = tuple[Head, Plan | None]
"""A request's head, and how it is handled; None where its target cannot be read."""

Found = TypeVar("Found")

_requests: dict[bytes, Asked] = {}
_answers: dict[bytes, AnswerHead] = {}


def read_request(text: bytes) -> Asked:
    """Read a request's head, or know it. Raises FramingError."""
    known = _requests.get(text)
    if known is not None:
        return known
    found = head.read_request(text)
    handling: Plan | None
    try:
        handling = plan(found.method, found.target)
    except RefusedError:
        handling = None
    asked = found, handling
    if _is_open(found):
        _keep(_requests, text, asked)
    return asked


def read_answer(text: bytes) -> AnswerHead:
    """Read a response's head, or know it. Raises FramingError."""
    known = _answers.get(text)
    if known is None:
        known = head.read_answer(text)
        _keep(_answers, text, known)
    return known


def forget() -> None:
    """Remember nothing."""
    _requests.clear()
    _answers.clear()


def _is_open(found: Head) -> bool:
    """Say whether everybody may see it. Parameters of what changes something can be secrets."""
    if found.method not in _READING and "?" in found.target:
        return False
    return all(name.lower() in _OPEN for name, _ in found.headers)


def _keep(memory: dict[bytes, Found], text: bytes, found: Found) -> None:
    """Remember it, in place of what came first."""
    if len(text) > LONGEST:
        return
    if len(memory) >= MOST:
        del memory[next(iter(memory))]
    memory[text] = found
