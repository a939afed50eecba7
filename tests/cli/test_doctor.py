"""``dockgate doctor``, as a person and as a program."""

import json

import pytest
from click.testing import CliRunner

from authz.cli import doctor
from authz.doctor.finding import Finding, Weight


def invoked(*arguments):
    """Run the command."""
    return CliRunner().invoke(doctor.command, arguments)


@pytest.fixture
def nowhere(tmp_path):
    """Return an address where nobody is."""
    return f"unix://{tmp_path}/none.sock"


def test_findings_are_printed_with_the_way_out(nowhere, monkeypatch):
    """What is, what was expected, what to do; the status says so, too."""
    monkeypatch.setattr(doctor, "USUAL", ())
    monkeypatch.setattr("authz.doctor.examine.behind", lambda _: [])

    done = invoked("--host", nowhere)

    assert done.exit_code == 4
    assert "HIGH      daemon-silent: the daemon does not tell what it is" in done.output
    assert "expected: " in done.output
    assert "fix: " in done.output


def test_what_a_daemon_says_moves_no_cursor(monkeypatch):
    """Escape sequences of an untrusted daemon are printed as text."""
    evil = Finding("x", Weight.LOW, "a\x1b[2Jb", "c\x1b[1Ad", "e\rf")
    monkeypatch.setattr(doctor, "examine", lambda _: [evil])

    done = invoked("--host", "unix:///d")

    assert "\x1b[2J" not in done.output
    assert "\x1b[1A" not in done.output
    assert "\r" not in done.output
    assert "a\\x1b[2Jb" in done.output


def test_programs_get_a_document(nowhere, monkeypatch):
    """With the address and each finding."""
    monkeypatch.setattr(doctor, "USUAL", ())

    document = json.loads(invoked("--json", "-H", nowhere).output)

    assert document["host"] == nowhere
    assert "daemon-silent" in {each["id"] for each in document["findings"]}


def test_nothing_found_is_said(monkeypatch):
    """With status 0."""
    monkeypatch.setattr(doctor, "examine", lambda _: [])

    done = invoked("--host", "unix:///d")

    assert (done.exit_code, done.output) == (0, "Nothing found.\n")


def test_the_daemon_is_that_of_the_settings(tmp_path, monkeypatch):
    """Settings are those of the units unless others are named."""
    seen = []
    monkeypatch.setattr(doctor, "examine", lambda setup: seen.append(setup) or [])
    config = tmp_path / "dockgate.toml"
    config.write_text('daemon = "unix:///other.sock"\n[plugin]\n')
    monkeypatch.setattr(doctor, "USUAL", (config, tmp_path / "none.toml"))

    invoked()
    invoked("--config", str(config), "--host", "unix:///d")
    monkeypatch.setattr(doctor, "USUAL", ())
    invoked()

    assert [each.host for each in seen] == ["unix:///other.sock", "unix:///d", doctor.DAEMON]
    assert [len(each.services) for each in seen] == [1, 1, 0]


def test_broken_settings_are_a_wrong_call(tmp_path):
    """With the reason, and no findings."""
    config = tmp_path / "dockgate.toml"
    config.write_text("nonsense = 1\n[plugin]\n")

    done = invoked("--config", str(config))

    assert done.exit_code == 2
    assert "nonsense is not a setting" in done.output


def test_settings_that_one_may_not_see_are_told(tmp_path, monkeypatch):
    """As to anybody but root; too long a name does it for root."""
    monkeypatch.setattr(doctor, "USUAL", (tmp_path / ("x" * 300),))

    done = invoked()

    assert done.exit_code == 2
    assert done.stderr.endswith(": File name too long\n")
