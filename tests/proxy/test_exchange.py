"""Scripts of what clients and daemons send, and what comes out on both sides."""

import tracemalloc

import pytest

from authz.docker.forward import Forward, Plan
from authz.proxy.commands import (
    Abort,
    Close,
    Dial,
    EndClient,
    EndDaemon,
    Judge,
    Release,
    Tunnel,
)
from authz.proxy.exchange import MOST_WAITING, Exchange, Phase
from authz.wire.raw import BodyState
from tests.proxy.playbook import MAX_BODY, Play

GET = b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n"
INFO = b"GET /info HTTP/1.1\r\nHost: docker\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
START = b"POST /exec/a/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SWITCH = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"
SESSION = b"POST /session HTTP/1.1\r\nHost: x\r\n" + SWITCH.replace(b"tcp", b"h2c")
BODY = b'{"Tty": false}'
LOAD = b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n"
SWITCHED = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)


def with_body(head: bytes, body: bytes) -> bytes:
    """Put a body behind a head, with its length."""
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


EXEC = with_body(START + SWITCH, BODY)


def test_an_exchange_and_the_next():
    """A request goes out written anew, its answer comes back, the connection goes on."""
    play = Play().send(GET).answer(OK)

    assert play.daemon == INFO
    assert play.client == OK
    assert play.others == [Dial(INFO, repeatable=True), Release(reusable=True)]
    assert play.exchange.idle
    play.send(GET).answer(OK)
    assert play.client == OK + OK


@pytest.mark.parametrize("step", [1, 7])
def test_nothing_depends_on_how_bytes_are_torn(step):
    """Byte by byte on both sides."""
    pieces = [EXEC[at : at + step] for at in range(0, len(EXEC), step)]
    back = [OK[at : at + step] for at in range(0, len(OK), step)]
    play = Play().send(*pieces).answer(*back)

    assert play.judged[0].body == BODY
    assert play.client == OK


def test_the_second_of_two_waits_for_its_turn():
    """Pipelined requests are judged one behind the other."""
    play = Play().send(GET + GET)

    assert len(play.judged) == 1
    play.answer(OK)
    assert len(play.judged) == 2
    assert play.daemon == INFO + INFO


def test_a_client_cannot_run_far_ahead():
    """Beyond 64 KiB it has to wait."""
    play = Play().send(GET)

    assert play.exchange.wants_client
    play.send(b"x" * 70_000)
    assert not play.exchange.wants_client


def test_a_body_with_an_upgrade_is_read():
    """Every `docker exec` is a request with both."""
    play = Play().send(EXEC).answer(SWITCHED + b"out")

    assert play.judged[0].body == BODY
    assert b"Connection: Upgrade\r\nUpgrade: tcp\r\n" in play.daemon
    assert play.daemon.endswith(b'\r\n\r\n{"Tty":false}')
    assert play.client == SWITCHED + b"out"
    assert play.others[-1] == Tunnel()
    play.send(b"in").answer(b"more")
    assert play.daemon.endswith(b"in")
    assert play.client.endswith(b"more")


@pytest.mark.parametrize("step", [1, 1000])
def test_no_chunks_with_a_switch_are_no_body(step):
    """Node announces chunks and ends at once; the daemon hears of none."""
    sent = SESSION + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    play = Play().send(*(sent[at : at + step] for at in range(0, len(sent), step)))

    assert play.judged[0].state is BodyState.COMPLETE
    assert play.judged[0].problem is None
    play.answer(SWITCHED.replace(b"tcp", b"h2c")).send(b"raw")
    assert b"chunked" not in play.daemon
    assert play.daemon.endswith(b"\r\n\r\nraw")
    assert play.others[-1] == Tunnel()


