"""Random bytes and random tears: no error but the stated ones, and no byte without a judgement."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.proxy.commands import Abort, Close
from authz.proxy.exchange import Phase
from tests.proxy.playbook import Play
from tests.proxy.test_exchange import EXEC, GET, LOAD, OK, SMUGGLED, SWITCHED

pytestmark = pytest.mark.property

CHUNKED = LOAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
MEASURED = LOAD + b"Content-Length: 3\r\n\r\nabc"
REQUESTS = (GET, EXEC, CHUNKED, MEASURED, *SMUGGLED.values())
ANSWERS = (
    OK,
    SWITCHED,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"nonsense\r\n\r\n",
)


def torn(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [
        data[one:other]
        for one, other in zip([0, *places], [*places, len(data)], strict=True)
        if one < other
    ]


@st.composite
def streams(draw):
    """Draw requests that are in order or not, some of them with bytes changed, and their tears."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4))))
    for place, byte in draw(
        st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=3)
    ):
        data[place % len(data)] = byte
    return torn(bytes(data), draw(st.lists(st.integers(0, 4000), max_size=8)))


@settings(max_examples=400, deadline=None)
@given(streams(), st.lists(st.sampled_from(ANSWERS), max_size=4), st.booleans())
def test_nothing_breaks_and_nothing_slips(pieces, answers, allows):
    """Whatever is sent in whatever pieces, by either side."""
    play = Play(allows=allows)
    for index, piece in enumerate(pieces):
        play.send(piece)
        if index < len(answers) and play.exchange.phase in {Phase.DAEMON, Phase.TUNNEL}:
            play.answer(answers[index])
    play.end_daemon().end_client()

    assert play.dials <= len(play.judged)
    assert allows or play.daemon == b""
    if any(judge.problem for judge in play.judged):
        assert any(isinstance(command, Close | Abort) for command in play.others)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(REQUESTS), st.lists(st.integers(0, 4000), max_size=12))
def test_tears_change_nothing(request_bytes, cuts):
    """The daemon sees the same, the gate judges the same, the client reads the same."""
    whole = Play().send(request_bytes)
    parts = Play().send(*torn(request_bytes, cuts))

    assert [judge.body for judge in parts.judged] == [judge.body for judge in whole.judged]
    assert parts.client == whole.client
    if b"chunked" not in request_bytes:  # else framed anew by what arrives at once
        assert parts.daemon == whole.daemon


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ANSWERS), st.binary(max_size=40), st.lists(st.integers(0, 400), max_size=6))
def test_an_answer_never_becomes_a_tunnel_by_accident(answer, tail, cuts):
    """Nobody asked for a switch here; whatever the daemon says, HTTP goes on or ends."""
    play = Play().send(GET)
    for piece in torn(answer + tail, cuts):
        play.answer(piece)
    play.end_daemon()

    assert play.exchange.phase is not Phase.TUNNEL
