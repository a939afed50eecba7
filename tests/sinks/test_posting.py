"""POSTs to a scripted collector: what counts as an answer, and what does not."""

import socket
import ssl
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from authz.sinks import posting
from authz.sinks.posting import LONGEST_ANSWER, Endpoint, Place
from authz.sinks.streams import Trust, context
from tests.sinks.collector import BrokenOff, answer, collecting
from tests.sinks.trust import both_sides


def an_endpoint(port: int, within: float = 10) -> Endpoint:
    """Return where a collector of this host is asked."""
    return Endpoint(Place("127.0.0.1", port, "/v1/logs"), within=within)


LONG = b"x" * 32 * 1024 * 1024


def once(port: int, content: bytes = b"{}") -> posting.Answer:
    """Send JSON on a connection of its own."""
    with closing(an_endpoint(port)) as endpoint:
        return post(endpoint, content)


def post(endpoint: Endpoint, content: bytes = b"{}") -> posting.Answer:
    """Send JSON."""
    return endpoint.post(content, "application/json")


def test_requests_share_a_connection():
    """Each with its type and length, and no proxy of the environment between."""
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("http_proxy", "http://127.0.0.1:1")
        endpoint = an_endpoint(collector.port)
        first, second = post(endpoint, b"{}"), post(endpoint, b"[1]")
        endpoint.close()
        endpoint.close()

    assert (first.status, first.taken, first.body) == (200, True, b'{"partialSuccess":{}}')
    assert second.taken
    assert collector.bodies == [b"{}", b"[1]"]
    assert len(collector.connections) == 1
    assert collector.heads[0].split("\r\n") == [
        "POST /v1/logs HTTP/1.1",
        f"Host: 127.0.0.1:{collector.port}",
        "User-Agent: dockgate",
        "Content-Type: application/json",
        "Content-Length: 2",
        "",
    ]


def test_a_connection_that_was_closed_meanwhile_is_replaced():
    """Nothing was sent yet, so that is no fault."""
    with collecting() as collector:
        endpoint = an_endpoint(collector.port)
        post(endpoint)
        collector.hang_up()
        time.sleep(0.05)
        again = post(endpoint)
        endpoint.close()

    assert again.taken
    assert len(collector.connections) == 2


@pytest.mark.parametrize(
    "extra",
    [
        answer("200 OK", b"{}", "Connection: close"),
        answer("200 OK", b"{}") + answer("200 OK", b"[]"),
        answer("200 OK", b"{}") + b"nonsense",
    ],
)
def test_a_connection_that_does_not_last_is_used_once(extra: bytes):
    """Because it says so, or holds what nobody asked for, which is nobody's answer."""
    with collecting() as collector:
        collector.script = [extra]
        endpoint = an_endpoint(collector.port)
        found = post(endpoint)
        post(endpoint)
        endpoint.close()

    assert (found.status, found.body) == (200, b"{}")
    assert len(collector.connections) == 2


def test_the_first_answer_counts():
    """A second one behind it changes neither its status nor its headers."""
    second = answer("200 OK", b"{}", "Retry-After: 9")
    with collecting() as collector:
        collector.script = [answer("503 Busy", b"no", "Retry-After: 5") + second]
        found = once(collector.port)

    assert (found.status, found.taken, found.retry_after, found.body) == (503, False, "5", b"no")


def test_a_provisional_answer_is_none():
    """The one behind it is."""
    with collecting() as collector:
        collector.script = [b"HTTP/1.1 100 Continue\r\n\r\n" + answer("400 Bad Request", b"x")]
        found = once(collector.port)

    assert (found.status, found.body) == (400, b"x")


def test_redirects_are_not_followed():
    """Lines go where the settings say."""
    with collecting() as collector:
        collector.script = [answer("307 Temporary Redirect", b"", "Location: /v1/logs")]
        found = once(collector.port)

    assert (found.status, found.taken) == (307, False)
    assert len(collector.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (b"", "ended before an answer was whole"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "ended before"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "ended before"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "ended before"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is no HTTP"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "no HTTP"),
        (answer("200 OK", b"x" * LONGEST_ANSWER), "is longer than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * LONGEST_ANSWER, "is longer than 65536 bytes"),
    ],
)
def test_a_success_that_is_not_whole_is_none(reply: bytes, problem: str):
    """The collector may have had the lines or not: they are sent again."""
    with collecting() as collector:
        collector.script = [BrokenOff(reply)]
        with pytest.raises(OSError, match=problem):
            once(collector.port)


@pytest.mark.parametrize(
    "reply",
    [
        answer("500 Internal Server Error", b"x" * 2 * LONGEST_ANSWER),
        b"HTTP/1.1 500 Internal Server Error\r\n\r\nxxx",
    ],
)
def test_a_refusal_need_not_be_whole(reply: bytes):
    """That it is one is known from its head; no more of it is read than is bounded."""
    with collecting() as collector:
        collector.script = [BrokenOff(reply)]
        found = once(collector.port)

    assert found.status == 500
    assert found.body[:3] == b"xxx"
    assert len(found.body) <= LONGEST_ANSWER + 16384


def test_an_answer_has_its_time():
    """One that comes byte by byte is given up all the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = an_endpoint(server.getsockname()[1], within=0.4)
        thread = threading.Thread(target=_trickle, args=(server,), daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            post(endpoint)
        took = time.monotonic() - began
        thread.join(10)

    assert 0.3 < took < 5


def _trickle(server: socket.socket) -> None:
    sock, _ = server.accept()
    with sock:
        sock.recv(65536)
        try:
            for each in answer("200 OK", b"{}" * 100):
                sock.sendall(bytes([each]))
                time.sleep(0.05)
        except OSError:
            return


@pytest.mark.parametrize("within", [0.3, 0])
def test_who_does_not_read_is_given_up(within: float):
    """A request has its time as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = an_endpoint(server.getsockname()[1], within)
        with pytest.raises(TimeoutError):
            post(endpoint, LONG)


@pytest.mark.parametrize(("status", "taken"), [("413 Content Too Large", None), ("200 OK", False)])
def test_an_answer_before_the_end_of_a_request_counts_only_as_a_refusal(status: str, taken: object):
    """Who hangs up before he has read it cannot have taken it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_hasty, args=(server, status), daemon=True).start()
        if taken is None:
            assert once(server.getsockname()[1], LONG).status == 413
        else:
            with pytest.raises(ConnectionError):
                once(server.getsockname()[1], LONG)


def _hasty(server: socket.socket, status: str) -> None:
    sock, _ = server.accept()
    with sock:
        sock.recv(16)
        sock.sendall(answer(status, b"{}"))


def test_a_port_where_nobody_listens_is_an_error():
    """The follower tries again later."""
    with pytest.raises(OSError, match="refused"):
        post(an_endpoint(1))


def test_tls_is_verified(tmp_path: Path):
    """With our own certificate, where the other side wants one; a stranger gets nothing."""
    server, trust = both_sides(tmp_path)
    with collecting(server) as collector:
        place = Place("127.0.0.1", collector.port, "/v1/logs")
        endpoint = Endpoint(place, context(trust))
        assert post(endpoint).taken
        assert post(endpoint, b"[]").taken
        endpoint.close()
        with pytest.raises(ssl.SSLError, match="certificate verify failed"):
            post(Endpoint(place, context(Trust())), b"secret")

    assert collector.bodies == [b"{}", b"[]"]
    assert len(collector.connections) == 1
