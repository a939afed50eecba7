"""Installing the proxy."""

import os

import pytest

from authz.errors import ConfigurationError
from authz.install import proxy, units
from authz.install.plugin import Wish
from authz.install.proxy import install, uninstall
from authz.install.site import Site
from authz.install.trial import CREATE, TrialError
from authz.service.config import load_settings
from tests.scripted_http import scripted

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is installed is root's")
DENIED = (403, b'{"message":"dockgate: denied: it"}')


@pytest.fixture
def image(tmp_path):
    """Return a site in a folder, closed to others."""
    tmp_path.chmod(0o755)
    said = []
    return Site(tmp_path, say=said.append), said


def test_an_image_gets_settings_policy_and_unit(image):
    """The daemon's socket stays as it is, and that is said."""
    site, said = image
    install(site, Wish(proxy.CONFIG))

    assert load_settings(site.path(proxy.CONFIG), {}).proxy
    assert site.path("/etc/systemd/system/dockgate-proxy.service").exists()
    assert not site.path(units.DROP_IN).exists()
    assert "goes around the proxy" in said[-1]


def test_the_daemons_socket_is_closed_when_that_is_asked_for(image):
    """And open again without the proxy; settings stay."""
    site, said = image
    install(site, Wish(proxy.CONFIG), close=True)
    assert "SocketMode=0600" in site.path(units.DROP_IN).read_text()
    assert "systemctl restart docker.socket docker" in said[-1]

    uninstall(site, Wish(proxy.CONFIG))

    assert not site.path(units.DROP_IN).exists()
    assert not site.path("/etc/systemd/system/dockgate-proxy.service").exists()
    assert site.path(proxy.CONFIG).exists()


def test_settings_without_a_listener_are_a_mistake(image):
    """The plugin is installed otherwise."""
    site, _ = image
    config = site.path(proxy.CONFIG)
    config.parent.mkdir(parents=True)
    config.write_text('policy = "builtin:developer"\n[plugin]\n')

    with pytest.raises(ConfigurationError, match=r"has no \[\[proxy.listen\]\]"):
        install(site, Wish(proxy.CONFIG))


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Return what installs on the system that runs, with a systemctl that keeps what it is told."""
    monkeypatch.setattr(units, "FOLDER", tmp_path / "units")
    monkeypatch.setattr(units, "DROP_IN", tmp_path / "units" / "drop-in")
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def run(listen, *, systemd=tmp_path, dry=False, work=install):
        config = tmp_path / "dockgate.toml"
        config.write_text(f'policy = "builtin:developer"\n[[proxy.listen]]\n{listen}\n')
        said = []
        work(
            Site(say=said.append, systemd=systemd, dry=dry),
            Wish(config, probe="/_ping", patience=0.0),
        )
        return said

    return run


def test_a_proxy_that_decides_is_installed(started, tmp_path):
    """It is asked by its own socket; systemd stops it again."""
    listen = f'address = "unix://{tmp_path}/s"\nidentity = ["peer"]'
    with scripted(tmp_path / "s", {"GET /_ping": (200, b"OK"), f"POST {CREATE}": DENIED}):
        said = started(listen)
        started(listen, dry=True)
    started(listen, work=uninstall)

    told = (tmp_path / "told").read_text().splitlines()
    unit = "dockgate-proxy.service"
    assert told[:3] == ["daemon-reload", f"enable {unit}", f"restart {unit}"]
    assert told[3:] == [f"disable --now {unit}", "daemon-reload"]
    assert any(each.startswith(f"ask unix://{tmp_path}/s") for each in said)


def test_a_proxy_that_does_not_answer_is_told(started, tmp_path):
    """Without systemd it is said what to start."""
    listen = f'address = "unix://{tmp_path}/s"\nidentity = ["peer"]'
    with pytest.raises(TrialError, match="No such file"):
        started(listen, systemd=tmp_path / "none")


def test_a_listener_that_wants_a_proof_is_not_tried(started):
    """There is none to show."""
    said = started('address = "tcp://127.0.0.1:2375"\ninsecure = true')

    assert any(each.startswith("not tried: ") for each in said)
