"""What happens when the gate is not there, or ends in the middle."""

import os
import signal
import subprocess
import threading
import time

import pytest

from tests.e2e.gate import Gate, call

QUESTION = {
    "RequestMethod": "POST",
    "RequestUri": "/v1.41/containers/create",
    "RequestHeaders": {"Content-Type": "application/json", "Content-Length": "2"},
    "RequestBody": "e30=",
}
"""A create with an empty document: it is refused or denied, and always recorded."""
DECISIONS = 1000
CALLERS = 4


def test_the_daemon_fails_closed_and_recovers(daemons):
    """Stopped, nothing passes; started again, everything does, without a restart of the daemon."""
    daemon = daemons(["dockgate"])
    with Gate(daemon) as gate:
        daemon.start()
        assert daemon.docker("run", "--rm", "alpine", "echo", "up").stdout == "up\n"
        gate.stop()
        assert not gate.plugin.exists()
        # The daemon tries for 15 s before it gives up.
        refused = daemon.api("POST", "/v1.41/containers/create", {"Image": "alpine"}, timeout=60)
        assert refused.status == 500
        assert "plugin dockgate failed" in refused.json()["message"]
        gate.start()
        assert daemon.docker("run", "--rm", "alpine", "echo", "back").stdout == "back\n"
        gate.kill()
        gate.start()
        assert daemon.api("GET", "/v1.41/containers/json").status == 200


