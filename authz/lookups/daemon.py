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
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from yarl import URL

from authz.errors import ConfigurationError, LookupFailedError
from authz.facts.questions import MISSING, Answer, Question, Topic
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

_OK = 200
_NOT_FOUND = 404
_UNAVAILABLE = 503

_OF_SWARM = frozenset({Topic.SERVICE, Topic.TASK, Topic.SECRET, Topic.CONFIG, Topic.NODE})
"""What only a manager of a swarm has; any other daemon says 503, also to the request itself."""

_NO_ROUTE = "page not found"
"""What the daemon's router says; it knows nothing about any object (moby api/server/server.go)."""

_TCP = re.compile(r"tcp://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


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
        self._socket, self._origin = _parse(address, secure=tls is not None)
        self._passes = passes
        self._tls = tls
        self._time_limit = time_limit
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._daemon: tuple[float, tuple[Answer, int]] | None = None
        self._daemon_asked = asyncio.Lock()

    async def answer(self, question: Question) -> Answer:
        """Return the inspect document, or MISSING. Raises LookupFailedError for anything else."""
        return (await self.sized(question))[0]

    async def sized(self, question: Question) -> tuple[Answer, int]:
        """Return the same, and how many bytes it was written in."""
        where = target(question)
        try:
            async with asyncio.timeout(self._time_limit):
                if question.topic is Topic.DAEMON:
                    return await self._of_daemon(where)
                return await self._ask(where, absent=question.topic in _OF_SWARM)
        except TimeoutError:
            raise LookupFailedError(f"{METHOD} {where}: no answer in time") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def stream(self, where: str) -> AsyncGenerator[bytes, None]:
        """Yield nothing once a stream is open, and then its pieces, to its end.

        Raises LookupFailedError where it cannot be opened, or breaks.
        """
        try:
            async with self._request(where) as response:
                if response.status != _OK:
                    raise LookupFailedError(f"{METHOD} {where}: status {response.status}")
                yield b""
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise LookupFailedError(f"{METHOD} {where}: {error}") from error

    async def _of_daemon(self, where: str) -> tuple[Answer, int]:
        """Return what ``GET /info`` says; who asks meanwhile waits for the same answer."""
        async with self._daemon_asked:
            if self._daemon is None or self._daemon[0] <= self._clock():
                answer = await self._ask(where)
                if answer[0] is MISSING:
                    raise LookupFailedError(f"{METHOD} {where}: status {_NOT_FOUND}")
                self._daemon = (self._clock() + DAEMON_LASTS, answer)
            return self._daemon[1]

    async def _ask(self, where: str, *, absent: bool = False) -> tuple[Answer, int]:
        """Put a question; ``absent`` says that a daemon without a swarm has no such object."""
        try:
            status, body = await self._get(where)
        except (aiohttp.ClientError, OSError) as error:
            raise LookupFailedError(f"{METHOD} {where}: {error}") from error
        document = _object(where, status, body)
        if status == _OK:
            return document, len(body)
        message = document.get("message")
        gone = status == _NOT_FOUND or (absent and status == _UNAVAILABLE)
        if gone and isinstance(message, str) and message not in {"", _NO_ROUTE}:
            return MISSING, 0
        raise LookupFailedError(f"{METHOD} {where}: status {status}")

    async def _get(self, where: str) -> tuple[int, bytes]:
        """Send one request and read its answer up to the limit."""
        async with self._request(where) as response:
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > MAX_ANSWER:
                    raise LookupFailedError(f"{METHOD} {where}: answer above {MAX_ANSWER} bytes")
                chunks.append(chunk)
            return response.status, b"".join(chunks)

    def _request(self, where: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._client().request(
            METHOD,
            # The target was made canonical; it must arrive as the pass names it.
            URL(self._origin + where, encoded=True),
            headers={HEADER: self._passes.issue(METHOD, where), "Accept-Encoding": "identity"},
            allow_redirects=False,
            ssl=self._tls() if self._tls else True,
        )

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = (
                aiohttp.UnixConnector(self._socket, limit=MOST_AT_ONCE)
                if self._socket
                else aiohttp.TCPConnector(limit=MOST_AT_ONCE)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(),  # the whole question has a limit instead
                trust_env=False,
            )
        return self._session


def _parse(address: str, *, secure: bool) -> tuple[str, str]:
    """Return the path of a socket, or nothing, and the origin of URLs."""
    path = address.removeprefix("unix://")
    if path != address and path.startswith("/") and path != "/" and "\0" not in path:
        return path, "http://docker"
    tcp = _TCP.fullmatch(address)
    if tcp and 0 < int(tcp["port"]) <= _LAST_PORT:
        return "", f"{'https' if secure else 'http'}://{tcp['host']}:{tcp['port']}"
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
