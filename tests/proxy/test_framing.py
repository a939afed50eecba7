"""Where bodies end, however they are torn."""

import pytest

from authz.proxy.framing import Chunked, Measured, Unbounded, chunk
from authz.proxy.head import FramingError


def test_a_measured_body_ends_with_its_length():
    """What is behind it belongs to the next message."""
    body = Measured(5)

    assert body.feed(b"abc") == ([b"abc"], b"")
    assert not body.done
    assert body.feed(b"deGET") == ([b"de"], b"GET")
    assert body.done
    assert body.feed(b"more") == ([], b"more")


def test_a_measured_body_of_nothing_is_done():
    """Content-Length: 0."""
    body = Measured(0)

    assert body.done
    assert body.feed(b"") == ([], b"")


def test_an_unbounded_body_has_no_end():
    """Only the connection's end is one."""
    body = Unbounded()

    assert body.feed(b"abc") == ([b"abc"], b"")
    assert not body.done


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_chunks_are_read_wherever_they_are_torn(step):
    """Sizes in any case; what is behind the last one is left."""
    text = b"3\r\nabc\r\n0B\r\nhello\r\nyou!\r\n0\r\n\r\nGET"
    body = Chunked()
    found, rest = [], b""
    for at in range(0, len(text), step):
        pieces, behind = body.feed(text[at : at + step])
        found += pieces
        rest += behind

    assert b"".join(found) == b"abchello\r\nyou!"
    assert body.done
    assert rest == b"GET"


@pytest.mark.parametrize(
    "text",
    [
        b"3;name=value\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"\r\nabc\r\n",
        b"3\r\r\nabc\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\nX-Late: header\r\n\r\n",
        b"0" * 100,
    ],
)
def test_chunks_that_read_in_two_ways_are_refused(text):
    """Extensions, blanks, bare line feeds, trailers, huge sizes."""
    with pytest.raises(FramingError):
        Chunked().feed(text)


def test_trailers_of_an_answer_are_thrown_away():
    """The daemon may send some; nobody was promised them."""
    body = Chunked(trailers=True)

    assert body.feed(b"1\r\na\r\n0\r\nX: y\r\nZ: " + b"a" * 500 + b"\r\n\r\nrest") == (
        [b"a"],
        b"rest",
    )
    assert body.done


def test_trailers_have_a_limit():
    """Not even the daemon sends them without end."""
    with pytest.raises(FramingError):
        Chunked(trailers=True).feed(b"0\r\n" + b"X: aaaaaaaaaaaaaaaaaaa\r\n" * 1000)


def test_a_chunk_is_written():
    """An empty one would be the last."""
    assert chunk([b"ab", b"c"]) == b"3\r\nabc\r\n"
    assert chunk([]) == b""
