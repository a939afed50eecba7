"""Answers that are held back until their entries are judged, in an exchange."""

import json

import pytest

from authz.proxy.commands import Abort, Close, EndDaemon, Release
from authz.proxy.exchange import Phase
from tests.proxy.playbook import Play

LIST = b"GET /containers/json HTTP/1.1\r\nHost: x\r\n\r\n"
OLD_LIST = b"GET /containers/json HTTP/1.0\r\n\r\n"
EVENTS = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b'[{"Id":"mine"},{"Id":"other"}]\n'
LEFT = b'[{"Id":"mine"}]\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FRAMED = HEAD + b"Content-Length: %d\r\n\r\n" % len(LEFT) + LEFT
SWITCH = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def a_play(operation="ContainerList", **more):
    """Play with a sieve that shows what is mine."""
    return Play(sifts=operation, shows=lambda key: key.startswith("mine"), **more)


def sized(body=BODY):
    """Answer with a length."""
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunk(data):
    """Write a chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def an_event(key):
    """Write an event of a container."""
    event = {"Type": "container", "Actor": {"ID": key, "Attributes": {}}}
    return json.dumps(event).encode() + b"\n"


def message(play):
    """Return what the client is told of a failure."""
    head, _, body = play.client.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 ")
    return json.loads(body)["message"]


ANSWERS = {
    "a length": sized(),
    "one chunk": CHUNKED + chunk(BODY) + b"0\r\n\r\n",
    "chunks and a trailer": CHUNKED + chunk(BODY[:9]) + chunk(BODY[9:]) + b"0\r\nA: b\r\n\r\n",
    "an interim answer": b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + sized(),
}


@pytest.mark.parametrize("form", ANSWERS)
@pytest.mark.parametrize("step", [1, 10_000])
def test_what_is_left_of_a_list_has_its_own_length(form, step):
    """However it was framed, and torn; the connection to the daemon can be used again."""
    answer = ANSWERS[form]
    play = a_play().send(LIST).answer(*(answer[i : i + step] for i in range(0, len(answer), step)))

    assert play.client == FRAMED
    assert play.others[-1] == Release(reusable=True)
    assert (play.exchange.idle, play.exchange.sifting) == (True, False)
    assert play.sifting
    play.send(LIST).answer(sized())
    assert play.client == FRAMED * 2


def test_a_list_that_ends_with_its_connection():
    """It is whole when the daemon says so; the connection is not used again."""
    play = a_play().send(LIST).answer(HEAD + b"\r\n", BODY)
    assert play.client == b""
    play.end_daemon()

    assert play.client == FRAMED
    assert play.others[-1] == Release(reusable=False)


def test_what_is_behind_an_answer_spoils_the_connection():
    """It was nobody's answer."""
    play = a_play().send(LIST).answer(sized() + b"more")

    assert play.client == FRAMED
    assert play.others[-1] == Release(reusable=False)


def test_a_client_of_old_gets_a_length_too():
    """And its connection is closed."""
    play = a_play().send(OLD_LIST).answer(CHUNKED + chunk(BODY) + b"0\r\n\r\n")

    assert play.client == FRAMED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    assert play.others[-1] == Close()


@pytest.mark.parametrize("status", [b"404 Not Found", b"304 Not Modified", b"500 Oops"])
def test_what_is_no_list_passes_as_it_comes(status):
    """An error tells of no objects; 304 has no body."""
    body = b"" if status.startswith(b"304") else b'{"message":"no"}'
    answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    play = a_play().send(LIST).answer(answer[:20], answer[20:])

    assert play.client.split(b"\r\n")[0] == answer.split(b"\r\n")[0]
    assert play.client.endswith(body)
    assert play.sifting == []
    assert play.others[-1] == Release(reusable=True)


