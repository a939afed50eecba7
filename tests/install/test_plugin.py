"""Installing the plugin: what is made, in which order."""

import json
import os

import pytest

from authz.doctor.processes import Dockerd
from authz.errors import ConfigurationError, PolicyError
from authz.install import plugin
from authz.install.plugin import Wish, install, uninstall
from authz.install.site import Site
from authz.install.trial import TrialError
from authz.policy.bundle import load_bundle
from authz.service.config import load_settings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is installed is root's")


@pytest.fixture
def image(tmp_path):
    """Return a site in a folder, closed to others."""
    tmp_path.chmod(0o755)
    said = []
    return Site(tmp_path, say=said.append), said


def test_an_image_gets_everything_and_nothing_is_started(image):
    """Settings, a policy that loads, units, and the daemon's line."""
    site, said = image
    install(site, Wish())

    settings = load_settings(site.path(plugin.CONFIG), {})
    assert load_bundle(settings.policy, guarded=True).rows
    assert site.path("/etc/systemd/system/dockgate.socket").exists()
    daemon = json.loads(site.path("/etc/docker/daemon.json").read_text())
    assert daemon == {"authorization-plugins": ["dockgate"]}
    assert not any("systemctl" in each for each in said)


def test_what_is_there_stays(image):
    """A second time, another policy is not put over the first."""
    site, _ = image
    install(site, Wish())
    config = site.path(plugin.CONFIG)
    config.write_text(config.read_text() + "# mine\n")
    install(site, Wish(policy="builtin:admin"))

    assert "# mine" in config.read_text()
    assert load_bundle(config.parent / "policy").name == "policy"


def test_uninstalling_leaves_settings_and_policy(image):
    """Units and the daemon's line go."""
    site, _ = image
    install(site, Wish())
    uninstall(site, Wish())

    assert json.loads(site.path("/etc/docker/daemon.json").read_text()) == {}
    assert not site.path("/etc/systemd/system/dockgate.service").exists()
    assert site.path(plugin.CONFIG).exists()


def test_a_dry_run_makes_nothing(tmp_path):
    """It says what it would make."""
    said = []
    install(Site(tmp_path, dry=True, say=said.append), Wish())

    assert list(tmp_path.iterdir()) == []
    assert any("daemon.json" in each for each in said)


@pytest.mark.parametrize("dry", [True, False])
def test_a_policy_to_copy_that_is_not_there_ends_it(tmp_path, dry):
    """Before anything is made, so that a second try finds nothing half done; a dry run says it."""
    with pytest.raises(PolicyError):
        install(Site(tmp_path, dry=dry), Wish(policy=str(tmp_path / "none")))

    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_does_not_load_ends_it(image):
    """Nothing else is written; so does a policy that is not there."""
    site, _ = image
    policy = site.path(plugin.CONFIG).parent / "policy"
    policy.mkdir(parents=True)
    (policy / "policy.csv").write_text("nonsense\n")
    with pytest.raises(PolicyError):
        install(site, Wish())

    assert not site.path("/etc/docker").exists()


def test_settings_without_a_plugin_are_a_mistake(image):
    """The proxy is installed otherwise."""
    site, _ = image
    config = site.path(plugin.CONFIG)
    config.parent.mkdir(parents=True)
    config.write_text(
        'policy = "builtin:developer"\n[[proxy.listen]]\naddress = "unix:///x.sock"\n'
        'identity = ["peer"]\n'
    )
    with pytest.raises(ConfigurationError, match=r"has no \[plugin\]"):
        install(site, Wish())


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return settings of a service that does not run, for the system that runs."""
    monkeypatch.setattr(plugin.units, "FOLDER", tmp_path / "units")
    config = tmp_path / "dockgate.toml"
    config.write_text(
        f'policy = "builtin:developer"\ndaemon = "unix://{tmp_path}/d"\n'
        f'[plugin]\nsocket = "{tmp_path}/p.sock"\n'
    )
    return config


def test_a_service_that_does_not_answer_is_not_switched_on(here, tmp_path):
    """The daemon would refuse everything."""
    said = []
    file = tmp_path / "daemon.json"
    wish = Wish(here, patience=0.0, find=lambda _: [Dockerd(1, file=file)])
    with pytest.raises(TrialError, match="No such file"):
        install(Site(say=said.append, systemd=tmp_path / "none"), wish)

    assert any(each.startswith("start it: ") for each in said)
    assert not file.exists()


def test_of_several_daemons_one_must_be_meant(here, tmp_path):
    """Nobody wants to guess."""
    wish = Wish(here, find=lambda _: [Dockerd(1), Dockerd(2)])
    with pytest.raises(ConfigurationError, match=r"processes 1, 2"):
        install(Site(systemd=tmp_path / "none"), wish)


def test_systemd_stops_what_it_started(here, tmp_path, monkeypatch):
    """Before the units go. A service that runs is started anew, and its socket stays."""
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(plugin, "USUAL", tmp_path / "daemon.json")
    site = Site(systemd=tmp_path)
    wish = Wish(here, patience=0.0, find=lambda _: [])
    for _ in range(2):
        with pytest.raises(TrialError):
            install(site, wish)
    uninstall(site, wish)

    told = (tmp_path / "told").read_text().splitlines()
    units = "dockgate.socket dockgate.service"
    assert told == [
        *["daemon-reload", f"enable {units}", "restart dockgate.service"] * 2,
        f"disable --now {units}", "daemon-reload",
    ]  # fmt: skip
