"""The environment variables of the well-known socket proxies that are made of HAProxy.

``CONTAINERS=1`` opens the paths below ``/containers``, ``POST=1`` everything but
reading. It reads lines of an env file, of a compose file or of a command line.
"""

from __future__ import annotations

import re
from typing import Final

from authz.docker.routes import load_operations
from authz.tools.importers.grants import Grant, Imported, lines_of

ROLE: Final = "role:socket-proxy"

_NAMES: Final = (
    *("AUTH", "BUILD", "COMMIT", "CONFIGS", "CONTAINERS", "DISTRIBUTION", "EVENTS", "EXEC", "GRPC"),
    *("IMAGES", "INFO", "NETWORKS", "NODES", "PLUGINS", "SECRETS", "SERVICES", "SESSION", "SWARM"),
    *("SYSTEM", "TASKS", "VERSION", "VOLUMES"),
)
SECTIONS: Final = {name: name.lower() for name in _NAMES} | {"PING": "_ping"}
"""Variables that open a section, and the first word of its paths."""

GIVEN: Final = ("EVENTS", "PING", "VERSION")
"""Sections that are open unless they are closed."""

SINGLE: Final = {
    "ALLOW_START": ("ContainerStart",),
    "ALLOW_STOP": ("ContainerStop",),
    "ALLOW_RESTARTS": ("ContainerStop", "ContainerRestart", "ContainerKill"),
}
"""Variables that open single operations, whatever POST says."""

WORDS: Final = frozenset({"LOG_LEVEL", "SOCKET_PATH", "DISABLE_IPV6", "BIND_CONFIG"})
"""Settings that open nothing."""

OTHERS: Final = WORDS | {"POST"}

_SETTING = re.compile(r"(?<![\w$.{/-])([A-Z][A-Z0-9_]+)[\"']?\s*[=:]\s*[\"']?([^\s\"',}]*)")
_ON: Final = frozenset({"1", "true", "yes", "on"})
_OFF: Final = frozenset({"", "0", "false", "no", "off"})


def read(text: str, holders: tuple[str, ...]) -> Imported:
    """Read the variables; everybody who could reach the proxy is one of ``holders``."""
    found = Imported("the settings of a socket proxy", links=[(who, ROLE) for who in holders])
    values: dict[str, str] = {}
    for name, value in _SETTING.findall("\n".join(lines_of(text))):
        if name not in SECTIONS and name not in SINGLE and name not in OTHERS:
            found.left.append(f"{name} is no setting that is known here")
            continue
        values[name] = value.lower()
        if name not in WORDS and value.lower() not in _ON | _OFF:
            found.left.append(f"{name}={value}: is neither 1 nor 0, and counts as 0 here")
    if not values:
        found.left.append("no setting is in the file; here is what such a proxy opens without any")
    values = dict.fromkeys(GIVEN, "1") | values
    _grant(found, {name for name, value in values.items() if value in _ON})
    return found


def _grant(found: Imported, on: set[str]) -> None:
    for name in sorted(on & set(SECTIONS)):
        operations = frozenset(
            each.name
            for each in load_operations()
            if each.path.split("/")[1:2] == [SECTIONS[name]]
            and (each.method in ("GET", "HEAD") or "POST" in on)
            and each.name != "ContainerExec"
        )
        found.grants.append(Grant(ROLE, operations, f"{name}=1"))
    for name in sorted(on & set(SINGLE)):
        found.grants.append(Grant(ROLE, frozenset(SINGLE[name]), f"{name}=1"))
    if {"EXEC", "POST"} <= on:
        found.grants.append(Grant(ROLE, frozenset({"ContainerExec"}), "EXEC=1"))
    elif {"CONTAINERS", "POST"} <= on:
        found.left.append(
            "POST below /containers/{id}/exec, which CONTAINERS=1 reached: set EXEC=1 and import "
            "again where it is wanted"
        )
