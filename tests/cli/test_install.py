"""``dockgate install``: what it says, and how it ends."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from authz.cli import install
from authz.errors import ConfigurationError, Location, PolicyError, Problem
from authz.install.switch import SwitchError
from authz.install.trial import TrialError

BROKEN = PolicyError((Problem(Location("policy.csv", 3), "is odd"),))


def invoked(*arguments):
    """Run the command."""
    return CliRunner().invoke(install.command, arguments)


@pytest.mark.skipif(os.geteuid() != 0, reason="what is installed is root's")
@pytest.mark.parametrize(
    ("what", "file"),
    [("plugin", "etc/docker/daemon.json"), ("proxy", "etc/dockgate-proxy/dockgate.toml")],
)
def test_each_way_has_its_files(tmp_path, what, file):
    """Below another root, where a person can look at them."""
    done = invoked(what, "--root", str(tmp_path))

    assert done.exit_code == 0, done.output
    assert (tmp_path / file).exists()
    assert f"write {tmp_path}/etc" in done.output


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConfigurationError("x: is odd"), 2, "dockgate: x: is odd"),
        (BROKEN, 2, "policy.csv:3: is odd"),
        (TrialError("nobody"), 1, "dockgate: nobody"),
        (SwitchError("taken back"), 1, "dockgate: taken back"),
        (PermissionError(13, "Permission denied", "/etc/x"), 1, "/etc/x: Permission denied"),
    ],
)
def test_every_end_has_its_status(monkeypatch, error, status, said):
    """2 for what a person wrote, 1 for what does not work."""

    def fails(*_):
        raise error

    monkeypatch.setattr(install.plugin, "install", fails)

    done = invoked("plugin")

    assert (done.exit_code, said in done.output) == (status, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="what is installed is root's")
def test_the_work_goes_on_when_nobody_listens(tmp_path):
    """Half of it would be worse than none."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "authz", "install", "plugin", "--root", str(tmp_path)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30)
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "etc/docker/daemon.json").exists()