@pytest.mark.parametrize(
    "body",
    [b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", b"Content-Length: 1\r\n\r\na"],
)
def test_a_body_that_streams_is_none_for_a_switch(body):
    """Where it ends the daemon and we could see differently."""
    play = Play().send(SESSION + body)

    assert "an upgrade and has a body that streams" in play.judged[0].problem.detail
    assert play.daemon == b""
    assert play.others[-1] == Close(linger=True)


def test_a_tunnel_ends_each_way_by_itself():
    """Half-close is passed on in both directions."""
    play = Play().send(EXEC).answer(SWITCHED).end_client().answer(b"late").end_daemon()

    assert play.others[-2:] == [EndDaemon(), EndClient()]
    assert play.client.endswith(b"late")


def test_what_was_sent_ahead_goes_into_the_tunnel():
    """A client may not wait for the switch."""
    play = Play().send(EXEC + b"early").answer(SWITCHED)

    assert play.daemon.endswith(b"early")


def test_a_raw_stream_without_a_switch_is_a_tunnel():
    """Old clients do not ask for one."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n"
    play = Play().send(with_body(START, BODY)).answer(raw)

    assert Tunnel() in play.others
    assert play.client == raw


def test_a_raw_stream_elsewhere_is_an_answer():
    """Logs have that type as well, and a length or chunks."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    logs = b"GET /containers/a/logs HTTP/1.1\r\nHost: x\r\n\r\n"
    play = Play().send(logs).answer(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")

    assert Tunnel() not in play.others
    assert play.exchange.idle


def test_a_switch_that_does_not_come_leaves_http():
    """A detached exec: the next request is judged like any other."""
    play = Play().send(EXEC).answer(OK)

    assert Tunnel() not in play.others
    play.send(GET)
    assert len(play.judged) == 2


def test_bytes_behind_a_switch_that_does_not_come_reach_nobody():
    """They were meant for a tunnel; neither the daemon nor the gate reads them as a request."""
    play = Play().send(EXEC + GET).answer(OK)

    assert len(play.judged) == 1
    assert INFO not in play.daemon
    assert play.others[-1] == Close(linger=True)


def test_a_refused_switch_with_bytes_behind_it_closes():
    """The same where the gate says no."""
    play = Play(allows=False).send(EXEC + GET)

    assert len(play.judged) == 1
    assert play.daemon == b""
    assert play.others == [Close(linger=True)]


def test_a_switch_that_nobody_asked_for_is_no_tunnel():
    """Whoever answers there is no daemon."""
    play = Play().send(GET).answer(SWITCHED)

    assert Tunnel() not in play.others
    assert play.client.startswith(b"HTTP/1.1 502 ")


SMUGGLED = {
    "bare line feeds": b"GET /info HTTP/1.1\nHost: x\n\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "length and chunked": with_body(LOAD + b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n") + GET,
    "two lengths": LOAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + GET,
    "folded": b"POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n"
    b"0\r\n\r\n" + GET,
    "gzip, chunked": LOAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + GET,
    "identity": LOAD + b"Transfer-Encoding: identity\r\n\r\n" + GET,
    "HTTP/1.0 in chunks": LOAD.replace(b"1.1", b"1.0")
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 with a body": with_body(LOAD.replace(b"1.1", b"1.0"), b"abc"),
    "two hosts": b"GET /info HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "an empty host": b"GET /info HTTP/1.1\r\nHost:\r\n\r\n",
    "an empty host for an exec": with_body(START.replace(b"Host: x", b"Host:"), BODY),
    "absolute form": b"GET http://x/info HTTP/1.1\r\nHost: x\r\n\r\n",
    "h2c on a create": with_body(
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"{}",
    ),
    "h2c on an exec": with_body(START + SWITCH.replace(b"tcp", b"h2c"), BODY),
    "h2c on a list": b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: h2c\r\n\r\n",
    "a body behind a session": with_body(
        b"POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", b"abc"
    ),
    "a line feed in a chunk": with_body(START, b"").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    + b"2\n{}\r\n0\r\n\r\n",
    "a chunk extension": START + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    "a trailer": START + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
}


@pytest.mark.parametrize("form", SMUGGLED)
def test_nothing_is_smuggled(form):
    """The daemon sees no byte, the client reads why, the connection ends."""
    play = Play().send(SMUGGLED[form])

    assert play.daemon == b""
    assert play.dials == 0
    assert int(play.client.split(b" ")[1]) in {400, 417, 501, 505}
    assert b"Connection: close\r\n" in play.client
    assert play.others == [Close(linger=True)]
    assert play.judged[0].problem is not None


def test_nothing_is_read_behind_broken_framing():
    """Not even a request that would be in order."""
    play = Play().send(SMUGGLED["two lengths"]).send(GET)

    assert len(play.judged) == 1
    assert play.exchange.phase is Phase.CLOSED


def test_an_empty_host_comes_with_a_switch():
    """Docker's clients send none for an attach, an exec and a session over a unix socket."""
    attach = Play().send(with_body((START + SWITCH).replace(b"Host: x", b"Host:"), BODY))
    assert b"\r\nHost: docker\r\n" in attach.daemon

    session = b"POST /session HTTP/1.1\r\nHost:\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    play = Play().send(session).answer(switched)

    assert b"\r\nHost: docker\r\n" in play.daemon
    assert Tunnel() in play.others


def test_what_the_gate_cannot_read_is_judged_without_its_body():
    """The gate says why; the body is not read, so that the connection ends."""
    play = Play().send(with_body(b"POST //x HTTP/1.1\r\nHost: x\r\n", b"abc"))

    assert play.judged == [Judge(play.judged[0].head, b"", BodyState.UNSEEN)]
    assert play.client.startswith(b"HTTP/1.1 403 ")
    assert play.others == [Close(linger=True)]


def test_a_refusal_does_not_end_the_connection():
    """Where everything was read, the next request is welcome."""
    play = Play(allows=False).send(with_body(START, BODY)).send(GET)

    assert play.client.count(b"HTTP/1.1 403 ") == 2
    assert play.others == []
    assert play.daemon == b""


def test_a_refusal_of_a_head_request_has_no_body():
    """The next answer would be taken for it."""
    play = Play(allows=False).send(b"HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\n")

    assert play.client.endswith(b"\r\n\r\n")


def test_a_body_above_the_limit_is_not_read():
    """Neither when its length says so, nor when its chunks add up."""
    said = Play().send(START + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1))
    grown = Play().send(
        START + b"Transfer-Encoding: chunked\r\n\r\n",
        b"%x\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1),
    )

    for play in (said, grown):
        assert play.judged[0].state is BodyState.TOO_LARGE
        assert play.others == [Close(linger=True)]
        assert play.daemon == b""


