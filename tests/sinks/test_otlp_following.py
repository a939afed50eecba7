"""A follower with a collector at its other end: nothing is lost, whatever that does."""

import json
import random
import socket
import ssl
import time
from pathlib import Path

import trustme
from structlog.testing import capture_logs

from authz.audit.sink import Sink
from authz.sinks.follower import BATCH, Follower
from authz.sinks.streams import Trust
from authz.sinks.targets import follower
from tests.audit.logs import a_log, write
from tests.audit.test_sink import a_record
from tests.fakes import wait_for
from tests.sinks import collector as scripted
from tests.sinks.collector import TAKEN, BrokenOff, answer, collecting, numbers


def test_every_line_arrives_whatever_the_collector_does(tmp_path: Path, monkeypatch):
    """In order, at least once, however answers break off, and while it is away."""
    monkeypatch.setattr("authz.sinks.follower.FIRST_WAIT", 0.01)
    monkeypatch.setattr("authz.sinks.follower.LONGEST_WAIT", 0.02)
    monkeypatch.setattr("authz.sinks.follower.LOOK", 0.01)
    chance = random.Random(7)  # noqa: S311  a plan
    faults = [
        BrokenOff(b""),
        BrokenOff(b"HTTP/1.1 2"),
        BrokenOff(answer("200 OK", TAKEN)[:-3]),
        b"nonsense\r\n\r\n",
        answer("503 Busy", b"", "Retry-After: 0"),
        answer("429 Too Many", b"{}"),
        BrokenOff(answer("502 Bad Gateway", b"<html>")[:-3]),
        answer("413 Content Too Large"),
        answer("200 OK", TAKEN),
        answer("200 OK", TAKEN, "Connection: close"),
    ]
    sink = Sink(tmp_path / "audit.jsonl")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    to = follower(tmp_path / "audit.jsonl", f"otlp+http://127.0.0.1:{port}/v1/logs", Trust())
    with capture_logs():
        to.start(sink.count)
        for number in range(30):
            sink.append(a_record(number))
        wait_for(lambda: to.problem != "")
        collector = scripted.Collector(port=port)
        collector.script = [chance.choice(faults) for _ in range(40)]
        for number in range(30, 250):
            sink.append(a_record(number))
            time.sleep(0.002)
        wait_for(lambda: to.sent_through == sink.count)
        count = sink.count
        to.stop()
        collector.close()
    sink.close()

    first = list(dict.fromkeys(each for body in collector.bodies for each in numbers(body)))
    assert sorted(set(collector.taken)) == list(range(1, count + 1))
    assert first == list(range(1, count + 1))
    assert json.loads(to._state.read_bytes()) == {"seq": count}


def test_a_crash_sends_again_what_was_not_noted(tmp_path: Path):
    """And no line is left out between two lives."""
    write(tmp_path / "audit.jsonl", a_log(BATCH + 10).lines)
    with collecting() as collector:
        name = f"otlp+http://127.0.0.1:{collector.port}/v1/logs"
        first = follower(tmp_path / "audit.jsonl", name, Trust())
        first.step()
        _leave(first)
        second = follower(tmp_path / "audit.jsonl", name, Trust())
        second.step()
        _leave(second)

    assert collector.taken == list(range(1, BATCH + 11))


def test_what_was_thrown_away_is_counted(tmp_path: Path):
    """By the follower, for readyz and the metrics; the position moves on."""
    write(tmp_path / "audit.jsonl", a_log(3).lines)
    with collecting() as collector, capture_logs():
        collector.script = [answer("200 OK", b'{"partialSuccess":{"rejectedLogRecords":2}}')]
        name = f"otlp+http://127.0.0.1:{collector.port}/v1/logs"
        to = follower(tmp_path / "audit.jsonl", name, Trust())
        to.step()
        to.step()
        _leave(to)

    assert (to.rejected, to.sent_through, to.problem) == (2, 3, "")
    assert len(collector.bodies) == 1


def test_tls_keeps_lines_from_strangers(tmp_path: Path):
    """With an authority of one's own; a collector of another one gets nothing."""
    write(tmp_path / "audit.jsonl", a_log(2).lines)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    with collecting(server) as collector, capture_logs():
        name = f"otlp+https://127.0.0.1:{collector.port}/v1/logs"
        stranger = follower(tmp_path / "audit.jsonl", name, Trust(tmp_path / "other.pem"))
        stranger.step()
        _leave(stranger)
        to = follower(tmp_path / "audit.jsonl", name, Trust(tmp_path / "ca.pem"))
        to.step()
        _leave(to)

    assert "certificate verify failed" in stranger.problem
    assert stranger.sent_through == 0
    assert collector.taken == [1, 2]


def _leave(each: Follower) -> None:
    each._transport.close()
    each._trail.close()
