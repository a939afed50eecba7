"""Who else could read or change our files."""

import os
import shutil
from pathlib import Path

import pytest

from authz.doctor import files
from authz.service.config import load_settings
from authz.shipped import shipped

SETTINGS = """
policy = "policy"
pass_key = "pass.key"
[plugin]
socket = "plugin.sock"
[audit]
path = "audit.jsonl"
checkpoint_key = "signer.key"
[admin]
address = "unix://{folder}/admin.sock"
[[proxy.listen]]
address = "tcp://127.0.0.1:2376"
identity = ["certificate"]
policy = "{policy}"
tls = {{ certificate = "server.pem", key = "server.key", client_ca = ["ca.pem"] }}
"""
FILES = (
    "audit.jsonl.key",
    "signer.key",
    "pass.key",
    "plugin.sock",
    "audit.jsonl",
    "admin.sock",
    "server.key",
)


@pytest.fixture
def service(tmp_path):
    """Make the files of a service, all of them closed."""
    folder = tmp_path / "dockgate"
    folder.mkdir(mode=0o700)
    shutil.copytree(shipped("policies", "developer"), folder / "policy")
    for path in (folder / "policy", *(folder / "policy").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name in FILES:
        (folder / name).touch(0o600)
    config = folder / "dockgate.toml"
    config.write_text(SETTINGS.format(folder=folder, policy="builtin:admin"))
    config.chmod(0o600)
    return config


def ids(config):
    """Return what is found."""
    return [each.id for each in files.findings(load_settings(config, {}), config)]


def test_closed_files_are_good(service):
    """As the units and the service make them."""
    assert ids(service) == []


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("dockgate.toml", 0o660, "config-writable"),
        ("policy", 0o777, "policy-writable"),
        ("policy/policy.csv", 0o666, "policy-writable"),
        ("pass.key", 0o640, "key-open"),
        ("server.key", 0o644, "key-open"),
        ("audit.jsonl.key", 0o640, "key-open"),
        ("signer.key", 0o604, "key-open"),
        ("audit.jsonl", 0o644, "audit-open"),
        ("admin.sock", 0o666, "admin-socket-open"),
        ("plugin.sock", 0o660, "plugin-socket-open"),
    ],
)
def test_every_open_file_is_told(service, name, mode, expected):
    """By what it is, with the way to close it."""
    (service.parent / name).chmod(mode)

    found = files.findings(load_settings(service, {}), service)

    assert set(ids(service)) == {expected}
    assert all(str(service.parent) in each.fix for each in found)


def test_a_folder_that_others_write_opens_every_file(service):
    """Whoever may replace a file may write it."""
    service.parent.chmod(0o777)

    assert {"config-writable", "key-writable", "audit-writable"} <= set(ids(service))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_owner_is_told(service):
    """He can change the mode whenever he likes."""
    os.chown(service.parent / "policy", 12_345, 0)

    assert set(ids(service)) == {"policy-writable"}


def test_a_listener_may_have_a_policy_of_its_own(service):
    """It is looked at like the other."""
    service.write_text(SETTINGS.format(folder=service.parent, policy="other"))
    (service.parent / "other").mkdir()
    (service.parent / "other").chmod(0o777)

    assert ids(service) == ["policy-writable"]


def test_what_is_not_there_is_nobodys_to_change(tmp_path):
    """And a record on standard output is no file."""
    config = tmp_path / "dockgate.toml"
    config.write_text('policy = "builtin:developer"\n[plugin]\n[audit]\npath = "-"\n')
    config.chmod(0o600)

    assert ids(config) == []


def test_the_files_of_the_daemon_count(tmp_path):
    """Who writes there can be any plugin, or none."""
    file, folder = tmp_path / "daemon.json", tmp_path / "plugins"
    file.touch(0o644)
    folder.mkdir()
    assert files.daemon_findings(file, (folder, Path("/nowhere"))) == []

    file.chmod(0o666)
    folder.chmod(0o777)
    found = files.daemon_findings(file, (folder,))

    assert [each.id for each in found] == ["daemon-json-writable", "plugin-folder-writable"]
