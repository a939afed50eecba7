"""Ends of streams over TLS, each way by itself, in both versions of the protocol."""

import _ssl
import asyncio
import ctypes
import socket
import ssl

import pytest
import trustme

from authz.proxy import tls
from authz.proxy.tls import TlsTransport

AUTHORITY = trustme.CA()


class Recorder(asyncio.Protocol):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.transport: TlsTransport

    def connection_made(self, transport) -> None:
        """Remember."""
        self.transport = transport
        self.made.set_result(None)

    def data_received(self, data) -> None:
        """Remember."""
        self.data += data

    def eof_received(self) -> bool:
        """Remember, and stay."""
        self.ended.set_result(None)
        return True

    def connection_lost(self, exc) -> None:
        """Remember."""
        self.lost.set_result(exc)


def contexts(version=ssl.TLSVersion.TLSv1_3):
    """Return a server's and a client's, which verify each other."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost").configure_cert(server)
    AUTHORITY.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.issue_cert("client@example.com").configure_cert(client)
    AUTHORITY.configure_trust(client)
    client.maximum_version = version
    return server, client


async def pair(server_context, client_context):
    """Connect two recorders."""
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    server, client = Recorder(), Recorder()
    one = TlsTransport(server, server_context, server_side=True)
    other = TlsTransport(client, client_context, server_side=False, server_name="localhost")
    await loop.connect_accepted_socket(lambda: one, left)
    await loop.connect_accepted_socket(lambda: other, right)
    return server, client, one, other


async def settle(condition):
    """Wait until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  it is the other side's state
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("first", ["client", "server"])
async def test_each_side_ends_by_itself(version, first):
    """Whoever has ended still hears the other one, three megabytes long."""
    server, client, _, _ = await pair(*contexts(version))
    await asyncio.gather(server.made, client.made)
    one, other = (client, server) if first == "client" else (server, client)

    one.transport.write(b"question")
    one.transport.write_eof()
    await other.ended
    assert other.data == b"question"
    other.transport.write(b"x" * 3_000_000)
    other.transport.write_eof()
    await one.ended
    assert len(one.data) == 3_000_000
    one.transport.close()
    other.transport.close()
    await asyncio.gather(server.lost, client.lost)


async def test_the_clients_certificate_is_seen():
    """As the plain standard library shows it."""
    server, client, _, _ = await pair(*contexts())
    await asyncio.gather(server.made, client.made)

    assert server.transport.get_extra_info("ssl_object").getpeercert()["subjectAltName"] == (
        ("email", "client@example.com"),
    )
    assert server.transport.get_extra_info("socket") is not None
    client.transport.close()
    await server.ended
    server.transport.abort()
    await asyncio.gather(server.lost, client.lost)


async def test_a_cut_is_no_end():
    """Half a stream is not taken for a whole one."""
    server, client, _, other = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    client.transport.write(b"half")
    await settle(lambda: server.data)

    other._raw.abort()
    lost = await server.lost
    assert isinstance(lost, ConnectionResetError)
    assert not server.ended.done()
    await client.lost


async def test_a_paused_reader_gets_nothing_and_loses_nothing():
    """Also not the end."""
    server, client, _, _ = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    server.transport.pause_reading()
    assert not server.transport.is_reading()
    client.transport.write(b"x" * 1_000_000)
    client.transport.write_eof()
    await asyncio.sleep(0.05)
    assert server.data == b""

    server.transport.resume_reading()
    await server.ended
    assert len(server.data) == 1_000_000
    server.transport.close()
    client.transport.close()
    await asyncio.gather(server.lost, client.lost)


async def test_a_client_without_a_certificate_is_turned_away():
    """No protocol is connected."""
    server_context, _ = contexts()
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(client_context)
    server, client, one, _ = await pair(server_context, client_context)

    await settle(one.is_closing)
    assert isinstance(one.problem, ssl.SSLError)
    assert not server.made.done()
    await client.lost


async def test_a_slow_handshake_ends(monkeypatch):
    """A client that says nothing holds nothing."""
    monkeypatch.setattr(tls, "HANDSHAKE_TIME", 0.05)
    left, right = socket.socketpair()
    one = TlsTransport(Recorder(), contexts()[0], server_side=True)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: one, left)

    await settle(one.is_closing)
    assert isinstance(one.problem, TimeoutError)
    right.close()


async def test_nonsense_is_turned_away():
    """HTTP on a TLS port."""
    left, right = socket.socketpair()
    one = TlsTransport(Recorder(), contexts()[0], server_side=True)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: one, left)
    right.sendall(b"GET / HTTP/1.1\r\n\r\n")

    await settle(one.is_closing)
    right.close()


