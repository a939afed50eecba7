"""Connections to the daemon: made, kept, thrown away."""

import asyncio
import socket
import ssl

import pytest
import trustme

from authz.errors import ConfigurationError
from authz.proxy import upstream
from authz.proxy.upstream import Daemon
from tests.fakes import until


class Holder:
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        """Take every call."""
        if not name.startswith("daemon_"):
            raise AttributeError(name)
        return lambda *arguments: self.told.append((name, *arguments))


async def echo(reader, writer):
    """Send everything back."""
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()


async def test_a_connection_is_kept_and_used_again(tmp_path):
    """For as long as nothing happens on it."""
    now = [0.0]
    path = tmp_path / "d.sock"
    async with await asyncio.start_unix_server(echo, path):
        daemon = Daemon(f"unix://{path}", clock=lambda: now[0])
        link = await daemon.connect()
        link.holder = holder = Holder()
        link.write(b"hi")
        await until(lambda: holder.told)
        daemon.keep(link)

        assert holder.told == [("daemon_data", b"hi")]
        assert daemon.idle() is link
        assert daemon.idle() is None
        daemon.keep(link)
        now[0] = upstream.IDLE_TIME
        assert daemon.idle() is None
        assert link.dead
        await asyncio.sleep(0.01)


async def test_connections_that_nobody_takes_do_not_stay(tmp_path):
    """The next that is given back ends those whose time is over."""
    now = [0.0]
    path = tmp_path / "d.sock"
    async with await asyncio.start_unix_server(echo, path):
        daemon = Daemon(f"unix://{path}", clock=lambda: now[0])
        old, new, newest = [await daemon.connect() for _ in range(3)]
        daemon.keep(old)
        now[0] = 1.0
        daemon.keep(new)
        now[0] = upstream.IDLE_TIME
        daemon.keep(newest)

        assert (old.dead, new.dead) == (True, False)
        assert [daemon.idle(), daemon.idle(), daemon.idle()] == [newest, new, None]
        new.drop()
        newest.drop()
        await asyncio.sleep(0.01)


async def test_what_happens_on_an_idle_connection_ends_it(tmp_path):
    """Bytes that nobody asked for belong to nobody."""
    path = tmp_path / "d.sock"
    async with await asyncio.start_unix_server(echo, path):
        daemon = Daemon(f"unix://{path}")
        link = await daemon.connect()
        daemon.keep(link)
        link.write(b"late")
        await until(lambda: link.dead)

        assert daemon.idle() is None
        other = await daemon.connect()
        daemon.keep(other)
        other.write_eof()
        await until(lambda: other.dead)
        daemon.close()


async def test_only_so_many_are_kept(tmp_path, monkeypatch):
    """The others are closed."""
    monkeypatch.setattr(upstream, "MOST_IDLE", 1)
    path = tmp_path / "d.sock"
    async with await asyncio.start_unix_server(echo, path):
        daemon = Daemon(f"unix://{path}")
        first, second = await daemon.connect(), await daemon.connect()
        daemon.keep(first)
        daemon.keep(second)

        assert (first.dead, second.dead) == (False, True)
        daemon.close()
        assert first.dead
        await asyncio.sleep(0.01)


async def test_a_daemon_behind_tls():
    """Its name is verified; ends of streams go each way."""
    authority, other = trustme.CA(), trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)

    async def answer(reader, writer):
        await reader.read(2)
        writer.write(b"ok")

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        for trusted in (authority, other):
            client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trusted.configure_trust(client)
            daemon = Daemon(f"tcp://localhost:{port}", tls=lambda client=client: client)
            if trusted is other:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await daemon.connect()
                continue
            link = await daemon.connect()
            link.holder = holder = Holder()
            link.write(b"hi")
            await until(lambda holder=holder: holder.told)
            assert holder.told[0] == ("daemon_data", b"ok")
            link.pause_reading()
            link.resume_reading()
            link.finish()
            await asyncio.sleep(0.01)


async def test_an_idle_connection_of_old_certificates_is_dropped():
    """A reload may have changed who is trusted, and who we are."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    contexts = []
    for _ in range(2):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(client)
        contexts.append(client)
    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        daemon = Daemon(f"tcp://localhost:{port}", tls=lambda: contexts[0])
        link = await daemon.connect()
        sock = link.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        daemon.keep(link)
        assert daemon.idle() is link
        daemon.keep(link)
        del contexts[0]
        assert daemon.idle() is None
        assert link.dead
        await asyncio.sleep(0.01)


async def test_pauses_are_passed_on(tmp_path):
    """In both directions, as long as somebody holds the connection."""
    path = tmp_path / "d.sock"
    async with await asyncio.start_unix_server(echo, path):
        link = await Daemon(f"unix://{path}").connect()
        link.pause_writing()
        link.resume_writing()
        link.holder = holder = Holder()
        link.pause_writing()
        link.resume_writing()
        link.connection_lost(None)

        assert [name for name, *_ in holder.told] == [
            "daemon_pause",
            "daemon_resume",
            "daemon_lost",
        ]
        link.drop()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("address", ["", "unix://relative", "http://x", "tcp://x", "tcp://x:1/y"])
def test_other_addresses_are_no_daemon(address):
    """A mistake in the settings."""
    with pytest.raises(ConfigurationError):
        Daemon(address)
