"""Section 2 of the CIS Docker Benchmark, as far as the daemon itself tells.

It knows the documents of ``GET /info`` and ``GET /networks/bridge`` and the
daemon's settings; it asks nobody. Numbers are those of the benchmark's 1.6 series.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from authz.doctor.finding import Finding, Weight
from authz.doctor.processes import Dockerd

_ICC = "com.docker.network.bridge.enable_icc"
_RELOAD = "and reload or restart the daemon"


def findings(
    info: Mapping[str, Any], bridge: Mapping[str, Any], daemons: Sequence[Dockerd]
) -> list[Finding]:
    """Return what differs; ``bridge`` is empty where there is no default bridge."""
    return [
        *_networks(bridge, daemons),
        *_registries(info),
        *_walls(_options(info), daemons),
        *_rest(info),
    ]


def _options(info: Mapping[str, Any]) -> dict[str, str]:
    """Return ``SecurityOptions`` by name: ``name=seccomp,profile=builtin``."""
    found = {}
    for text in info.get("SecurityOptions") or ():
        parts = dict(part.partition("=")[::2] for part in str(text).split(","))
        found[parts.get("name", str(text))] = parts.get("profile", "")
    return found


def _networks(bridge: Mapping[str, Any], daemons: Sequence[Dockerd]) -> list[Finding]:
    found = []
    if (bridge.get("Options") or {}).get(_ICC) == "true":
        found.append(
            Finding(
                "icc",
                Weight.MEDIUM,
                "containers of the default bridge reach each other on every port",
                "icc is false",
                '"icc": false in daemon.json, and restart the daemon',
                "CIS 2.2",
            )
        )
    if any(each.settings.get("iptables") in {False, "false"} for each in daemons):
        found.append(
            Finding(
                "iptables",
                Weight.MEDIUM,
                "the daemon sets no firewall rules",
                "iptables is not switched off",
                'take "iptables" out of daemon.json, and restart the daemon',
                "CIS 2.4",
            )
        )
    return found


def _registries(info: Mapping[str, Any]) -> list[Finding]:
    registries = info.get("RegistryConfig") or {}
    names = [text for text in registries.get("InsecureRegistryCIDRs") or () if not _is_local(text)]
    names += [
        name
        for name, index in (registries.get("IndexConfigs") or {}).items()
        if isinstance(index, Mapping) and index.get("Secure") is False
    ]
    return [
        Finding(
            "insecure-registry",
            Weight.HIGH,
            f"images of {name} are pulled without TLS, or without checking it",
            "no insecure registries but those of this host",
            f'take it out of "insecure-registries" in daemon.json, {_RELOAD}',
            "CIS 2.5",
        )
        for name in sorted(names)
    ]


def _is_local(network: str) -> bool:
    try:
        return ipaddress.ip_network(network).is_loopback
    except ValueError:
        return False


def _walls(options: Mapping[str, str], daemons: Sequence[Dockerd]) -> list[Finding]:
    """Look at what stands between a container and the host.

    Engines before 23.0 do not tell of no-new-privileges, but their settings do.
    """
    found = []
    if "userns" not in options and "rootless" not in options:
        found.append(
            Finding(
                "userns",
                Weight.LOW,
                "root in a container is root on the host",
                "user namespaces are on",
                '"userns-remap": "default" in daemon.json, and restart the daemon; '
                "images and containers made before are not seen then",
                "CIS 2.9",
            )
        )
    set_by_hand = bool(daemons) and all(d.switched_on("no-new-privileges") for d in daemons)
    if "no-new-privileges" not in options and not set_by_hand:
        found.append(
            Finding(
                "no-new-privileges",
                Weight.MEDIUM,
                "processes of containers can gain privileges, by set-uid programs",
                "no-new-privileges is the daemon's default",
                '"no-new-privileges": true in daemon.json, and restart the daemon',
                "CIS 2.14",
            )
        )
    if options.get("seccomp", "unconfined") == "unconfined":
        found.append(
            Finding(
                "seccomp",
                Weight.HIGH,
                "containers may make every system call",
                "a seccomp profile, the daemon's own or a narrower one",
                'take "seccomp-profile": "unconfined" out of daemon.json, and restart the daemon',
                "CIS 2.17",
            )
        )
    return found


def _rest(info: Mapping[str, Any]) -> list[Finding]:
    found = []
    if info.get("Debug"):
        found.append(
            Finding(
                "debug",
                Weight.LOW,
                "the daemon logs in debug mode",
                "the log level is info",
                f'take "debug" out of daemon.json, {_RELOAD}',
                "CIS 2.3",
            )
        )
    if info.get("Driver") == "aufs":
        found.append(
            Finding(
                "aufs",
                Weight.MEDIUM,
                "the storage driver is aufs, which nobody looks after any more",
                "overlay2, or the snapshotters of containerd",
                '"storage-driver": "overlay2" in daemon.json, and restart the daemon',
                "CIS 2.6",
            )
        )
    # A swarm cannot have live restore, says the daemon.
    swarm = (info.get("Swarm") or {}).get("LocalNodeState", "inactive")
    if not info.get("LiveRestoreEnabled") and swarm == "inactive":
        found.append(
            Finding(
                "live-restore",
                Weight.LOW,
                "containers end with the daemon, so that nobody dares to update it",
                "live-restore is on",
                f'"live-restore": true in daemon.json, {_RELOAD}',
                "CIS 2.15",
            )
        )
    if info.get("ExperimentalBuild"):
        found.append(
            Finding(
                "experimental",
                Weight.LOW,
                "experimental features of the daemon are on",
                "they are off in production",
                '"experimental": false in daemon.json, and restart the daemon',
                "CIS 2.18",
            )
        )
    return found
