"""A whole set-up, with a scripted daemon."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authz.doctor import reach
from authz.doctor.examine import Service, Setup, examine, skew, tell
from authz.doctor.processes import Dockerd
from authz.lookups.lookup_pass import HEADER, load_key
from authz.service.sections import Settings
from tests.doctor.test_benchmark import BRIDGE, GOOD
from tests.scripted_http import scripted

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
INFO = {
    **GOOD,
    "ServerVersion": "29.7.2",
    "SystemTime": "2026-11-28T12:00:00.123456789Z",
    "Plugins": {"Authorization": ["plugin"]},
}
ACTIVE = {"POST /Plugin.Activate": (200, b'{"Implements":["authz"]}')}


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch):
    """Let the daemon's socket be root's alone: whose it is is looked at elsewhere."""
    closed = reach.RawSocket(Path("/d"), "root", "root", 0o600, (), stranger=False)
    monkeypatch.setattr(reach, "look", lambda _: closed)


CLOSED_BRIDGE = (200, json.dumps(BRIDGE).encode())


def a_script(info=None, bridge=CLOSED_BRIDGE):
    """Return what a good daemon says, with changes."""
    document = json.dumps({**INFO, **(info or {})}).encode()
    refused = (403, b'{"message":"dockgate: refused: a pass"}')
    return {"GET /info": (200, document), "GET /networks/bridge": bridge, "GET /_ping": refused}


def examined(folder, script, *, daemons=(), **more):
    """Examine a set-up with a plugin, and return the ids of its findings."""
    config = folder / "dockgate.toml"
    config.touch(0o600)
    settings = Settings.model_validate(
        {
            "plugin": {"socket": str(folder / "plugin.sock")},
            "audit": {"path": "-"},
            **more,
        }
    )
    with scripted(folder / "d", script), scripted(folder / "plugin.sock", ACTIVE):
        (folder / "plugin.sock").chmod(0o600)
        host = f"unix://{folder}/d"
        setup = Setup(host, [Service(settings, config)], now=lambda: NOW, folders=())
        return [each.id for each in examine(setup, lambda _: list(daemons))]


def test_a_good_set_up_has_no_findings(tmp_path):
    """Nothing is told for the sake of telling."""
    assert examined(tmp_path, a_script()) == []


def test_a_daemon_without_a_default_bridge_is_good(tmp_path):
    """What is not there joins no containers."""
    assert examined(tmp_path, a_script(bridge=(404, b'{"message":"no such network"}'))) == []


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"ServerVersion": "28.5.2"}, ["CVE-2026-34040", "CVE-2026-33997"]),
        ({"ServerVersion": "dev"}, ["engine-unknown"]),
        ({"SystemTime": "2026-11-28T12:00:09Z"}, ["clock"]),
        ({"SystemTime": "2026-11-28T11:59:50Z"}, ["clock"]),
        ({"Plugins": {"Authorization": ["plugin", "other"]}}, ["plugin-order"]),
        ({"Debug": True, "Driver": "aufs"}, ["aufs", "debug"]),
    ],
)
def test_what_the_daemon_tells_is_judged(tmp_path, info, expected):
    """Version, clock, plugins and settings; the worst first."""
    assert examined(tmp_path, a_script(info)) == expected


@pytest.mark.parametrize(
    "script",
    [{}, {"GET /info": (403, b"")}, a_script(bridge=(500, b"")), a_script(bridge=(403, b""))],
)
def test_a_daemon_that_does_not_tell_is_a_finding(tmp_path, script):
    """Nobody may take silence for good."""
    assert examined(tmp_path, script) == ["daemon-silent"]


def test_nobody_at_the_address_is_a_finding(tmp_path):
    """With what was tried."""
    found = examine(Setup(f"unix://{tmp_path}/none", folders=()), lambda _: [])

    assert [each.id for each in found] == ["no-gate", "daemon-silent"]
    assert f"{tmp_path}/none" in found[1].what


def test_a_daemon_without_a_gate_is_told(tmp_path):
    """Unless it asks one whose settings are elsewhere."""

    def found(script):
        (tmp_path / "d").unlink(missing_ok=True)
        with scripted(tmp_path / "d", script):
            setup = Setup(f"unix://{tmp_path}/d", now=lambda: NOW, folders=())
            return [each.id for each in examine(setup, lambda _: [])]

    assert found(a_script()) == []
    assert found(a_script() | {"GET /_ping": (200, b"OK")}) == ["no-gate"]


def test_a_pass_gets_past_the_policy(tmp_path):
    """Where the service has a key; an open key, or none, gets nobody past."""
    key = tmp_path / "pass.key"
    service = Service(Settings(pass_key=key), tmp_path)
    with scripted(tmp_path / "d", a_script()) as daemon:
        setup = Setup(f"unix://{tmp_path}/d", [service])
        tell(setup)
        assert not key.exists()
        load_key(key)
        tell(setup)
        key.chmod(0o644)
        tell(setup)

    assert [HEADER in headers for _, headers, _ in daemon.asked] == [
        False, False, True, True, True, True, False, False, True
    ]  # fmt: skip


def test_a_package_that_repaired_its_holes_is_good(tmp_path):
    """Where it is clear which package runs."""
    good = Dockerd(1, file=tmp_path / "x", changes="CVE-2026-34040 CVE-2026-33997")
    other = Dockerd(2, file=tmp_path / "x")
    script = a_script({"ServerVersion": "26.1.5"})

    assert examined(tmp_path, script, daemons=[good]) == []
    (tmp_path / "d").unlink()
    (tmp_path / "plugin.sock").unlink()
    assert len(examined(tmp_path, script, daemons=[good, other])) == 2


def test_settings_that_let_people_through_are_told(tmp_path):
    """Shadow mode, and a listener without proof."""
    proxy = {"listen": [{"address": "unix:///run/x.sock", "insecure": True}]}

    assert examined(tmp_path, a_script(), mode="shadow", proxy=proxy) == [
        "listener-insecure", "shadow"
    ]  # fmt: skip


def test_a_daemons_file_that_cannot_be_read_is_told(tmp_path):
    """Its next start fails."""
    broken = Dockerd(1, file=tmp_path / "daemon.json", problem="is not JSON")

    assert examined(tmp_path, a_script(), daemons=[broken]) == ["daemon-json"]


def test_a_set_up_knows_whether_people_come_through_the_proxy():
    """Then the daemon's own socket is nobody's."""
    listen = {"listen": [{"address": "unix:///run/x.sock", "identity": ["peer"]}]}
    proxy = Service(Settings.model_validate({"proxy": listen}), Path("/x"))

    assert Setup("unix:///d", [proxy]).proxied
    assert not Setup("unix:///d", [Service(Settings(), Path("/x"))]).proxied


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-28T12:00:00.5Z", 0.0),
        ("2026-11-28T11:59:58Z", -2.0),
        ("2026-11-28T12:00:04+00:00", 3.0),
        ("2026-11-28T12:00:04", 0.0),
        ("noon", 0.0),
    ],
)
def test_the_time_that_asking_takes_is_no_difference(text, expected):
    """Only what lies outside of it; what is no time tells nothing."""
    assert skew(text, NOW, NOW + timedelta(seconds=1)) == expected


def test_a_key_that_one_may_not_see_is_not_used(tmp_path):
    """As by anybody but root; too long a name does it for root."""
    key = tmp_path / ("x" * 300)

    assert examined(tmp_path, a_script(), pass_key=key) == []
