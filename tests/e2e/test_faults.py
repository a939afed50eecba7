"""What the gate does when what it stands on gives way: with a daemon that is scripted, or none."""

import json
import os
import resource
import shutil
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.e2e.conftest import short_folder
from tests.e2e.gate import Gate, call
from tests.e2e.sandbox import wait_for
from tests.scripted_http import Server, scripted

PING = {"RequestMethod": "GET", "RequestUri": "/_ping"}
CREATE = {
    "RequestMethod": "POST",
    "RequestUri": "/v1.41/containers/create",
    "RequestHeaders": {"Content-Type": "application/json", "Content-Length": "20"},
    "RequestBody": "eyJJbWFnZSI6ImFscGluZToxIn0=",
}
"""A create of alpine:1, which raises questions to the daemon."""
MISSING = (404, b'{"message":"No such image: alpine:1"}')
DAEMON = {
    "GET /info": (200, json.dumps({"ServerVersion": "26.1.5", "DefaultRuntime": "runc"}).encode()),
    "GET /images/alpine%3A1/json?manifests=1": MISSING,
    "GET /images/docker.io%2Flibrary%2Falpine%3A1/json?manifests=1": MISSING,
}
FILES = 64
"""Descriptors that a gate may have, where it may not have many."""


@pytest.fixture
def gate():
    """Make a gate that is not started, beside a place for a daemon's socket."""
    root = short_folder()
    plugins = root / "plugins"
    plugins.mkdir(mode=0o700)
    made = Gate(SimpleNamespace(root=root, plugins=plugins, socket=root / "docker.sock"))
    yield made
    if made.running:
        made.kill()
    shutil.rmtree(root)


def slow(server, seconds):
    """Have a scripted daemon take its time."""
    script = server.script

    class Slow(dict):
        def get(self, line, default=None):
            time.sleep(seconds)
            return script.get(line, default)

    server.script = Slow()


def test_what_is_in_flight_is_answered_before_the_end(gate):
    """SIGTERM ends what is idle; who waits for a judgement gets it, and its record is there."""
    with scripted(gate.daemon.socket, DAEMON) as daemon, gate:
        slow(daemon, 0.4)
        answers = []
        asking = [
            threading.Thread(target=lambda: answers.append(gate.question(CREATE))) for _ in range(4)
        ]
        for each in asking:
            each.start()
        assert wait_for(lambda: b"dockgate_in_flight 4.0" in gate.ask("GET", "/metrics").body, 5)
        status = gate.stop()
        for each in asking:
            each.join()

    assert status == 0
    assert len(answers) == 4
    recorded = {record["id"]: record for record in gate.records()}
    for answer in answers:
        assert answer["Allow"] or recorded[answer["Msg"].rsplit("request ", 1)[-1]]
    assert {record["reason"] for record in recorded.values()} <= {"rule", "no_rule"}


def test_a_policy_that_is_gone_stays_in_force(gate):
    """Until another one loads; readiness tells, and whoever asks is judged as before."""
    with scripted(gate.daemon.socket, DAEMON), gate:
        before = gate.ask("GET", "/readyz").json()["policy"]
        aside = gate.policy.with_name("aside")
        gate.policy.rename(aside)
        assert wait_for(lambda: gate.ask("GET", "/readyz").json()["status"] == "degraded", 10)
        gone = gate.ask("GET", "/readyz").json()
        answer = gate.question(PING)
        reloaded = gate.ask("POST", "/reload").status
        aside.rename(gate.policy)
        back = wait_for(lambda: gate.ask("GET", "/readyz").json()["status"] == "ready", 10)

    assert (gone["policy"], answer["Allow"], reloaded) == (before, True, 422)
    assert back


def test_without_a_daemon_only_what_needs_none_is_judged(gate):
    """The rest is refused, soon and with that reason; with a daemon it goes on by itself."""
    with gate:
        began = time.monotonic()
        refused = gate.question(CREATE)
        took = time.monotonic() - began
        ping = gate.question(PING)
        with scripted(gate.daemon.socket, DAEMON):
            wait_for(lambda: "lookup_failed" not in gate.question(CREATE)["Msg"], 5)
            judged = gate.question(CREATE)

    assert "lookup_failed" in refused["Msg"]
    assert took < 2.5
    assert ping["Allow"]
    assert "lookup_failed" not in judged["Msg"]


def test_a_daemon_that_answers_nonsense_or_nothing_refuses(gate):
    """A look-up that fails is a refusal, never a guess."""
    silent = Server(gate.daemon.socket, {"GET /info": (200, b"nonsense")})
    with silent:
        thread = threading.Thread(target=silent.serve_forever, args=(0.01,))
        thread.start()
        with gate:
            nonsense = gate.question(CREATE)
            slow(silent, 3)
            began = time.monotonic()
            nothing = gate.question(CREATE)
            took = time.monotonic() - began
        silent.shutdown()
        thread.join()

    assert not nonsense["Allow"]
    assert not nothing["Allow"]
    assert took < 2.5


def test_a_gate_without_descriptors_refuses_and_recovers(gate):
    """Whoever is connected is answered; the others are turned away until there is room again."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, before[1]))
    try:
        gate.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with ExitStack() as held:
        first = held.enter_context(socket.socket(socket.AF_UNIX))
        first.connect(str(gate.plugin))
        for _ in range(FILES):
            idle = held.enter_context(socket.socket(socket.AF_UNIX))
            idle.settimeout(2)
            idle.connect(str(gate.plugin))
        time.sleep(0.5)
        spent = cpu(gate.pid)
        time.sleep(1)
        spent = cpu(gate.pid) - spent
        body = json.dumps(PING).encode()
        head = (
            f"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost:\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        first.settimeout(5)
        first.sendall(head.encode() + body)
        answered = first.recv(65536)
        first.sendall(
            head.replace(str(len(body)), str(len(json.dumps(CREATE)))).encode()
            + json.dumps(CREATE).encode()
        )
        refused = first.recv(65536)
    assert b'"Allow":true' in answered
    assert b'"Allow": false' in refused or b'"Allow":false' in refused
    assert spent < 0.9
    assert wait_for(lambda: answers(gate), 10)
    assert gate.question(PING)["Allow"]
    assert gate.stop() == 0


def answers(gate):
    """Say whether somebody new is answered."""
    try:
        return call(gate.plugin, "POST", "/Plugin.Activate", b"").status == 200
    except OSError:
        return False


def cpu(pid):
    """Return the seconds on the processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
