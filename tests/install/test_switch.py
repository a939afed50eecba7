"""Switching on and off, with a scripted daemon; real ones are in tests/e2e/test_install.py."""

import json
import signal
import subprocess
import sys

import pytest

from authz.doctor.processes import Dockerd
from authz.errors import ConfigurationError
from authz.install import switch as module
from authz.install.site import Site
from authz.install.switch import Switch, SwitchError
from authz.install.trial import CREATE
from tests.scripted_http import scripted

REFUSED = (403, b'{"message":"authorization denied by plugin dockgate: dockgate: refused: x"}')
GOOD = {"GET /version": (200, b"{}"), "GET /_ping": REFUSED, f"POST {CREATE}": REFUSED}
BEFORE = '{"debug": true}'

OBEDIENT = "import signal; signal.signal(signal.SIGHUP, lambda *_: print('read', flush=True))"
DAEMON = f"{OBEDIENT}\nprint('runs', flush=True)\nwhile True: signal.pause()"


@pytest.fixture
def process():
    """Run a process that stands for a daemon: it takes SIGHUP and goes on."""
    command = [sys.executable, "-c", DAEMON]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "runs\n"
        yield running
        running.kill()


@pytest.fixture
def switched(tmp_path, monkeypatch):
    """Return what makes a switch, and what it says."""
    monkeypatch.setattr(module.daemon_json, "complaint", lambda *_: "")

    def made(pid=None, before=BEFORE, *, dry=False, **more):
        file = tmp_path / "daemon.json"
        if before:
            file.write_text(before)
        daemon = Dockerd(pid, **more) if pid else None
        site = Site(say=made.said.append, dry=dry, systemd=tmp_path / "none")
        host = f"unix://{tmp_path}/d"
        return Switch(site, file, "dockgate", tmp_path / "p", host, daemon)

    made.said = []
    return made


def names(switch):
    """Return what the file says."""
    return json.loads(switch.file.read_text()).get("authorization-plugins")


def test_on_and_off_again(switched, process, tmp_path):
    """The daemon is told by SIGHUP, and the old file is kept beside."""
    switch = switched(process.pid)
    with scripted(tmp_path / "d", GOOD) as daemon:
        switch.on()
        assert (names(switch), process.stdout.readline()) == (["dockgate"], "read\n")
        daemon.script = {"GET /_ping": (200, b"OK")}
        switch.off()

    assert json.loads(switch.file.read_text()) == json.loads(BEFORE)
    assert len(list(tmp_path.glob("*.before-dockgate-*"))) == 2


def test_without_a_daemon_only_the_file_changes(switched):
    """It is said that nobody was told; off where nothing is makes no file."""
    switch = switched(before="")
    switch.off()
    assert not switch.file.exists()
    switch.on()

    assert names(switch) == ["dockgate"]
    assert "no daemon is told; it reads its settings when it starts" in switched.said


def test_a_dry_run_tells_nobody(switched, process):
    """The file stays, and so does the daemon."""
    switch = switched(process.pid, dry=True)
    switch.on()

    assert switch.file.read_text() == BEFORE
    assert not any("SIGHUP" in each for each in switched.said)


def test_a_flag_is_in_the_way(switched):
    """A daemon with both would not start again."""
    switch = switched(1, flags={"authorization-plugin": ["x"]})

    with pytest.raises(ConfigurationError, match="--authorization-plugin"):
        switch.on()


@pytest.mark.parametrize(("complaint", "dead"), [("bad key", True), (None, False)])
def test_the_daemons_program_has_a_say(switched, monkeypatch, complaint, dead):
    """What it would not take is not written; one that cannot check is told of."""
    monkeypatch.setattr(module.daemon_json, "complaint", lambda *_: complaint)
    switch = switched(2**22 + 1, dry=not dead)
    if dead:
        with pytest.raises(ConfigurationError, match="dockerd would not take it: bad key"):
            switch.on()
    else:
        switch.on()
        assert any("cannot check" in each for each in switched.said)

    assert switch.file.read_text() == BEFORE


@pytest.mark.parametrize("before", [BEFORE, ""])
def test_a_daemon_that_lets_nobody_work_gets_its_settings_back(switched, process, tmp_path, before):
    """A file that was not there goes away again."""
    switch = switched(process.pid, before)
    denied = GOOD | {"GET /version": REFUSED}
    with (
        scripted(tmp_path / "d", denied),
        pytest.raises(SwitchError, match=r"GET /version is not allowed.*; the change was taken"),
    ):
        switch.on()

    assert [process.stdout.readline() for _ in range(2)] == ["read\n"] * 2
    assert (switch.file.read_text() if switch.file.exists() else "") == before


def test_a_daemon_that_does_not_listen_gets_its_settings_back(
    switched, process, tmp_path, monkeypatch
):
    """After a time."""
    monkeypatch.setattr(module, "TAKES", 0.2)
    switch = switched(process.pid)
    with (
        scripted(tmp_path / "d", {"GET /_ping": (200, b"OK")}),
        pytest.raises(SwitchError, match=r"did not take its settings.*/p: one .* restarted"),
    ):
        switch.on()

    assert switch.file.read_text() == BEFORE


def test_a_daemon_that_ends_finds_its_old_settings(switched, process):
    """Whoever starts it next starts it as it was."""
    switch = switched(process.pid)
    process.send_signal(signal.SIGKILL)
    with pytest.raises(SwitchError, match="the daemon ended"):
        switch.on()

    assert switch.file.read_text() == BEFORE
    assert "without systemd, not done: systemctl start docker.service" in switched.said
    process.wait()
    with pytest.raises(SwitchError, match="the daemon ended"):
        switch.on()