def test_a_kill_loses_no_answered_decision(daemons):
    """Whatever was answered before the kill has its line; a torn line is cut at the next start."""
    gate = Gate(daemons())
    gate.start()
    answered: list[str] = []

    def ask() -> None:
        for number in range(DECISIONS // CALLERS):
            try:
                answer = gate.question(
                    QUESTION | {"RequestUri": f"/v1.41/containers/{number}/json"}
                )
            except (OSError, ValueError):
                return
            answered.append(answer["Msg"].rsplit("request ", 1)[-1])

    callers = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    while len(answered) < DECISIONS // 2 and any(caller.is_alive() for caller in callers):
        time.sleep(0.001)
    gate.kill()
    for caller in callers:
        caller.join()
    assert DECISIONS > len(answered) >= DECISIONS // 2

    with gate.audit.open("ab") as file:
        file.write(b'{"id":"torn')
    gate.start()
    recorded = {record["id"] for record in gate.records()}
    gate.stop()
    assert set(answered) <= recorded
    assert "torn" in gate.log.read_text()


def test_serve_does_not_start_on_a_broken_policy(daemons):
    """All problems are printed, with their places, and the exit status says configuration."""
    gate = Gate(daemons())
    with (gate.policy / "policy.csv").open("a") as file:
        file.write("p, role:developer, *, container.create, on:new, *, Allow\n")
        file.write("p, role:developer, *, container.creat, on:new, *, allow\n")
    process = gate.launch()
    assert process.wait(15) == 2
    said = gate.log.read_text()
    assert 'verdict is "Allow"' in said
    assert "container.creat" in said
    assert not gate.plugin.exists()


def test_a_second_gate_does_not_take_the_socket(daemons):
    """The one that answers keeps it."""
    daemon = daemons()
    with Gate(daemon) as gate:
        process = subprocess.run(
            gate.command, capture_output=True, text=True, timeout=15, check=False
        )
        assert process.returncode == 2
        assert "another process" in process.stderr
        assert gate.ask("GET", "/healthz").status == 200


def test_a_clean_stop_takes_its_socket_away(daemons):
    """SIGTERM ends it with status 0; nothing is left that slows volume calls."""
    gate = Gate(daemons())
    gate.start()
    assert gate.stop() == 0
    assert not gate.plugin.exists()
    assert not gate.admin.exists()


def test_only_root_asks(daemons):
    """The sockets are closed to everybody else from the start."""
    with Gate(daemons()) as gate:
        assert gate.plugin.stat().st_mode & 0o777 == 0o600
        assert gate.admin.stat().st_mode & 0o777 == 0o600


def test_readiness_and_metrics_tell_the_state(daemons):
    """An operator sees policy, mode and daemon, and how many decisions came out how."""
    daemon = daemons(["dockgate"])
    with Gate(daemon) as gate:
        daemon.start()
        daemon.docker("run", "--privileged", "busybox", "true", check=False)
        ready = gate.ask("GET", "/readyz")
        metrics = gate.ask("GET", "/metrics").body.decode()
    assert ready.status == 200
    assert ready.json()["mode"] == "enforce"
    assert len(ready.json()["policy"]) == 64
    assert ready.json()["daemon"].startswith(daemon.engine.version.split(".")[0])
    assert 'effect="deny"' in metrics
    assert "dockgate_decision_seconds_bucket" in metrics


def test_a_reload_reads_the_policy_again(daemons):
    """Root may say so, it is recorded, and a broken policy leaves the good one in force."""
    with Gate(daemons()) as gate:
        before = gate.ask("GET", "/readyz").json()["policy"]
        with (gate.policy / "policy.csv").open("a") as file:
            file.write("p, role:developer, *, container.rename, on:unowned, *, allow\n")
        reloaded = gate.ask("POST", "/reload")
        after = gate.ask("GET", "/readyz").json()["policy"]
        assert reloaded.status == 200
        assert after != before
        with (gate.policy / "policy.csv").open("a") as file:
            file.write("nonsense\n")
        assert gate.ask("POST", "/reload").status == 422
        ready = gate.ask("GET", "/readyz").json()
        assert (ready["policy"], ready["status"]) == (after, "degraded")
        assert [r["request"]["target"] for r in gate.records()] == ["/reload", "/reload"]


def test_shadow_mode_lets_through_what_a_policy_denies(daemons):
    """And says so in the record; a never row holds all the same."""
    daemon = daemons(["dockgate"])
    with Gate(daemon, mode="shadow") as gate:
        daemon.start()
        done = daemon.docker("create", "--privileged", "busybox", "true", check=False)
        never = daemon.docker("create", "-v", "/run/docker/plugins:/x", "busybox", check=False)
        records = gate.denied()
        ready = gate.ask("GET", "/readyz").json()
        metrics = gate.ask("GET", "/metrics").body.decode()
    assert done.returncode == 0, done.stderr
    assert "dockgate: denied" in never.stderr
    assert [(each["mode"], each["enforced"]) for each in records] == [
        ("shadow", False),
        ("shadow", True),
    ]
    assert [each["verdict"] for each in records] == ["deny", "deny"]
    assert "never" in {fact["verdict"] for fact in records[1]["facts"]}
    assert ready["mode"] == "shadow"
    assert "dockgate_shadow 1.0" in metrics
    assert 'effect="deny",enforced="no",reason="rule"} 1.0' in metrics
    assert "policy.not_enforced" in gate.log.read_text()


def test_a_certificate_names_thecaller(daemons, certificates):
    """Over TLS the common name is the subject: alice has rows, bob has none."""
    daemon = daemons(["dockgate"], **certificates.server())
    with Gate(daemon, people="g, cert:alice, role:developer, *\n") as gate:
        daemon.start()
        alice = daemon.docker("ps", tls=certificates.client("alice"))
        bob = daemon.docker("ps", tls=certificates.client("bob"), check=False)
        nobody = daemon.docker("ps", check=False)
        subjects = {record["identity"]["subject"] for record in gate.records()}
    assert alice.returncode == 0
    assert "for cert:bob: no row allows it" in bob.stderr
    assert "for user:anonymous: no row allows it" in nobody.stderr
    assert {"cert:alice", "cert:bob", "user:anonymous"} <= subjects


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(how, daemons):
    """Both of the usual signals."""
    gate = Gate(daemons())
    gate.start()
    os.kill(gate.pid, how)
    assert gate.wait() == 0


def test_the_retry_with_an_empty_body_is_refused(daemons):
    """The daemon repeats a question whose connection broke with an empty body."""
    with Gate(daemons()) as gate:
        answer = call(gate.plugin, "POST", "/AuthZPlugin.AuthZReq", b"")
    assert answer.status != 200 or answer.json()["Allow"] is False
