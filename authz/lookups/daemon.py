"""Asks the daemon about its objects.

Each question is one GET with a pass; only a clear "no such object" counts as
an answer beside the object itself. Whatever else comes back is a failure,
never a guess.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from authz.deadlines import Deadlines
from authz.errors import ConfigurationError, LookupFailedError
from authz.facts.questions import MISSING, Answer, Question, Topic
from authz.lookups.client import BrokenAnswerError, Client, Reply
from authz.lookups.lookup_pass import HEADER, Passes
from authz.lookups.targets import METHOD, target

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an inspect document; those of ordinary containers are below 20 kB."""

MOST_AT_ONCE = 32
"""Connections to the daemon; further questions wait for one, within their time."""

DAEMON_LASTS = 10.0
"""Seconds for which ``GET /info`` is believed: it is slow and changes with a restart only."""

TIME_LIMIT = 1.5
"""Seconds for one question, so that a round of them fits into a judgement."""

REMEMBERED = 32 * 1024
MOST_REMEMBERED = 64
"""Bytes of an answer that is kept beside what it means, and how many are."""

_OK = 200
_NOT_FOUND = 404
_UNAVAILABLE = 503

_OF_SWARM = frozenset({Topic.SERVICE, Topic.TASK, Topic.SECRET, Topic.CONFIG, Topic.NODE})
"""What only a manager of a swarm has; any other daemon says 503, also to the request itself."""

_NO_ROUTE = "page not found"
"""What the daemon's router says; it knows nothing about any object (moby api/server/server.go)."""

