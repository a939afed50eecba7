"""Switching on and off, with a scripted daemon; real ones are in tests/e2e/test_install.py."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

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
            file.write_bytes(before.encode())
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


def test_a_flag_that_names_us_goes_first(switched):
    """Without us that daemon would not start again."""
    switch = switched(1, flags={"authorization-plugin": ["x", "dockgate"]})

    with pytest.raises(ConfigurationError, match="--authorization-plugin=dockgate"):
        switch.off()


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


@pytest.mark.parametrize("before", [f"\ufeff{BEFORE}\r\n", ""])
def test_a_daemon_that_lets_nobody_work_gets_its_settings_back(switched, process, tmp_path, before):
    """To the byte; a file that was not there goes away again."""
    switch = switched(process.pid, before)
    denied = GOOD | {"GET /version": REFUSED}
    with (
        scripted(tmp_path / "d", denied),
        pytest.raises(SwitchError, match=r"GET /version is not allowed.*; the change was taken"),
    ):
        switch.on()

    assert process.stdout.readline() == "read\n"  # two signals at once can be one
    assert [each for each in switched.said if "SIGHUP" in each] == [
        f"send SIGHUP to dockerd, process {process.pid}"
    ] * 2
    assert (switch.file.read_bytes() if switch.file.exists() else b"") == before.encode()


def test_what_was_there_before_is_not_said_to_be_taken_back(switched, process, tmp_path):
    """Nothing was changed, and so it is said."""
    switch = switched(process.pid)
    switch.file.write_text(module.daemon_json.with_plugin("", "dockgate", switch.file))
    with (
        scripted(tmp_path / "d", GOOD | {"GET /version": REFUSED}),
        pytest.raises(SwitchError, match=r"is not allowed.*; .*daemon\.json was not changed"),
    ):
        switch.on()

    assert names(switch) == ["dockgate"]


def test_another_plugin_may_be_the_one_that_denies(switched, process, tmp_path):
    """It is asked before us; that we are asked as well was seen already."""
    other = (403, b'{"message":"authorization denied by plugin other: nobody is privileged"}')
    switch = switched(process.pid)
    with scripted(tmp_path / "d", GOOD | {f"POST {CREATE}": other}):
        switch.on()

    assert names(switch) == ["dockgate"]


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


def test_a_daemon_that_does_not_start_again_is_told(switched, process, monkeypatch, tmp_path):
    """Beside why it ended, which is what has to be put right."""
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho no such unit >&2; exit 5\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    switch = switched(process.pid)
    managed = replace(switch, site=Site(say=switched.said.append, systemd=tmp_path))
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(SwitchError, match=r"the daemon ended.*taken back; start .*no such unit"):
        managed.on()
