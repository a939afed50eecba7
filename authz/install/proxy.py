"""Installs Dockgate as the front proxy, and takes it away.

The daemon is told nothing; only its own socket can be closed to everybody but
root, which is said and not done unless it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from authz.errors import ConfigurationError
from authz.install import units
from authz.install.plugin import Wish, prepare
from authz.install.site import Site
from authz.install.trial import Trial
from authz.service.sections import Settings

CONFIG = Path("/etc/dockgate-proxy/dockgate.toml")
UNIT = "dockgate-proxy.service"
SOCKET = Path("/run/docker/plugins/dockgate.sock")


def install(site: Site, wish: Wish, *, close: bool = False) -> None:
    """Install and start; with ``close`` the daemon's own socket becomes root's alone.

    Raises ConfigurationError, PolicyError or TrialError.
    """
    settings = prepare(site, wish, units.proxy_settings())
    if settings.proxy is None and not site.dry:
        raise ConfigurationError(f"{wish.config}: has no [[proxy.listen]]; expected one")
    for name, text in units.proxy_units(wish.config).items():
        site.write(site.path(units.FOLDER / name), text)
    if site.living:
        _start(site, wish, settings)
    if close:
        site.write(site.path(units.DROP_IN), units.CLOSED)
        site.manage("daemon-reload")
        site.say("the daemon's socket is root's after: systemctl restart docker.socket docker")
    else:
        site.say("whoever opens the daemon's own socket goes around the proxy: see --close-socket")


def uninstall(site: Site, wish: Wish) -> None:
    """Stop, and remove the units. Raises ConfigurationError. Settings and records stay."""
    unit = site.path(units.FOLDER / UNIT)
    if site.managed and unit.exists():
        site.manage("disable", "--now", UNIT)
    site.remove(unit)
    site.remove(site.path(units.DROP_IN))
    site.manage("daemon-reload")
    site.say(f"left as they are: {wish.config.parent} and the records")


def _start(site: Site, wish: Wish, settings: Settings) -> None:
    if not site.managed:
        site.say(f"start it: {units.program()} serve --config {wish.config}")
    site.manage("daemon-reload")
    site.manage("enable", UNIT)
    site.manage("restart", UNIT)  # one that runs has other settings, or is an older program
    if site.dry or settings.proxy is None:
        return
    local = [each for each in settings.proxy.listen if each.address.startswith("unix:")]
    if not local:
        site.say("not tried: no listener is a unix socket, and it takes a certificate or a token")
        return
    site.say(f"ask {local[0].address} for what must be allowed and what must be denied")
    Trial(wish.probe).through(local[0].address, SOCKET, wish.patience)
