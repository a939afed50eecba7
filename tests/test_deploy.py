"""What is installed fits together: units, settings, plugin and image."""

import configparser
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from authz.cli.options import USAGE
from authz.identity.certificate import Certificate
from authz.proxy.contexts import ClientFiles, ServerFiles, client_context, server_context
from authz.service.config import load_settings, socket_path
from authz.wire.evidence import Evidence

DEPLOY = Path(__file__).parents[1] / "deploy"
SYSTEMD = DEPLOY / "systemd"


def unit(name):
    """Read a unit file as far as single values go."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(SYSTEMD / name)
    return parser


def test_units_and_settings_name_the_same_socket():
    """The socket unit opens what the settings expect."""
    settings = load_settings(SYSTEMD / "dockgate.toml", {})
    socket = unit("dockgate.socket")["Socket"]
    assert socket["ListenStream"] == str(settings.plugin.socket)
    assert socket["FileDescriptorName"] == "plugin"
    assert (socket["SocketMode"], socket["RemoveOnStop"]) == ("0600", "yes")


def test_units_start_before_the_daemon():
    """The daemon waits 15 s for a plugin that is not there yet."""
    for name in ("dockgate.socket", "dockgate.service"):
        assert unit(name)["Unit"]["Before"] == "docker.service"


def test_service_may_write_where_the_settings_do():
    """The sandbox and the settings agree about folders."""
    settings = load_settings(SYSTEMD / "dockgate.toml", {})
    service = unit("dockgate.service")["Service"]
    assert Path(settings.audit.path).parent == Path("/var/log", service["LogsDirectory"])
    state = Path("/var/lib", service["StateDirectory"])
    assert settings.pass_key.parent == settings.grants.parent == state
    assert socket_path(settings.admin.address).parent == Path("/run", service["RuntimeDirectory"])


def test_a_service_that_cannot_run_is_not_waited_for():
    """Its start limit is one that is reached, which fails the socket unit and removes its file."""
    service, socket = unit("dockgate.service"), unit("dockgate.socket")
    assert service["Unit"]["Requires"] == "dockgate.socket"
    assert service["Unit"]["StartLimitIntervalSec"] == "60s"
    triggers = int(socket["Socket"]["TriggerLimitBurst"])
    assert int(service["Unit"]["StartLimitBurst"]) < triggers
    assert socket["Socket"]["RemoveOnStop"] == "yes"


def test_service_and_program_agree_how_to_talk():
    """It says when it is ready and alive, reads the policy on SIGHUP, and 2 is for settings."""
    service = unit("dockgate.service")["Service"]
    assert (service["Type"], service["WatchdogSec"]) == ("notify", "10s")
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(service["RestartPreventExitStatus"]) == USAGE


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units():
    """No unit has a key that systemd ignores."""
    units = [str(SYSTEMD / name) for name in ("dockgate.service", "dockgate.socket")]
    verified = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_calls_the_sandbox_tight():
    """Its exposure, from 0 to 10, stays at most 1.6: what is left open is root's and paths."""
    service = str(SYSTEMD / "dockgate.service")
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=16"]
    judged = subprocess.run([*words, service], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-200:]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_what_sends_records_on_may_reach_its_receiver(tmp_path):
    """The drop-in opens the network, to addresses that are listed, and nothing else."""
    added = tmp_path / "dockgate.service.d"
    added.mkdir()
    shutil.copy(SYSTEMD / "dockgate.service", tmp_path)

    before = sandbox(tmp_path)
    shutil.copy(SYSTEMD / "forward.conf", added)
    after = sandbox(tmp_path)

    changed = {name for name, text in after.items() if text != before[name]}
    assert changed == {
        "PrivateNetwork",
        "RestrictAddressFamilies_AF_INET_INET6",
        "IPAddressDeny",  # a list of what is allowed lies over it
    }
    assert "IPAddressDeny" not in (SYSTEMD / "forward.conf").read_text()