_TCP = re.compile(r"tcp://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


_DAEMON = Question(Topic.DAEMON, "")
_NOTHING: Mapping[Question, Answer] = {}


class DaemonLookups:
    """A client for inspect requests, over ``unix:///path`` or ``tcp://host:port``."""

    def __init__(
        self,
        address: str,
        passes: Passes,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        time_limit: float = TIME_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take note of the address; connections are made when they are needed.

        ``tls`` returns the context for the next one: files are read again while we run.
        Raises ConfigurationError where the address has another form.
        """
        path, host, port = parse_address(address)
        self._client = Client(path, host, port, tls=tls, most=MOST_AT_ONCE)
        self._passes = passes
        self._deadlines = Deadlines(time_limit)
        self._clock = clock
        self._read: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self._known: Mapping[Question, Answer] = _NOTHING
        self._known_size = 0
        self._daemon_until = float("-inf")
        self._daemon_asked = asyncio.Lock()

    async def answer(self, question: Question) -> Answer:
        """Return the inspect document, or MISSING. Raises LookupFailedError for anything else."""
        return (await self.sized(question))[0]

    async def sized(self, question: Question) -> tuple[Answer, int]:
        """Return the same, and how many bytes it was written in."""
        where = target(question)
        limit = self._deadlines.begin()
        try:
            async with limit:
                if question.topic is Topic.DAEMON:
                    return await self._of_daemon(where)
                return await self._ask(where, absent=question.topic in _OF_SWARM)
        except TimeoutError:
            raise LookupFailedError(f"{METHOD} {where}: no answer in time") from None
        finally:
            self._deadlines.end(limit)

    def ready(self, question: Question) -> bool:
        """Whether :meth:`answer_soon` may answer, and that without a task."""
        return question.topic is not Topic.DAEMON and self._client.ready

    async def answer_soon(self, question: Question, limits: Deadlines) -> Answer | None:
        """Do what :meth:`answer` does over a connection that is kept; None where it was closed.

        Raises LookupFailedError, and TimeoutError by the limits.
        """
        where = target(question)
        try:
            reply = await self._client.get_soon(
                where, lambda: self._pass(where), MAX_ANSWER, limits
            )
        except BrokenAnswerError as error:
            raise LookupFailedError(f"{METHOD} {where}: {error}") from error
        if reply is None:
            return None
        return self._meant(where, reply, absent=question.topic in _OF_SWARM)[0]

    def at_hand(self, questions: tuple[Question, ...]) -> Mapping[Question, Answer]:
        """Return what the daemon is, where that is asked and while it is believed."""
        believed = _DAEMON in questions and self._daemon_until > self._clock()
        return self._known if believed else _NOTHING

    async def close(self) -> None:
        """Close the connections."""
        self._client.close()

    async def stream(self, where: str) -> AsyncGenerator[bytes, None]:
        """Yield nothing once a stream is open, and then its pieces, to its end.

        Raises LookupFailedError where it cannot be opened, or breaks.
        """
        try:
            async with aclosing(self._client.stream(where, lambda: self._pass(where))) as pieces:
                async for piece in pieces:
                    yield piece
        except BrokenAnswerError as error:
            raise LookupFailedError(f"{METHOD} {where}: {error}") from error

    async def _of_daemon(self, where: str) -> tuple[Answer, int]:
        """Return what ``GET /info`` says; who asks meanwhile waits for the same answer."""
        async with self._daemon_asked:
            if self._daemon_until <= self._clock():
                answer = await self._ask(where)
                if answer[0] is MISSING:
                    raise LookupFailedError(f"{METHOD} {where}: status {_NOT_FOUND}")
                self._known, self._known_size = {_DAEMON: answer[0]}, answer[1]
                self._daemon_until = self._clock() + DAEMON_LASTS
            return self._known[_DAEMON], self._known_size

    async def _ask(self, where: str, *, absent: bool = False) -> tuple[Answer, int]:
        """Put a question; ``absent`` says that a daemon without a swarm has no such object."""
        try:
            reply = await self._client.get(where, lambda: self._pass(where), MAX_ANSWER)
        except BrokenAnswerError as error:
            raise LookupFailedError(f"{METHOD} {where}: {error}") from error
        return self._meant(where, reply, absent=absent)

    def _meant(self, where: str, reply: Reply, *, absent: bool) -> tuple[Answer, int]:
        """Say what the daemon means. Raises LookupFailedError."""
        status, body = reply
        if len(body) > MAX_ANSWER:
            raise LookupFailedError(f"{METHOD} {where}: answer above {MAX_ANSWER} bytes")
        document = self._document(where, status, body)
        if status == _OK:
            return document, len(body)
        message = document.get("message")
        gone = status == _NOT_FOUND or (absent and status == _UNAVAILABLE)
        if gone and isinstance(message, str) and message not in {"", _NO_ROUTE}:
            return MISSING, 0
        raise LookupFailedError(f"{METHOD} {where}: status {status}")

    def _pass(self, where: str) -> str:
        return f"{HEADER}: {self._passes.issue(METHOD, where)}"

    def _document(self, where: str, status: int, body: bytes) -> dict[str, Any]:
        """Read an answer. The very bytes that came last time mean the very same document."""
        known = self._read.get(where)
        if known is not None and known[0] == body:
            return known[1]
        document = _object(where, status, body)
        if len(body) <= REMEMBERED:
            if len(self._read) >= MOST_REMEMBERED:
                self._read.clear()
            self._read[where] = body, document
        return document


def parse_address(address: str) -> tuple[str, str, int]:
    """Return the path of a daemon's socket, or its host and port.

    Raises ConfigurationError where it is neither ``unix:///path`` nor ``tcp://host:port``.
    """
    path = address.removeprefix("unix://")
    if path != address and path.startswith("/") and path != "/" and "\0" not in path:
        return path, "", 0
    tcp = _TCP.fullmatch(address)
    if tcp and 0 < int(tcp["port"]) <= _LAST_PORT:
        return "", tcp["host"].strip("[]"), int(tcp["port"])
    raise ConfigurationError(
        f"daemon: is {address!r}; expected unix:///path/to.sock or tcp://host:port"
    )


def _object(where: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise LookupFailedError(f"{METHOD} {where}: status {status} with no JSON object")
    return document
