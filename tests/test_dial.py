"""One request and its answer, for commands."""

import socket
import ssl
import threading

import pytest
import trustme

from authz.dial import Reply, UnreachableError, ask
from tests.scripted_http import scripted


def test_a_request_is_answered(tmp_path):
    """Method, target, headers and a body that is sent as JSON."""
    with scripted(tmp_path / "s", {"POST /x": (201, b'{"a":1}')}) as server:
        answer = ask(f"unix://{tmp_path}/s", "POST", "/x", body={"b": 2}, headers={"K": "v"})

    assert (answer.status, answer.document()) == (201, {"a": 1})
    line, headers, body = server.asked[0]
    assert (line, headers["K"], headers["Content-Type"]) == ("POST /x", "v", "application/json")
    assert body == b'{"b": 2}'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_object_is_an_empty_one(body):
    """Whoever asks for a member gets none."""
    assert Reply(200, body).document() == {}
    assert Reply(200, body).message == ""


def test_an_error_says_why():
    """In the daemon's form, which is ours as well."""
    assert Reply(403, b'{"message":"denied"}').message == "denied"


@pytest.mark.parametrize("address", ["unix:///nowhere/s", "tcp://127.0.0.1:1", "tcp://:x", "/s"])
def test_nobody_there_is_told_with_the_address(address):
    """Whatever is wrong with it."""
    with pytest.raises(UnreachableError, match="^'?" + address):
        ask(address, "GET", "/")


def test_silence_has_an_end(tmp_path):
    """Who accepts and says nothing is not waited for."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/s")
        sock.listen()
        with pytest.raises(UnreachableError, match="no answer in time"):
            ask(f"unix://{tmp_path}/s", "GET", "/", time_limit=0.05)


def answering(sock, text, context=None):
    """Answer one connection, under TLS where there is a context."""

    def run():
        connection, _ = sock.accept()
        with connection:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            connection.recv(65536)
            connection.sendall(text)
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_nonsense_is_told():
    """What answers is no HTTP server."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        thread = answering(sock, b"220 smtp\r\n")
        with pytest.raises(UnreachableError, match="220 smtp"):
            ask(f"tcp://127.0.0.1:{sock.getsockname()[1]}", "GET", "/")
        thread.join()


def test_a_daemon_behind_tls_is_asked():
    """By its certificate."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        thread = answering(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", server)
        answer = ask(f"tcp://127.0.0.1:{sock.getsockname()[1]}", "GET", "/", tls=client)
        thread.join()

    assert answer.status == 200