def sandbox(folder):
    """Return what systemd says of each part of the service's sandbox."""
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--json=short"]
    judged = subprocess.run(
        [*words, str(folder / "dockgate.service")],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    return {each["json_field"]: each["description"] for each in json.loads(judged.stdout)}


def test_managed_plugin_serves_the_socket_that_its_configuration_names():
    """The daemon looks for the interface's socket in /run/docker/plugins of the plugin."""
    settings = load_settings(DEPLOY / "docker-plugin" / "dockgate.toml", {})
    config = json.loads((DEPLOY / "docker-plugin" / "config.json").read_text())
    assert config["interface"]["types"] == ["docker.authz/1.0"]
    assert Path("/run/docker/plugins", config["interface"]["socket"]) == settings.plugin.socket


def test_managed_plugin_starts_what_the_image_does():
    """Its command is the image's, by its full path: the daemon sets a PATH of its own."""
    config = json.loads((DEPLOY / "docker-plugin" / "config.json").read_text())
    lines = (DEPLOY.parent / "Dockerfile").read_text().splitlines()
    said = [line.split(" ", 1)[1] for line in lines if line.startswith(("ENTRYPOINT", "CMD"))]
    assert config["entrypoint"] == [word for words in said for word in json.loads(words)]


def test_managed_plugin_mounts_what_its_settings_use():
    """Policy, records and the host's files come from mounts, and nothing else is writable."""
    settings = load_settings(DEPLOY / "docker-plugin" / "dockgate.toml", {})
    config = json.loads((DEPLOY / "docker-plugin" / "config.json").read_text())
    mounts = {mount["destination"]: mount["options"] for mount in config["mounts"]}
    assert settings.policy in mounts
    assert str(settings.host_root) in mounts
    assert socket_path(settings.daemon).is_relative_to(settings.host_root)
    assert [place for place, options in mounts.items() if "ro" not in options] == [
        str(Path(settings.audit.path).parent)
    ]


def test_managed_plugin_takes_only_settings_that_exist():
    """Its variables are read by the settings, and their defaults hold."""
    config = json.loads((DEPLOY / "docker-plugin" / "config.json").read_text())
    environ = {variable["name"]: variable["value"] for variable in config["env"]}
    settings = load_settings(DEPLOY / "docker-plugin" / "dockgate.toml", environ)
    assert (settings.mode, settings.audit.durability) == ("enforce", "write")


def test_daemon_fragment_names_the_plugin():
    """The file can be copied as it is."""
    fragment = json.loads((DEPLOY / "daemon.json").read_text())
    assert fragment["authorization-plugins"] == ["dockgate"]


def test_image_has_what_its_recipe_copies():
    """Every path that the recipe copies exists and is not ignored."""
    root = DEPLOY.parent
    ignored = (root / ".dockerignore").read_text().splitlines()
    copied = [
        source
        for line in (root / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY") and "--from=" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    for source in copied:
        assert list(root.glob(source)), source
        assert any(source.startswith(kept[1:]) for kept in ignored if kept.startswith("!")), source


PROXY = DEPLOY / "proxy"


@pytest.mark.parametrize("name", ["unix.toml", "mtls.toml", "jwt.toml"])
def test_the_proxys_settings_load(name):
    """And agree with the unit about folders."""
    settings = load_settings(PROXY / name, {})
    service = unit(PROXY / "dockgate-proxy.service")["Service"]

    assert settings.plugin is None
    assert Path(settings.audit.path).parent == Path("/var/log", service["LogsDirectory"])
    runtime = Path("/run", service["RuntimeDirectory"])
    assert socket_path(settings.admin.address).is_relative_to(runtime)
    assert settings.grants.parent == Path("/var/lib", service["StateDirectory"])
    assert not any(each.insecure for each in settings.proxy.listen)


def test_the_proxys_unit_can_do_what_it_must():
    """Give a socket its group, look at callers, and nothing else of root's."""
    service = unit(PROXY / "dockgate-proxy.service")["Service"]

    assert set(service["CapabilityBoundingSet"].split()) == {
        "CAP_DAC_READ_SEARCH",
        "CAP_CHOWN",
        "CAP_SYS_PTRACE",
    }
    assert service["RuntimeDirectoryMode"] == "0755"


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
def test_development_certificates_prove_who_asks(tmp_path):
    """The authority, the server's name, a client with a unit; a second run keeps them."""
    command = [PROXY / "certificates", tmp_path, "localhost", "alice:developers", "bob"]
    subprocess.run(command, check=True, capture_output=True)
    before = (tmp_path / "alice" / "cert.pem").read_text()
    subprocess.run(command, check=True, capture_output=True)

    assert (tmp_path / "alice" / "cert.pem").read_text() == before
    assert (tmp_path / "alice" / "key.pem").stat().st_mode & 0o077 == 0
    identity = Certificate()(Evidence(certificates=(before,)))
    assert (identity.subject, identity.groups) == ("cert:alice", ("group:cert/developers",))
    files = ServerFiles(tmp_path / "server.pem", tmp_path / "server.key", (tmp_path / "ca.pem",))
    client = ClientFiles(
        tmp_path / "bob" / "ca.pem", tmp_path / "bob" / "cert.pem", tmp_path / "bob" / "key.pem"
    )
    assert server_context(files)
    assert client_context(client)