def test_an_error_may_end_with_its_connection():
    """As any answer may."""
    play = a_play().send(LIST).answer(b"HTTP/1.1 500 Oops\r\n\r\n", b"no").end_daemon()

    assert play.client == b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\nno"
    assert play.exchange.phase is Phase.CLOSED


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (sized(b"[}"), "it is no JSON"),
        (sized(BODY[:-2]), "it is no JSON"),
        (sized(b'{"Id":"mine"}'), "it is no list"),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]", "it is encoded"),
        (b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\n[]", "status 206 is none of a list"),
        (SWITCH, "status 101 is none of a list"),
        (b"HTTP/1.1 204 None\r\n\r\n", "status 204 is none of a list"),
        (CHUNKED + b"no size\r\n", "size of a chunk is not a hexadecimal number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "Content-Length"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_failure(answer, problem):
    """The client has nothing of it, and can ask again."""
    play = a_play().send(LIST).answer(answer)

    assert message(play).startswith("dockgate: failed: the daemon's answer cannot be read: ")
    assert problem in message(play)
    assert play.others[-1] == Release(reusable=False)
    assert play.exchange.idle


@pytest.mark.parametrize("answer", [b"", HEAD, sized()[:-3], CHUNKED + chunk(BODY)])
def test_half_a_list_is_a_failure(answer):
    """It was held back, so that the client can be told."""
    play = a_play().send(LIST)
    if answer:
        play.answer(answer)
    play.end_daemon()

    assert "before its answer was whole" in message(play)


def test_what_comes_while_entries_are_judged_changes_nothing():
    """The daemon may close meanwhile; a second answer is nobody's."""
    play = Play(sifts="ContainerList").send(LIST).answer(sized())
    assert play.exchange.sifting
    assert play.client == b""
    play.end_daemon()
    assert play.client == b""
    play.take(play.exchange.sifted(play.sifting[0].batch, [True, False]))

    assert play.client == FRAMED


def test_a_judgement_can_fail():
    """The client is told."""
    play = Play(sifts="ContainerList").send(LIST).answer(sized())
    play.take(play.exchange.unsifted(play.sifting[0].batch, "it took too long"))

    assert message(play) == "dockgate: failed: it took too long"
    assert play.exchange.idle
    assert play.exchange.unsifted(play.sifting[0].batch, "again") == []


def test_what_is_judged_too_late_reaches_nobody():
    """The exchange was cut off, or another one has begun."""
    play = Play(sifts="ContainerList").send(LIST).answer(sized())
    late = play.sifting[0].batch
    play.take(play.exchange.sifted(late, [True, True]))
    assert play.exchange.sifted(late, [True, True]) == []
    play.send(LIST)
    assert play.exchange.sifted(late, [True, True]) == []


def test_a_defect_of_the_driver_is_told():
    """There is nothing to pass on before something was to be judged."""
    play = Play(sifts="ContainerList").send(LIST)

    with pytest.raises(RuntimeError, match="nothing was to be judged"):
        play.exchange._reply.judged([])


def test_what_passed_is_counted():
    """Bytes of the daemon's, entries, and those among them that were hidden."""
    play = a_play().send(LIST)
    flow = play.exchange.flow
    play.answer(sized())

    assert (flow.status, flow.received, flow.entries, flow.hidden) == (200, len(BODY), 2, 1)


# --- events --------------------------------------------------------------------------------------


def test_events_are_passed_on_as_they_come():
    """The head at once, then what is seen, in chunks of our own; then the end."""
    play = a_play("SystemEvents").send(EVENTS).answer(CHUNKED)
    assert play.client == CHUNKED
    play.answer(chunk(an_event("mine-1") + an_event("other")))
    assert play.client == CHUNKED + chunk(an_event("mine-1"))
    play.answer(chunk(an_event("other"))).answer(chunk(an_event("mine-2")[:20]))
    assert play.client == CHUNKED + chunk(an_event("mine-1"))
    play.answer(chunk(an_event("mine-2")[20:])).answer(b"0\r\n\r\n")

    events = chunk(an_event("mine-1")) + chunk(an_event("mine-2"))
    assert play.client == CHUNKED + events + b"0\r\n\r\n"
    assert play.others[-1] == Release(reusable=True)
    assert play.exchange.idle


def test_events_wait_for_those_before():
    """One batch at a time; what comes meanwhile is the next."""
    play = Play(sifts="SystemEvents").send(EVENTS).answer(CHUNKED, chunk(an_event("a")))
    play.answer(chunk(an_event("b")), b"0\r\n\r\n")
    assert len(play.sifting) == 1
    play.take(play.exchange.sifted(play.sifting[0].batch, [False]))
    assert len(play.sifting) == 2
    assert play.client == CHUNKED
    play.take(play.exchange.sifted(play.sifting[1].batch, [True]))

    assert play.client == CHUNKED + chunk(an_event("b")) + b"0\r\n\r\n"


def test_events_for_a_client_of_old_end_with_its_connection():
    """It knows no chunks."""
    request = EVENTS.replace(b"1.1", b"1.0")
    play = a_play("SystemEvents").send(request).answer(CHUNKED, chunk(an_event("mine")))
    play.answer(b"0\r\n\r\n")

    assert play.client == HEAD + b"Connection: close\r\n\r\n" + an_event("mine")
    assert play.others[-1] == Close()


def test_a_stream_that_breaks_is_cut_off():
    """The client has its beginning, so that an end would be a lie."""
    play = a_play("SystemEvents").send(EVENTS).answer(CHUNKED, chunk(an_event("mine")))
    play.answer(b"no chunk\r\n")

    assert play.others[-2:] == [Release(reusable=False), Abort()]
    play = a_play("SystemEvents").send(EVENTS).answer(CHUNKED).end_daemon()
    assert play.others[-1] == Abort()


def test_a_judgement_of_events_that_fails_cuts_them_off():
    """Nobody can tell what would be missing."""
    play = Play(sifts="SystemEvents").send(EVENTS).answer(CHUNKED, chunk(an_event("a")))
    play.take(play.exchange.unsifted(play.sifting[0].batch, "late"))

    assert play.others[-1] == Abort()
    assert play.exchange.sifted(play.sifting[0].batch, [True]) == []


def test_a_client_that_has_ended_is_told_to_the_daemon():
    """As without a sieve: the daemon gives up, or goes on."""
    play = a_play("SystemEvents").send(EVENTS).answer(CHUNKED).end_client()

    assert play.others[-1] == EndDaemon()
    assert play.exchange.phase is Phase.DAEMON


def test_an_error_instead_of_events_passes():
    """As it comes."""
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
    play = a_play("SystemEvents").send(EVENTS).answer(answer)

    assert play.client == answer
    assert play.exchange.idle
