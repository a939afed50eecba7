"""Where keys come from: files and https, with what was good last and limits on asking."""

import asyncio
import ssl

import pytest
import trustme
from structlog.testing import capture_logs

from authz.errors import ConfigurationError, RefusedError
from authz.identity.keys import KeyRing
from authz.lookups import jwks
from authz.lookups.jwks import KeySource
from authz.wire.evidence import Evidence
from tests.identity.tokens import EC, EDWARDS, USUAL, Issuer, a_jwk, a_set, a_token

AUTHORITY = trustme.CA()
TOKEN = Evidence(bearer=a_token())
UNKNOWN = Evidence(bearer=a_token(header={"kid": "gone"}))


def a_source(place: str, issuer: Issuer, **options) -> KeySource:
    """Return a source for an issuer whose keys are not known yet."""
    issuer.ring = KeyRing(lambda: issuer.now)
    issuer.bearer._ring = issuer.ring
    return KeySource(place, issuer.ring, issuer.bearer, clock=lambda: issuer.now, **options)


class Server:
    """An https server that counts, and answers what it is told."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked = 0
        self.url = ""
        self.tls = ssl.create_default_context()
        AUTHORITY.configure_trust(self.tls)

    async def serve(self, reader, writer):
        """Answer one request."""
        self.asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    async def __aenter__(self):
        """Listen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("localhost").configure_cert(context)
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{port}/keys"
        return self

    async def __aexit__(self, *_):
        """Stop."""
        self._server.close()
        await self._server.wait_closed()


def ok(body: bytes) -> bytes:
    """Write a response."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


async def test_a_file_is_read(tmp_path):
    """When a token needs it, and again when a key is not known."""
    path, issuer = tmp_path / "keys.json", Issuer()
    path.write_bytes(USUAL)
    source = a_source(str(path), issuer)

    await source.before(Evidence())
    await source.before(Evidence(bearer="nonsense"))
    assert issuer.ring.age is None
    await source.before(TOKEN)
    assert issuer.bearer(TOKEN).subject == "token:alice"


async def test_a_new_key_is_found():
    """The issuer has rotated: the old one is gone at once, the new one good."""
    issuer = Issuer()
    rotated = Evidence(bearer=a_token(EDWARDS, "EdDSA", header={"kid": "new"}))
    async with Server(ok(USUAL)) as server:
        source = a_source(server.url, issuer, tls=server.tls)
        await source.before(TOKEN)
        server.answer = ok(a_set(a_jwk(EDWARDS, "new")))
        issuer.now += jwks.PAUSE
        await source.before(rotated)

    assert issuer.bearer(rotated).subject == "token:alice"
    with pytest.raises(RefusedError, match="not known"):
        issuer.bearer(TOKEN)


async def test_a_key_that_was_taken_away_is_gone_with_a_reload(tmp_path):
    """Without waiting for the time at which the set would be read again."""
    path, issuer = tmp_path / "keys.json", Issuer()
    path.write_bytes(USUAL)
    source = a_source(str(path), issuer)
    await source.before(TOKEN)
    path.write_bytes(a_set(a_jwk(EDWARDS, "new")))
    await source.before(TOKEN)
    assert issuer.bearer(TOKEN).subject == "token:alice"

    source.outdate()
    await source.before(TOKEN)
    with pytest.raises(RefusedError, match="not known"):
        issuer.bearer(TOKEN)


async def test_the_issuer_is_not_asked_again_and_again():
    """A thousand tokens with unknown keys cost one fetch."""
    issuer = Issuer()
    async with Server(ok(USUAL)) as server:
        source = a_source(server.url, issuer, tls=server.tls)
        await asyncio.gather(*(source.before(UNKNOWN) for _ in range(1000)))
        assert server.asked == 1
        issuer.now += jwks.PAUSE
        await asyncio.gather(*(source.before(UNKNOWN) for _ in range(1000)))

    assert server.asked == 2


async def test_an_issuer_that_is_down_for_an_hour_stops_nobody():
    """What was good last is believed, for a day and no longer."""
    issuer = Issuer()
    async with Server(ok(USUAL)) as server:
        source = a_source(server.url, issuer, tls=server.tls)
        await source.before(TOKEN)
    issuer.now += 3600
    later = Evidence(bearer=a_token(iat=issuer.now, exp=issuer.now + 600))
    with capture_logs() as logs:
        await source.before(later)

    assert [entry["event"] for entry in logs] == ["keys.not_fetched"]
    assert issuer.bearer(later).subject == "token:alice"
    issuer.now += 24 * 3600
    with pytest.raises(RefusedError, match="not known"):
        issuer.bearer(Evidence(bearer=a_token(iat=issuer.now, exp=issuer.now + 600)))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: https://localhost/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        ok(b"{}"),
        ok(b"x" * (jwks.MOST_BYTES + 1)),
        ok(a_set(a_jwk(EC, "a", use="enc"))),
        b"nonsense\r\n\r\n",
    ],
    ids=["redirect", "missing", "no set", "too large", "no key", "no http"],
)
async def test_what_is_no_set_changes_nothing(answer):
    """Redirects are not followed, large documents not read."""
    issuer = Issuer()
    async with Server(answer) as server:
        source = a_source(server.url, issuer, tls=server.tls)
        await source.before(TOKEN)

    assert issuer.ring.age is None


async def test_a_slow_issuer_is_not_waited_for(monkeypatch):
    """A judgement has two seconds in all."""
    monkeypatch.setattr(jwks, "TIME_LIMIT", 0.05)
    issuer = Issuer()
    server = Server(ok(USUAL))

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server.serve = silent
    async with server:
        source = a_source(server.url, issuer, tls=server.tls)
        await source.before(TOKEN)

    assert issuer.ring.age is None


async def test_a_file_that_is_too_large_is_not_read(tmp_path):
    """Nor one that is missing."""
    (tmp_path / "large").write_bytes(b" " * (jwks.MOST_BYTES + 1))
    for name in ("large", "absent"):
        issuer = Issuer()
        await a_source(str(tmp_path / name), issuer).before(TOKEN)
        assert issuer.ring.age is None


def test_keys_do_not_come_in_the_clear():
    """Whoever sits between could bring his own."""
    with pytest.raises(ConfigurationError, match="expected https"):
        a_source("http://issuer.example/keys", Issuer())
