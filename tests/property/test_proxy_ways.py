"""The proxy's quick ways, held to the slow ones: equal values, equal refusals."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker import forward as writing
from authz.docker.canonical import canonical
from authz.docker.forward import forward, plan
from authz.errors import RefusedError
from authz.proxy import familiar, head
from authz.proxy.framing import LAST_CHUNK, Chunked, chunk
from authz.proxy.head import FramingError
from authz.wire.raw import Door, RawRequest

pytestmark = pytest.mark.property

REQUESTS = (
    b"GET /v1.47/containers/json?all=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: x",
    b"POST /containers/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp",
    b"POST /build?x=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Registry-Config: e30=",
    b"GET /nowhere HTTP/1.0\r\nHost: x\r\nContent-Length: 0",
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12",
    b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp",
    b"HTTP/1.0 404 Not Found\r\nTransfer-Encoding: chunked",
)
CHUNKS = (
    b"3\r\nabc\r\n",
    b"0B\r\nhello\r\nyou!\r\n",
    b"1\r\n\r\r\n",
    b"0\r\n\r\n",
    b"GET",
    b"\r\n",
)


def changed(texts):
    """Draw a few texts, most of them alike, some with bytes changed."""

    def change(parts):
        text, changes = bytearray(parts[0]), parts[1]
        for place, byte in changes:
            text[place % len(text)] = byte
        return bytes(text)

    byte = st.sampled_from(b"\r\n :;,0159aAfFxX/?&=.\x00\xe9") | st.integers(0, 255)
    changes = st.lists(st.tuples(st.integers(0, 400), byte), max_size=2)
    return st.lists(st.tuples(st.sampled_from(texts), changes).map(change), min_size=1, max_size=6)


def outcome(read, text):
    """Return what is read, or the words of the refusal."""
    try:
        return read(text)
    except FramingError as error:
        return error.detail, error.status


def anew(text):
    """Read a request by the slow way."""
    found = head.read_request(text)
    try:
        return found, plan(found.method, found.target)
    except RefusedError:
        return found, None


@settings(max_examples=150, deadline=None)
@given(changed(REQUESTS), changed(ANSWERS))
def test_what_was_read_before_reads_as_anew(requests, answers):
    """Whatever was read between."""
    familiar.forget()
    for _ in range(2):
        for text in requests:
            assert outcome(familiar.read_request, text) == outcome(anew, text)
        for text in answers:
            assert outcome(familiar.read_answer, text) == outcome(head.read_answer, text)


def fed(pieces, *, trailers):
    """Return the body of chunks, what is behind it and whether it is whole; or the refusal."""
    body, found, rest = Chunked(trailers=trailers), b"", b""
    try:
        for piece in pieces:
            if body.done:
                rest += piece
                continue
            contents, rest = body.feed(piece)
            found += b"".join(contents)
    except FramingError as error:
        return error.detail
    return found, rest, body.done


@settings(max_examples=200, deadline=None)
@given(
    st.lists(changed(CHUNKS).map(b"".join), min_size=1, max_size=3).map(b"".join),
    st.integers(1, 40),
    st.booleans(),
)
def test_whole_chunks_are_read_as_byte_by_byte(text, size, trailers):
    """A byte at a time never takes the quick way."""
    singly = fed([text[at : at + 1] for at in range(len(text))], trailers=trailers)

    assert fed([text], trailers=trailers) == singly
    assert fed([text[at : at + size] for at in range(0, len(text), size)], trailers=trailers) == (
        singly
    )


BODIES = (
    chunk([b"hello"]) + LAST_CHUNK,
    chunk([b"2\r\nhi"]) + LAST_CHUNK,
    b"12\r\nhi\r\n" + LAST_CHUNK,
    b"2\r\nhi2\r\nhi\r\n" + LAST_CHUNK,
    b"0\r\n2\r\nhi\r\n" + LAST_CHUNK,
    b"0B\r\nhello, you!\r\n" + LAST_CHUNK,
    chunk([b"x"]) + chunk([b"y"]) + LAST_CHUNK,
)


def continued(body, data):
    """Return what comes of more bytes; or the refusal."""
    try:
        pieces, rest = body.feed(data)
    except FramingError as error:
        return error.detail
    return b"".join(pieces), rest, body.done


@settings(max_examples=100, deadline=None)
@given(changed(BODIES))
def test_a_body_that_goes_on_as_it_is_would_be_written_so(texts):
    """And of all else nothing is taken, in the middle of a chunk above all."""
    for text, begun in itertools.product((*BODIES, *texts), range(9)):
        quick, slow = Chunked(trailers=True), Chunked(trailers=True)
        started = [continued(body, text[:begun]) for body in (quick, slow)]
        if isinstance(started[0], str) or quick.done:
            continue
        size, found = quick.alone(text[begun:]), continued(slow, text[begun:])
        if size:
            assert (len(found[0]), found[1:], quick.done) == (size, (b"", True), True)
            assert chunk([found[0]]) + LAST_CHUNK == text[begun:]
        else:
            assert continued(quick, text[begun:]) == found


def test_a_whole_body_goes_on_as_it_is():
    """The quick way is taken."""
    assert Chunked().alone(BODIES[0]) == 5
    assert [Chunked().alone(each) for each in BODIES[2:]] == [0] * 5


TARGETS = (
    b"/v1.47/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%22%5D%7D",
    b"/containers/web/json",
    b"/images/a%2fb/json?x=1",
    b"/_ping",
)


@settings(max_examples=150, deadline=None)
@given(changed(TARGETS))
def test_a_target_is_written_as_anew(targets):
    """Whatever was written between."""
    writing._targets.clear()
    for target in [*targets, *targets]:
        raw = RawRequest("GET", target.decode("latin-1"), (("Host", "x"),), door=Door.PROXY)
        try:
            request = canonical(raw)
        except RefusedError:
            continue
        assert forward(raw, request).target == writing._escaped(raw, request, writing.Pins())
