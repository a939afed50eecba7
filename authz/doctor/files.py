"""Who else could read or change Dockgate's own files, and the daemon's.

It knows owners and modes, and nothing of what is in a file. What is missing is
nobody's to change: the service says so itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from authz.doctor.finding import Finding, Weight
from authz.policy.bundle import BUILTIN
from authz.policy.ownership import exposed
from authz.service.config import socket_path
from authz.service.keeping import digest_key
from authz.service.sections import Settings

PLUGIN_FOLDERS = (
    Path("/run/docker/plugins"),
    Path("/etc/docker/plugins"),
    Path("/usr/lib/docker/plugins"),
)
"""Where the daemon looks for plugins: who writes there can be any of them."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def findings(settings: Settings, config: Path) -> list[Finding]:
    """Look at the files of one service."""
    found = list(_writable("config", config, Weight.HIGH))
    for policy in dict.fromkeys(_policies(settings)):
        found += _policy(policy)
    for key in _keys(settings):
        found += _private("key", key, Weight.CRITICAL)
    if settings.audit.path != "-":
        found += _private("audit", Path(settings.audit.path), Weight.HIGH)
    if settings.admin:
        found += _private("admin-socket", socket_path(settings.admin.address), Weight.HIGH)
    if settings.plugin:
        found += _private("plugin-socket", settings.plugin.socket, Weight.HIGH)
    return found


def daemon_findings(file: Path, folders: tuple[Path, ...] = PLUGIN_FOLDERS) -> list[Finding]:
    """Look at the files by which the daemon finds its plugins."""
    found = list(_writable("daemon-json", file, Weight.CRITICAL))
    for folder in folders:
        found += _writable("plugin-folder", folder, Weight.CRITICAL)
    return found


def _policies(settings: Settings) -> Iterator[str]:
    yield settings.policy
    for each in settings.proxy.listen if settings.proxy else ():
        if each.policy:
            yield each.policy


def _keys(settings: Settings) -> list[Path]:
    keys = [settings.pass_key] if settings.pass_key else []
    keys += [settings.daemon_tls.key] if settings.daemon_tls else []
    audit = settings.audit
    keys += [each for each in (digest_key(audit), audit.checkpoint_key) if each]
    listens = settings.proxy.listen if settings.proxy else ()
    return keys + [each.tls.key for each in listens if each.tls]


def _policy(reference: str) -> Iterator[Finding]:
    if reference.startswith(BUILTIN):
        return
    root = Path(reference)
    for path in (root, *sorted(root.rglob("*"))):
        yield from _writable("policy", path, Weight.CRITICAL)


def _writable(what: str, path: Path, weight: Weight) -> Iterator[Finding]:
    """Find what somebody else could change, by itself or by the folder that it lies in."""
    for place in (path, path.parent):
        status = _status(place)
        if status and (who := exposed(status)):
            yield Finding(
                f"{what}-writable",
                weight,
                f"{place} {who}",
                "only root can change it",
                f"chown root {place} && chmod go-w {place}",
                "CIS 3.17" if what == "daemon-json" else "",
            )
            return


def _private(what: str, path: Path, weight: Weight) -> Iterator[Finding]:
    """Find what somebody else could read or use."""
    status = _status(path)
    if status is None:
        return
    if status.st_mode & _OTHERS:
        yield Finding(
            f"{what}-open",
            weight,
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}",
            "mode 0600",
            f"chmod 0600 {path}",
        )
    else:
        yield from _writable(what, path, weight)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