def test_a_document_in_many_chunks_takes_no_more_room_than_its_bytes():
    """Else a connection costs fifty megabytes before anybody has proved who it is."""
    play = Play(exchange=Exchange(100_000))
    play.send(START + b"Transfer-Encoding: chunked\r\n\r\n")
    tracemalloc.start()
    for _ in range(20):
        play.send(b"1\r\n \r\n" * 2500)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert not play.judged
    assert kept < 500_000
    play.send(b"2\r\n{}\r\n0\r\n\r\n")
    assert play.judged[0].body == b" " * 50_000 + b"{}"


def test_a_chunked_document_is_judged_and_measured():
    """The daemon gets the canonical one, with a length."""
    play = Play().send(START + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")

    assert play.daemon.endswith(b"Content-Length: 2\r\n\r\n{}")


def test_a_body_of_a_get_is_not_passed_on():
    """The daemon reads none there."""
    play = Play().send(with_body(b"GET /info HTTP/1.1\r\nHost: x\r\n", b"abc"))

    assert play.daemon == INFO


def test_a_stream_with_a_length_flows():
    """Judged by its head alone, then passed on piece by piece."""
    play = Play().send(LOAD + b"Content-Length: 6\r\n\r\nabc")

    assert play.daemon.endswith(b"Content-Length: 6\r\n\r\nabc")
    play.send(b"def").answer(OK)
    assert play.daemon.endswith(b"abcdef")
    assert play.others[-1] == Release(reusable=True)


def test_a_stream_in_chunks_is_framed_anew():
    """By whatever arrives at once."""
    play = Play().send(LOAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n02\r\nbc\r\n")

    assert play.daemon.endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    play.send(b"0\r\n\r\n" + GET)
    assert play.daemon.endswith(b"3\r\nabc\r\n0\r\n\r\n")
    play.answer(OK)
    assert play.daemon.endswith(INFO)


def test_broken_chunks_of_a_stream_cut_both_sides():
    """The daemon must not take half a body for a whole one."""
    play = Play().send(LOAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", b"x\r\n" + GET)

    assert b"0\r\n\r\n" not in play.daemon
    assert play.others[-2:] == [Release(reusable=False), Abort()]


def test_a_refused_stream_is_not_read():
    """The client reads the refusal while it may still send."""
    play = Play(allows=False).send(LOAD + b"Content-Length: 6\r\n\r\nabc", b"def" + GET)

    assert play.client.startswith(b"HTTP/1.1 403 ")
    assert play.others == [Close(linger=True)]


def test_an_answer_before_the_end_of_the_request_ends_the_connection():
    """The rest of the body is nobody's."""
    play = Play().send(LOAD + b"Content-Length: 6\r\n\r\nabc").answer(OK)

    assert play.others[-2:] == [Release(reusable=False), Close(linger=True)]


def test_expectations_are_met():
    """At once for a document; for a stream when it is allowed; never for what is refused."""
    head = b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"

    assert Play().send(START + head).client == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert Play().send(LOAD + head).client == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert Play(allows=False).send(LOAD + head).client.startswith(b"HTTP/1.1 403 ")


def test_interim_answers_stay_here():
    """Only the final one is the client's."""
    play = Play().send(GET).answer(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + OK)

    assert play.client == OK


@pytest.mark.parametrize(
    ("request_head", "answer_head"),
    [
        (b"HEAD /_ping HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        (b"GET /info HTTP/1.1", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET /info HTTP/1.1", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (b"GET /info HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body(request_head, answer_head):
    """Whatever length they state, the next message follows at once."""
    play = Play().send(request_head + b"\r\nHost: x\r\n\r\n").answer(answer_head)

    assert play.client == answer_head
    assert play.others[-1] == Release(reusable=True)
    assert play.exchange.idle


def test_an_answer_in_chunks_is_framed_anew():
    """Each piece goes on at once; trailers stay."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    play = Play().send(GET).answer(head, b"1\r\na\r\n2\r\nbc\r\n", b"1")

    assert play.client == head + b"3\r\nabc\r\n"
    play.answer(b"\r\nd\r\n0\r\nX: y\r\n\r\n")
    assert play.client == head + b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    assert play.others[-1] == Release(reusable=True)


def test_an_answer_that_ends_with_the_connection():
    """So it does for the client."""
    play = Play().send(GET).answer(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc", b"d").end_daemon()

    assert play.client == b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nabcd"
    assert play.others[-2:] == [Release(reusable=False), Close()]


def test_an_old_client_gets_no_chunks():
    """The end of the connection is the end of the answer."""
    play = (
        Play()
        .send(b"GET /info HTTP/1.0\r\n\r\n")
        .answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
    )

    assert play.client == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\na"
    assert play.others[-1] == Close()


@pytest.mark.parametrize(
    "half",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_half_an_answer_is_cut_off(half):
    """Nobody takes it for a whole one."""
    play = Play().send(GET).answer(half).end_daemon()

    assert play.others[-2:] == [Release(reusable=False), Abort()]
    assert not play.client.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n"])
def test_no_answer_is_told(said):
    """502, in the daemon's own format."""
    play = Play().send(GET).answer(*([said] if said else [])).end_daemon()

    assert play.client.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b'{"message": "dockgate: failed: ' in play.client
    assert Release(reusable=False) in play.others


def test_the_wish_to_close_is_passed_on():
    """To the client, not to the daemon."""
    play = Play().send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).answer(OK)

    assert b"Connection: close" not in play.daemon
    assert b"Connection: close\r\n" in play.client
    assert play.others[-2:] == [Release(reusable=True), Close()]


def test_a_daemon_that_closes_does_not_close_the_client():
    """Its connection is simply not used again."""
    answer = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    play = Play().send(GET).answer(answer)

    assert play.client == OK
    assert play.others[-1] == Release(reusable=False)
    assert play.exchange.idle


def test_bytes_behind_an_answer_are_not_the_next_one():
    """The daemon's connection carries nothing any more."""
    play = Play().send(GET).answer(OK + b"HTTP/1.1 200 OK\r\n\r\n")

    assert play.client == OK
    assert play.others[-1] == Release(reusable=False)


def test_a_client_that_ends_early_leaves_no_half_request():
    """Within a head, a document, or a stream."""
    for text in (b"", b"GET /in", START + b"Content-Length: 9\r\n\r\n{"):
        assert Play().send(text).end_client().others == [Close()]
    play = Play().send(LOAD + b"Content-Length: 6\r\n\r\nabc").end_client()
    assert play.others[-2:] == [Release(reusable=False), Close()]


def test_a_client_that_ends_behind_its_request_gets_its_answer():
    """As from the daemon itself, which is told."""
    play = Play().send(GET).end_client().answer(OK)

    assert play.client == OK
    assert play.others[-3:] == [EndDaemon(), Release(reusable=False), Close()]


def test_slow_clients_are_told():
    """408 in the middle of a request, nothing before one."""
    assert Play().exchange.timed_out() == [Close()]
    for text in (b"GET /in", START + b"Content-Length: 9\r\n\r\n{"):
        play = Play().send(text)
        play.take(play.exchange.timed_out())
        assert play.client.startswith(b"HTTP/1.1 408 ")
        assert play.others == [Close(linger=True)]


def test_nothing_goes_out_without_a_judgement():
    """A caller that mixes things up gets an error, not a hole."""
    play = Play()
    with pytest.raises(RuntimeError):
        play.exchange.judged(Forward("GET", "/info", (), b"", Plan()))
    play.exchange.from_client(LOAD + b"Content-Length: 3\r\n\r\n")
    with pytest.raises(RuntimeError):
        play.exchange.judged(Forward("GET", "/info", (), b"", Plan()))
    assert play.exchange.from_daemon(b"x") == []
    assert play.exchange.daemon_ended() == []
    assert play.exchange.from_client(b"x" * MOST_WAITING) == []
    assert not play.exchange.wants_client


def test_a_client_that_ends_while_it_is_judged_is_answered():
    """The request was whole."""
    play = Play()
    (judge,) = play.exchange.from_client(GET)
    assert play.exchange.client_ended() == []
    commands = play.exchange.judged(Forward("GET", "/info", (), b"", Plan()))

    assert isinstance(judge, Judge)
    assert commands == [Dial(INFO, repeatable=True), EndDaemon()]


def test_a_stream_whose_client_ends_while_it_is_judged_is_dropped():
    """Its body will never be whole."""
    play = Play()
    play.exchange.from_client(LOAD + b"Content-Length: 3\r\n\r\n")
    play.exchange.client_ended()
    commands = play.exchange.judged(Forward("POST", "/images/load", (), None, Plan(reads=False)))

    assert commands == [Release(reusable=False), Close()]
