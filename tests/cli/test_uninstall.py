"""``dockgate uninstall``: what it says, and how it ends."""

import pytest
from click.testing import CliRunner

from authz.cli import uninstall
from authz.errors import ConfigurationError
from authz.install.switch import SwitchError


def invoked(*arguments):
    """Run the command."""
    return CliRunner().invoke(uninstall.command, arguments)


@pytest.mark.parametrize("what", ["plugin", "proxy"])
def test_what_is_not_there_is_gone(tmp_path, what):
    """Twice is as good as once."""
    done = invoked(what, "--root", str(tmp_path))

    assert done.exit_code == 0, done.output
    assert "left as they are" in done.output


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("is odd"), 2),
        (SwitchError("is odd"), 1),
        (PermissionError(13, "is odd", "/etc/x"), 1),
    ],
)
def test_every_end_has_its_status(monkeypatch, error, status):
    """2 for what a person wrote, 1 for what does not work."""

    def fails(*_):
        raise error

    monkeypatch.setattr(uninstall.plugin, "uninstall", fails)

    done = invoked("plugin")

    assert (done.exit_code, "is odd" in done.output) == (status, True)