async def test_pauses_of_writing_are_passed_on():
    """Neither before the handshake, when there is nobody to tell, nor after the end."""
    server, client, one, _ = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    told = []
    server.pause_writing = lambda: told.append("pause")
    server.resume_writing = lambda: told.append("resume")
    one.pause_writing()
    one.resume_writing()
    assert told == ["pause", "resume"]
    assert server.transport.can_write_eof()
    assert server.transport.get_write_buffer_size() == 0
    server.transport.set_write_buffer_limits(1000)
    server.transport.write_eof()
    server.transport.write_eof()
    server.transport.write(b"nothing goes out any more")
    await client.ended
    assert client.data == b""
    client.transport.close()
    server.transport.close()
    await asyncio.gather(server.lost, client.lost)


async def test_broken_records_lose_the_connection():
    """What cannot be decrypted is no data and no end."""
    server, client, one, _ = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    one.data_received(b"\x17\x03\x03\x00\x20" + b"x" * 32)

    assert isinstance(await server.lost, ssl.SSLError)
    assert server.data == b""
    await client.lost


async def test_what_comes_behind_the_end_is_thrown_away():
    """Without an end to it, it would fill the memory."""
    server, client, one, _ = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    client.transport.write_eof()
    await server.ended
    for _ in range(100):
        one.data_received(b"x" * 10_000)

    assert one._incoming.pending == 0
    server.transport.write(b"still")
    await settle(lambda: client.data == b"still")
    one.abort()
    await asyncio.gather(server.lost, client.lost)


async def test_many_small_records_take_turns():
    """Whoever sends them does not hold up others, and loses nothing."""
    server, client, one, other = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    for _ in range(2000):
        other._tls.write(b"x")
    sent = other._outgoing.read()
    one.data_received(sent)
    at_once = len(server.data)
    one.pause_reading()
    one.resume_reading()  # what is asked for in between reads nothing further
    await settle(lambda: len(server.data) == 2000)
    other.write(b"more")
    await settle(lambda: server.data.endswith(b"more"))

    assert at_once <= 256
    other.write_eof()
    await server.ended
    server.transport.close()
    client.transport.close()
    await asyncio.gather(server.lost, client.lost)


async def test_who_leaves_before_his_turn_is_not_heard_any_more():
    """The protocol inside was told that the connection is lost."""
    server, client, one, other = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    for _ in range(2000):
        other._tls.write(b"x")
    one.data_received(other._outgoing.read())
    heard = len(server.data)
    one.abort()
    await server.lost
    await asyncio.sleep(0.01)

    assert len(server.data) == heard
    await client.lost


def new_keys(transport: TlsTransport, times: int) -> bytes:
    """Return requests for new keys, which Python has no name for."""
    library = ctypes.CDLL(_ssl.__file__)
    connection = ctypes.c_void_p.from_address(id(transport._tls._sslobj) + 24)  # PySSLSocket.ssl
    for _ in range(times):
        assert library.SSL_key_update(connection, 1) == 1
        assert library.SSL_do_handshake(connection) == 1
    return transport._outgoing.read()


async def test_records_without_data_have_an_end():
    """A few are answered; who sends very many keeps everybody waiting."""
    server, client, one, other = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    one.data_received(new_keys(other, 10))
    other.write(b"data")
    await settle(lambda: server.data == b"data")
    one.write(b"answer")
    await settle(lambda: client.data == b"answer")
    one.data_received(new_keys(other, 100))

    assert isinstance(await server.lost, ConnectionAbortedError)
    await client.lost


async def test_who_may_not_come_gets_no_handshake():
    """Nobody is told inside; the one outside hears why."""
    told = []
    left, right = socket.socketpair()
    server = Recorder()
    one = TlsTransport(
        server,
        contexts()[0],
        server_side=True,
        arrived=lambda transport: transport is None,
        failed=told.append,
    )
    await asyncio.get_running_loop().connect_accepted_socket(lambda: one, left)
    await settle(lambda: told)

    assert right.recv(100) == b""
    assert not server.made.done()
    right.close()


async def test_a_defect_behind_others_turns_ends_the_connection():
    """As the loop does it where it calls itself."""
    server, client, one, other = await pair(*contexts())
    await asyncio.gather(server.made, client.made)
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    for _ in range(2000):
        other._tls.write(b"x")
    one.data_received(other._outgoing.read())
    server.data_received = lambda _: 1 // 0

    assert isinstance(await server.lost, ZeroDivisionError)
    assert len(told) == 1
    await client.lost
