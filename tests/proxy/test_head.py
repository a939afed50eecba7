"""One reading of a head: what two readers could take in two ways is refused."""

from contextlib import suppress
from time import process_time

import pytest

from authz.proxy.head import Cutter, FramingError, read_answer, read_request


def a_head(*lines: str, first: str = "GET /info HTTP/1.1", host: bool = True) -> bytes:
    """Write a head without its last line ends."""
    return "\r\n".join([first, *(["Host: docker"] if host else []), *lines]).encode("latin-1")


def test_an_ordinary_head_is_read():
    """Method, target and headers as written."""
    head = read_request(
        a_head("Content-Type: application/json", "Content-Length: 12", first="POST /x HTTP/1.1")
    )

    assert (head.method, head.target, head.length, head.chunked) == ("POST", "/x", 12, False)
    assert head.headers[1] == ("Content-Type", "application/json")
    assert head.keep_alive
    assert head.has_body
    assert not head.without_host


REFUSED = {
    "no version": (a_head(first="GET /info"), 400),
    "HTTP/2": (a_head(first="GET /info HTTP/2.0"), 505),
    "HTTP/1.2": (a_head(first="GET /info HTTP/1.2"), 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0", 505),
    "two blanks": (a_head(first="GET  /info HTTP/1.1"), 400),
    "a line before it": (b"\r\n" + a_head(), 400),
    "absolute form": (a_head(first="GET http://docker/info HTTP/1.1"), 400),
    "authority form": (a_head(first="CONNECT docker:80 HTTP/1.1"), 400),
    "asterisk form": (a_head(first="OPTIONS * HTTP/1.1"), 400),
    "a byte that is not ASCII in the target": (a_head(first="GET /\xe9 HTTP/1.1"), 400),
    "a control character in a header": (a_head("X: a\x00b"), 400),
    "a byte that is not ASCII in a header": (a_head("X: \xe9"), 400),
    "no host": (a_head(host=False), 400),
    "two hosts": (a_head("Host: docker"), 400),
    "a host that is none": (a_head("Host: a b", host=False), 400),
    "a blank before the colon": (a_head("Content-Length : 5"), 400),
    "no colon": (a_head("Content-Length"), 400),
    "folded": (a_head("X: a", " b"), 400),
    "folded transfer encoding": (a_head("Transfer-Encoding:", " chunked"), 400),
    "length and chunked": (a_head("Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    "equal lengths": (a_head("Content-Length: 5", "Content-Length: 5"), 400),
    "conflicting lengths": (a_head("Content-Length: 5", "content-length: 6"), 400),
    "a list of lengths": (a_head("Content-Length: 5, 5"), 400),
    "a signed length": (a_head("Content-Length: +5"), 400),
    "a negative length": (a_head("Content-Length: -5"), 400),
    "a leading zero": (a_head("Content-Length: 05"), 400),
    "an empty length": (a_head("Content-Length:"), 400),
    "a huge length": (a_head("Content-Length: " + "9" * 19), 400),
    "identity": (a_head("Transfer-Encoding: identity"), 501),
    "two codings": (a_head("Transfer-Encoding: gzip, chunked"), 501),
    "chunked twice": (a_head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
    "a tab within the coding": (a_head("Transfer-Encoding: \tchunked\t,"), 501),
    "HTTP/1.0 in chunks": (
        a_head("Transfer-Encoding: chunked", first="POST /x HTTP/1.0"),
        400,
    ),
    "HTTP/1.0 with a body": (a_head("Content-Length: 5", first="POST /x HTTP/1.0"), 400),
    "HTTP/1.0 with an upgrade": (
        a_head("Connection: Upgrade", "Upgrade: tcp", first="POST /x HTTP/1.0"),
        400,
    ),
    "two types": (a_head("Content-Type: a/b", "Content-Type: a/b"), 400),
    "two credentials": (a_head("Authorization: Bearer a", "authorization: Bearer b"), 400),
    "two registry credentials": (a_head("X-Registry-Auth: a", "X-Registry-Auth: b"), 400),
    "a huge credential": (a_head("Authorization: Bearer " + "a" * 8192), 431),
    "too many headers": (a_head(*["X: y"] * 128), 431),
    "another expectation": (a_head("Expect: 200-ok"), 417),
    "an upgrade without its word": (a_head("Upgrade: h2c"), 400),
    "the word without an upgrade": (a_head("Connection: Upgrade"), 400),
    "two upgrades": (a_head("Connection: Upgrade", "Upgrade: tcp", "Upgrade: h2c"), 400),
    "a header taken away": (a_head("Connection: close, X-Registry-Auth"), 400),
    "HTTP2-Settings": (
        a_head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"),
        400,
    ),
    "close and keep-alive": (a_head("Connection: close, keep-alive"), 400),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_two_readers_take_in_two_ways_is_refused(form):
    """With the status that says why."""
    head, status = REFUSED[form]

    with pytest.raises(FramingError) as refused:
        read_request(head)

    assert refused.value.status == status


def test_a_refusal_shows_no_header():
    """A broken line can hold a credential."""
    with pytest.raises(FramingError) as refused:
        read_request(a_head("Authorization Bearer secret"))

    assert "secret" not in refused.value.detail


@pytest.mark.parametrize("word", ["chunked", "Chunked", "CHUNKED"])
def test_chunks_are_known_in_any_case(word):
    """As the daemon knows them."""
    head = read_request(a_head(f"Transfer-Encoding: {word}", first="POST /x HTTP/1.1"))

    assert head.chunked
    assert head.has_body


def test_an_empty_host_is_told():
    """Clients of the builder send one; whoever knows the operation says whether it may be."""
    head = read_request(a_head("Host:", "Connection: Upgrade", "Upgrade: H2C", host=False))

    assert head.without_host
    assert head.upgrade == "h2c"


def test_hosts_of_clients_are_taken():
    """A name, an escaped path of a socket, an address with a port."""
    for host in ("docker", "%2Fvar%2Frun%2Fdocker.sock", "[::1]:2376", "api.moby.localhost"):
        assert not read_request(a_head(f"Host: {host}", host=False)).without_host


def test_the_end_of_a_connection_is_read():
    """HTTP/1.0 ends with its answer, and so does whoever says close."""
    assert not read_request(a_head(first="GET /x HTTP/1.0", host=False)).keep_alive
    assert not read_request(a_head("Connection: Close")).keep_alive
    assert read_request(a_head("Connection: keep-alive")).keep_alive
    assert read_request(a_head("Expect: 100-Continue")).expects


def test_a_head_is_cut_wherever_it_is_torn():
    """Byte by byte, with the next one behind it."""
    cutter = Cutter()
    found = []
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest":
        cutter.add(bytes([byte]))
        found.append(cutter.cut())

    assert [head for head in found if head is not None] == [b"GET / HTTP/1.1\r\nHost: a"]
    assert cutter.rest() == b"rest"
    assert len(cutter) == 0


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    ],
)
def test_a_bare_line_end_is_refused(text):
    """At once: nobody waits for a CRLF that does not come."""
    cutter = Cutter()
    cutter.add(text)

    with pytest.raises(FramingError, match="CRLF"):
        cutter.cut()


def test_a_bare_line_end_is_seen_where_pieces_meet():
    """A carriage return at the end of a piece may still be half of a line end."""
    cutter = Cutter()
    cutter.add(b"GET / HTTP/1.1\r")
    assert cutter.cut() is None
    cutter.add(b"Host: a")

    with pytest.raises(FramingError, match="CRLF"):
        cutter.cut()


def test_a_head_without_end_is_refused():
    """At 64 KiB."""
    cutter = Cutter()
    cutter.add(b"GET / HTTP/1.1\r\nX: " + b"a" * 65536)

    with pytest.raises(FramingError) as refused:
        cutter.cut()

    assert refused.value.status == 431


def test_line_feeds_behind_the_head_are_no_lines():
    """The body may hold any byte."""
    cutter = Cutter()
    cutter.add(b"POST / HTTP/1.1\r\nHost: a\r\n\r\na\nb")

    assert cutter.cut() == b"POST / HTTP/1.1\r\nHost: a"


def test_an_answer_is_read():
    """Status, framing and whether the connection goes on."""
    head = read_answer(
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp"
    )

    assert (head.status, head.reason, head.upgrade) == (101, "UPGRADED", "tcp")
    assert head.length is None
    assert head.keep_alive


def test_an_answer_ends_its_connection():
    """By its word or by its version."""
    assert not read_answer(b"HTTP/1.1 200 OK\r\nConnection: close").keep_alive
    assert not read_answer(b"HTTP/1.0 200").keep_alive
    assert read_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").chunked
    assert read_answer(b"HTTP/1.1 200 OK\r\nServer: Docker/\xc3\xa9").headers


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/2 200 OK",
        b"HTTP/1.1 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\n folded",
    ],
)
def test_an_answer_that_reads_in_two_ways_is_refused(text):
    """A client behind us could take another end of it."""
    with pytest.raises(FramingError):
        read_answer(text)


@pytest.mark.parametrize("end", ["\x01", "x", ""])
def test_time_grows_with_the_length_alone(end):
    """Sixty kilobytes of blanks, from anybody, must not hold up all others for seconds."""
    head = f"GET / HTTP/1.1\r\nHost: x\r\nA: \t{' ' * 60_000}{end}".encode()
    began = process_time()
    with suppress(FramingError):
        assert read_request(head).headers[1] == ("A", end)
    with suppress(FramingError):
        read_answer(head.replace(b"GET / HTTP/1.1", b"HTTP/1.1 200 OK"))

    assert process_time() - began < 0.5
