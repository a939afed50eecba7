"""Connections of followers, against real sockets."""

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from authz.errors import ConfigurationError
from authz.sinks.streams import Stream, Trust, context
from tests.fakes import wait_for
from tests.sinks.trust import both_sides


class Listener:
    """Accepts connections and keeps what comes."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.sock.getsockname()[1]
        self.taken = b""
        self.connections: list[socket.socket] = []
        self._tls = tls
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self.sock.accept()
                sock = self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self._read, args=(sock,), daemon=True).start()

    def _read(self, sock: socket.socket) -> None:
        while True:
            try:
                data = sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.taken += data

    def close(self) -> None:
        """Hang up on everybody."""
        self.sock.close()
        for each in self.connections:
            each.close()


@pytest.fixture
def listener():
    """Listen during a test."""
    found = Listener()
    yield found
    found.close()


def test_what_is_sent_arrives_and_settles(listener):
    """On one connection, which is made when it is needed."""
    stream = Stream("127.0.0.1", listener.port)
    assert stream.settled()
    stream.send(b"one ")
    stream.send(b"two")
    wait_for(stream.settled)
    wait_for(lambda: listener.taken == b"one two")
    stream.close()
    stream.close()

    assert len(listener.connections) == 1


def test_a_side_that_has_gone_is_noticed_before_anything_is_sent(listener):
    """Else it would go to nobody, and count as sent."""
    stream = Stream("127.0.0.1", listener.port)
    stream.send(b"one")
    wait_for(lambda: listener.taken == b"one")
    listener.connections[0].shutdown(socket.SHUT_RDWR)
    time.sleep(0.05)

    with pytest.raises(ConnectionResetError, match="the other side has closed"):
        stream.send(b"two")
    stream.close()


def test_what_nobody_reads_is_not_settled():
    """The other side's kernel has no room for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = Stream("127.0.0.1", server.getsockname()[1])
        stream.send(b"first")
        peer, _ = server.accept()
        wait_for(stream.settled)
        stream._sock.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                stream._sock.send(b"x" * 65536)

        assert not stream.settled()
        peer.close()
        stream.close()


def test_a_port_where_nobody_listens_is_an_error():
    """The follower tries again later."""
    with pytest.raises(OSError, match="refused"):
        Stream("127.0.0.1", 1).send(b"x")


def test_a_name_that_no_host_can_have_is_an_error():
    """Which a resolver would not even be asked for."""
    with pytest.raises(OSError, match=r"'x{64}\.example' is no name of a host"):
        Stream("x" * 64 + ".example", 1).send(b"x")


def test_tls_is_verified_and_closes_are_noticed(tmp_path: Path):
    """With our own certificate, where the other side wants one; a stranger gets nothing."""
    server, trust = both_sides(tmp_path)
    listener = Listener(server)
    stream = Stream("127.0.0.1", listener.port, context(trust))
    stream.send(b"secret")
    wait_for(stream.settled)
    wait_for(lambda: listener.taken == b"secret")
    stream.close()

    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        Stream("127.0.0.1", listener.port, context(Trust())).send(b"x")
    listener.close()


def test_nobody_is_asked_for_the_password_of_a_key(tmp_path: Path):
    """A service that starts at a terminal would wait for one."""
    _, trust = both_sides(tmp_path)
    key = serialization.load_pem_private_key(trust.key.read_bytes(), None)
    trust.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(ConfigurationError, match="the key is encrypted"):
        context(trust)


def test_files_that_are_none_are_told(tmp_path: Path):
    """At the start, not when the first line is sent."""
    with pytest.raises(ConfigurationError, match=r"audit\.forward: TLS files cannot be used"):
        context(Trust(ca=tmp_path / "none"))
