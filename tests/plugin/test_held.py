"""Answers that are held back until their records are written: several at once, and in order."""

import json
import socket
import threading
import time

import pytest

from authz.errors import AuditUnavailableError
from authz.plugin.protocol import ALLOWED
from tests.plugin import test_server
from tests.plugin.test_server import PING, REQUEST, answer_on, call, exchange, wait_for

plugin, policy = test_server.plugin, test_server.policy

MANY = 12


def asked(sock: socket.socket, count: int = 1) -> None:
    """Put questions without waiting for an answer."""
    sock.sendall(call(REQUEST, json.dumps(PING).encode()) * count)


def at_once(plugin, socks) -> None:
    """Let all of them ask in one turn of the event loop."""
    held, go = threading.Event(), threading.Event()
    plugin._loop.call_soon_threadsafe(lambda: (held.set(), go.wait(10)))
    assert held.wait(10)
    for sock in socks:
        asked(sock)
    go.set()


def test_what_is_asked_in_one_turn_is_written_in_one_piece(plugin):
    """And every one of them has its answer."""
    socks = [plugin.connect() for _ in range(MANY)]
    for sock in socks:
        exchange(sock, REQUEST, PING)
    del plugin.sink.writes[:]

    at_once(plugin, socks)
    answers = [answer_on(sock) for sock in socks]
    for sock in socks:
        sock.close()

    assert answers == [(200, ALLOWED)] * MANY
    assert plugin.sink.writes == [MANY]


def test_a_write_that_fails_refuses_all_that_it_was_for(plugin):
    """Nothing is let through that is not on the record, and then it goes on on the same lines."""
    socks = [plugin.connect() for _ in range(MANY)]
    for sock in socks:
        exchange(sock, REQUEST, PING)
    recorded = len(plugin.sink.records)
    plugin.sink.fault = AuditUnavailableError("disk full")

    at_once(plugin, socks)
    refused = [json.loads(answer_on(sock)[1]) for sock in socks]
    plugin.sink.fault = None
    again = [exchange(sock, REQUEST, PING) for sock in socks]
    for sock in socks:
        sock.close()

    assert {each["Allow"] for each in refused} == {False}
    assert all("audit_unavailable" in each["Msg"] for each in refused)
    assert again == [(200, ALLOWED)] * MANY
    assert len(plugin.sink.records) == recorded + MANY


def test_nothing_leaves_before_it_is_written(plugin):
    """However long that takes; what else comes meanwhile is held back as well."""
    plugin.sink.blocking = True
    plugin.sink.go.clear()
    with plugin.connect() as first, plugin.connect() as second:
        asked(first)
        wait_for(lambda: plugin.sink.threads)
        asked(second)
        first.settimeout(0.1)
        second.settimeout(0.1)
        for sock in (first, second):
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.settimeout(10)
        early = len(plugin.sink.records)
        plugin.sink.go.set()
        answers = [answer_on(first), answer_on(second)]

    assert early == 0
    assert answers == [(200, ALLOWED)] * 2
    assert len(plugin.sink.records) == 2


def test_calls_of_one_connection_keep_their_order(plugin):
    """Nothing overtakes an answer that is held back: not even what needs no record."""
    with plugin.connect() as sock:
        unknown = call("/nothing", b"{}")
        sock.sendall((call(REQUEST, json.dumps(PING).encode()) + unknown) * 3)
        written = b""
        while written.count(b"HTTP/1.1 ") < 6:
            written += sock.recv(65536)

    assert [int(part[:3]) for part in written.split(b"HTTP/1.1 ")[1:]] == [200, 404] * 3
    assert len(plugin.sink.records) == 3


def test_a_peer_that_leaves_has_its_record(plugin):
    """And the others have their answers."""
    leaving = plugin.connect()
    exchange(leaving, REQUEST, PING)
    at_once(plugin, [leaving])
    leaving.close()
    wait_for(lambda: len(plugin.sink.records) == 2)

    assert plugin.is_well()


def test_the_end_lets_go_of_what_is_held_back(plugin):
    """Who has asked has an answer before the service ends."""
    plugin.sink.blocking = True
    plugin.sink.go.clear()
    with plugin.connect() as first, plugin.connect() as second:
        asked(first)
        wait_for(lambda: plugin.sink.threads)
        asked(second)
        time.sleep(0.05)
        plugin.ask_to_stop()
        time.sleep(0.05)
        plugin.sink.go.set()
        answers = [answer_on(first), answer_on(second)]
        plugin.stop()

    assert answers == [(200, ALLOWED)] * 2
    assert len(plugin.sink.records) == 2


def test_an_answer_that_cannot_be_said_is_a_refusal(plugin, monkeypatch):
    """The daemon waits without a limit, so a defect answers too."""

    def failing(_verdict: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("authz.plugin.server._said", failing)
    plugin.passes = None
    with plugin.connect() as sock:
        status, body = exchange(sock, REQUEST, test_server.a_question("GET", "/no/such"))

    assert (status, json.loads(body)["Allow"]) == (500, False)
