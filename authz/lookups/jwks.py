"""Fetches the keys of a token issuer, from a file or over https.

A set that was good stays in force while no newer one can be had. Whoever shows
tokens with unknown keys cannot make this ask the issuer again and again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import structlog

from authz.errors import ConfigurationError, RefusedError
from authz.identity.bearer import Bearer
from authz.identity.keys import KeyRing, KeySetError, read_keys
from authz.wire.evidence import Evidence

MOST_BYTES = 256 * 1024
TIME_LIMIT = 1.0
"""Seconds for one fetch: a judgement waits for it."""

PAUSE = 30.0
"""Seconds between two fetches, whoever wants them."""

FRESH = 600.0
"""Seconds after which a set is fetched again although its keys are known."""

_OK = 200

log = structlog.get_logger(__name__)


class KeySource:
    """Fills a ring from one place."""

    def __init__(
        self,
        place: str,
        ring: KeyRing,
        bearer: Bearer,
        *,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take note of a path or an https URL. Raises ConfigurationError for another URL."""
        if "://" in place and not place.startswith("https://"):
            raise ConfigurationError(f"identity.jwt.jwks: is {place!r}; expected https, or a file")
        self._place = place
        self._ring = ring
        self._bearer = bearer
        self._tls = tls
        self._clock = clock
        self._tried: float | None = None
        self._outdated = False
        self._busy = asyncio.Lock()

    async def before(self, evidence: Evidence) -> None:
        """Have the key of a token ready, if it can be had. Raises nothing about the token."""
        if evidence.bearer is None:
            return
        try:
            kid = self._bearer.header(evidence.bearer)["kid"]
        except RefusedError:
            return  # the method says why
        age = self._ring.age
        if self._outdated or self._ring.find(kid) is None or age is None or age > FRESH:
            await self.refresh()

    def outdate(self) -> None:
        """Have the next token wait for keys of now: an operator may have taken one away."""
        self._outdated = True

    async def refresh(self) -> None:
        """Fetch, unless that was tried just now. A failure leaves what there is."""
        async with self._busy:
            recent = self._tried is not None and self._clock() - self._tried < PAUSE
            if recent and not self._outdated:
                return
            self._outdated = False
            self._tried = self._clock()
            try:
                async with asyncio.timeout(TIME_LIMIT):
                    document = await self._fetch()
                self._ring.replace(read_keys(document))
            except (KeySetError, OSError, aiohttp.ClientError) as error:
                log.warning("keys.not_fetched", place=self._place, problem=str(error))

    async def _fetch(self) -> bytes:
        if not self._place.startswith("https://"):
            return await asyncio.to_thread(_read, Path(self._place))
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            session.get(self._place, allow_redirects=False, ssl=self._tls or True) as response,
        ):
            if response.status != _OK:
                raise KeySetError(f"status is {response.status}; expected {_OK}")
            document = bytearray()
            async for piece in response.content.iter_any():
                document += piece
                if len(document) > MOST_BYTES:
                    raise KeySetError(f"is above {MOST_BYTES} bytes")
            return bytes(document)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        document = file.read(MOST_BYTES + 1)
    if len(document) > MOST_BYTES:
        raise KeySetError(f"is above {MOST_BYTES} bytes")
    return document
