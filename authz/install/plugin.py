"""Installs Dockgate as a daemon's authorization plugin, and takes it away.

The order is the point: settings and policy that load, a service that answers,
a trial of it, and only then the daemon is told.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from authz.doctor.plugins import name_of
from authz.doctor.processes import USUAL, Dockerd, behind
from authz.errors import ConfigurationError
from authz.install import units
from authz.install.site import Site
from authz.install.switch import Switch
from authz.install.trial import PATIENCE, PROBE, Trial
from authz.policy.bundle import BUILTIN, load_bundle
from authz.proxy.contexts import ClientFiles, client_context
from authz.service.config import load_settings
from authz.service.sections import DaemonTls, Plugin, Settings
from authz.shipped import shipped

CONFIG = Path("/etc/dockgate/dockgate.toml")
UNITS = ("dockgate.socket", "dockgate.service")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be installed. Paths are those of the system that it is for.

    ``host`` is the daemon's address; without one that of the settings.
    """

    config: Path = CONFIG
    policy: str = "builtin:developer"
    host: str = ""
    probe: str = PROBE
    patience: float = PATIENCE
    find: Callable[[str], list[Dockerd]] = field(default=behind)


def install(site: Site, wish: Wish) -> None:
    """Install and switch on. Raises ConfigurationError, PolicyError, TrialError or SwitchError."""
    settings = prepare(site, wish, units.plugin_settings())
    plugin = settings.plugin
    if plugin is None:
        raise ConfigurationError(f"{wish.config}: has no [plugin]; expected its socket")
    unit = site.path(units.FOLDER / UNITS[0])
    held = units.listens(unit) if site.managed else ""
    if held not in {"", str(plugin.socket)}:
        raise ConfigurationError(
            f"{unit}: listens on {held}, where the daemon may ask; expected {plugin.socket}: "
            f'uninstall it first, with socket = "{held}" in {wish.config}'
        )
    for name, text in units.plugin_units(wish.config, plugin.socket).items():
        site.write(site.path(units.FOLDER / name), text)
    if not site.living:
        _switch(site, wish, settings, plugin).on()
        return
    if not site.managed:
        site.say(f"start it: {units.program()} serve --config {wish.config}")
    site.manage("daemon-reload")
    site.manage("enable", *UNITS)
    site.manage("restart", UNITS[1])  # one that runs has other settings, or is an older program
    switch = _switch(site, wish, settings, plugin)
    if not site.dry:
        site.say("ask it for what must be allowed and what must be denied")
        switch.trial.plugin(plugin.socket, wish.patience)
    switch.on()
    if switch.daemon is not None and not site.dry:
        site.say(f"the daemon asks {switch.name}, which allows and denies as it must")


def uninstall(site: Site, wish: Wish) -> None:
    """Switch off and remove the units. Raises ConfigurationError or SwitchError.

    Settings, policy and records stay.
    """
    config = site.path(wish.config)
    settings = load_settings(config, {}) if config.exists() else Settings()
    plugin = settings.plugin or Plugin()
    _switch(site, wish, settings, plugin).off()
    if site.managed and site.path(units.FOLDER / UNITS[0]).exists():
        site.manage("disable", "--now", *UNITS)
    for name in UNITS:
        site.remove(site.path(units.FOLDER / name))
    site.manage("daemon-reload")
    site.say(f"left as they are: {wish.config.parent} and the records")


def prepare(site: Site, wish: Wish, template: str) -> Settings:
    """Make settings and a policy where there are none, and load both.

    Raises ConfigurationError and PolicyError.
    """
    config = site.path(wish.config)
    if not config.exists():
        bundle = config.parent / "policy"
        if not bundle.exists():
            load_bundle(wish.policy)  # what does not load stays outside, also of a dry run
            site.copy(_shipped(wish.policy), bundle)
        site.write(config, template, 0o600)
        if site.dry:
            return load_settings(None, {})
    settings = load_settings(config, {})
    load_bundle(settings.policy, guarded=True)
    return settings


def _shipped(reference: str) -> Path:
    name = reference.removeprefix(BUILTIN)
    path = shipped("policies", name)
    return path if name != reference and path.is_dir() else Path(reference)


def _tls(files: DaemonTls | None) -> ssl.SSLContext | None:
    return client_context(ClientFiles(files.ca, files.certificate, files.key)) if files else None


def _switch(site: Site, wish: Wish, settings: Settings, plugin: Plugin) -> Switch:
    host = wish.host or settings.daemon
    daemons = wish.find(host) if site.living else []
    if len(daemons) > 1:
        pids = ", ".join(str(each.pid) for each in daemons)
        raise ConfigurationError(
            f"{host}: several daemons could be behind it (processes {pids}); expected one"
        )
    daemon = daemons[0] if daemons else None
    file = daemon.file if daemon else site.path(USUAL)
    if site.living and not file.is_relative_to("/proc"):
        file = file.resolve()  # the file behind a link changes, and the link stays
    return Switch(
        site,
        file,
        name_of(plugin.socket),
        plugin.socket,
        host,
        daemon,
        Trial(wish.probe, _tls(settings.daemon_tls)),
    )
