"""Looks at a whole set-up: asks the daemon, reads files and accounts, judges nothing itself.

What cannot be found out is a finding as well: nobody may take it for good.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authz.dial import UNIX, Reply, UnreachableError, ask
from authz.doctor import benchmark, files, plugins, reach
from authz.doctor.finding import Finding, Weight, worst_first
from authz.doctor.holes import holes_of
from authz.doctor.processes import Dockerd, behind
from authz.errors import ConfigurationError
from authz.lookups.lookup_pass import HEADER, Passes, load_key
from authz.service.config import socket_path
from authz.service.sections import Settings

INFO = "/info"
BRIDGE = "/networks/bridge"

APART = 2.0
"""Seconds that the daemon's clock may differ: passes are good for five."""

_OK, _NOT_FOUND = 200, 404


@dataclass(frozen=True, slots=True)
class Service:
    """One Dockgate of this host: its settings, and the file that they come from."""

    settings: Settings
    file: Path


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon said; ``problem`` is why it said nothing."""

    info: Mapping[str, Any] = field(default_factory=dict)
    bridge: Mapping[str, Any] = field(default_factory=dict)
    skew: float = 0.0
    asks: bool = False
    """Whether the daemon asks a Dockgate."""
    problem: str = ""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Setup:
    """What is looked at: the daemon's address, and the Dockgates beside it."""

    host: str
    services: Sequence[Service] = ()
    tls: ssl.SSLContext | None = None
    now: Callable[[], datetime] = _now
    folders: tuple[Path, ...] = files.PLUGIN_FOLDERS

    @property
    def proxied(self) -> bool:
        """Whether people come in through the proxy."""
        return any(each.settings.proxy for each in self.services)


def examine(setup: Setup, find: Callable[[str], list[Dockerd]] = behind) -> list[Finding]:
    """Return everything that is wrong, the worst first. Raises nothing that a set-up can cause."""
    daemons = find(setup.host)
    told = tell(setup)
    found = [*_daemon(told, daemons), *_reach(setup, told, daemons), *_files(setup, daemons)]
    for service in setup.services:
        found += _service(service, told, daemons)
    if not setup.services and not told.asks:
        found.append(
            Finding(
                "no-gate",
                Weight.CRITICAL,
                "no Dockgate is set up here, and the daemon asks none",
                "its settings in one of the usual places, or named with --config",
                "dockgate install plugin, or dockgate install proxy",
                "CIS 2.12",
            )
        )
    return worst_first(list(dict.fromkeys(found)))


def tell(setup: Setup) -> Told:
    """Ask the daemon what it is, with a pass where there is a key for one."""
    passes = _passes(setup.services)
    try:
        before = setup.now()
        info = _get(setup, INFO, passes)
        after = setup.now()
        if info.status != _OK:
            return Told(problem=f"{setup.host}: GET {INFO}: {info.status} {info.message}")
        bridge = _get(setup, BRIDGE, passes)
        asks = plugins.is_asked(setup.host, setup.tls)
    except UnreachableError as error:
        return Told(problem=str(error))
    if bridge.status not in {_OK, _NOT_FOUND}:
        return Told(problem=f"{setup.host}: GET {BRIDGE}: {bridge.status} {bridge.message}")
    document = info.document()
    return Told(
        document,
        bridge.document() if bridge.status == _OK else {},
        skew(str(document.get("SystemTime", "")), before, after),
        asks,
    )


def skew(text: str, before: datetime, after: datetime) -> float:
    """Return how many seconds the daemon's clock is off, between two times of ours at least."""
    try:
        theirs = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    if theirs.tzinfo is None:
        return 0.0
    if theirs < before:
        return (theirs - before).total_seconds()
    return max(0.0, (theirs - after).total_seconds())


def _get(setup: Setup, target: str, passes: Passes | None) -> Reply:
    headers = {HEADER: passes.issue("GET", target)} if passes else {}
    return ask(setup.host, "GET", target, headers=headers, tls=setup.tls)


def _passes(services: Sequence[Service]) -> Passes | None:
    """Use the key of a service's look-ups; one that is not there is not made."""
    for each in services:
        key = each.settings.pass_key
        # An open key is a finding, and the service's end; one that only root reads is none for us.
        with suppress(ConfigurationError, OSError):
            if key is not None and key.exists():
                return Passes(load_key(key))
    return None


def _daemon(told: Told, daemons: Sequence[Dockerd]) -> list[Finding]:
    if told.problem:
        return [
            Finding(
                "daemon-silent",
                Weight.HIGH,
                f"the daemon does not tell what it is: {told.problem}",
                "an answer, so that its version and its settings can be judged",
                "start it; where a policy denies it, give pass_key in the configuration",
            )
        ]
    version = str(told.info.get("ServerVersion", ""))
    changes = daemons[0].changes if len({each.changes for each in daemons}) == 1 else ""
    found = holes_of(version, changes)
    found += benchmark.findings(told.info, told.bridge, daemons)
    if abs(told.skew) > APART:
        found.append(
            Finding(
                "clock",
                Weight.MEDIUM,
                f"the daemon's clock differs from ours by {told.skew:+.1f} seconds",
                f"at most {APART:g} seconds: passes, tokens and rows with until go by it",
                "let both synchronise their clocks",
                "CIS 1.1",
            )
        )
    return found


def _reach(setup: Setup, told: Told, daemons: Sequence[Dockerd]) -> list[Finding]:
    found = reach.tcp_findings(daemons, proxied=setup.proxied)
    if setup.host.startswith(UNIX):
        raw = reach.look(socket_path(setup.host))
        if raw is not None:
            version = str(told.info.get("ServerVersion", ""))
            found += reach.socket_findings(raw, version, proxied=setup.proxied)
    return found


def _files(setup: Setup, daemons: Sequence[Dockerd]) -> list[Finding]:
    found = [
        Finding(
            "daemon-json",
            Weight.HIGH,
            f"{each.file} {each.problem}",
            "a file that the daemon can read again",
            "put it right before the next restart",
        )
        for each in daemons
        if each.problem
    ]
    for file in {each.file: None for each in daemons}:
        found += files.daemon_findings(file, setup.folders)
    return found


def _service(service: Service, told: Told, daemons: Sequence[Dockerd]) -> list[Finding]:
    settings = service.settings
    found = files.findings(settings, service.file)
    if settings.plugin is not None:
        found += plugins.answer_findings(settings.plugin.socket)
        if not told.problem:
            names = plugins.listed(told.info, daemons)
            ours = plugins.name_of(settings.plugin.socket)
            found += plugins.order_findings(names, ours, asked=told.asks)
    if settings.mode == "shadow":
        found.append(
            Finding(
                "shadow",
                Weight.HIGH,
                f"{service.file}: shadow mode lets through what the policy denies",
                "enforce, once the records show what would be denied",
                'mode = "enforce", then restart the service',
            )
        )
    for each in settings.proxy.listen if settings.proxy else ():
        if each.insecure:
            found.append(
                Finding(
                    "listener-insecure",
                    Weight.HIGH,
                    f"{service.file}: {each.address} is served without proof, or in the clear",
                    "a listener with an identity, and TLS on TCP",
                    "take insecure away, and name identity and tls",
                )
            )
    return found
