"""The units and settings that ship, made fit for where they are installed.

It knows what stands in them, and writes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from authz.shipped import shipped

PROGRAM = "/opt/dockgate/bin/dockgate"
"""What the shipped units start."""

FOLDER = Path("/etc/systemd/system")

DROP_IN = FOLDER / "docker.socket.d" / "dockgate.conf"

CLOSED = """# The daemon's own socket is root's: people come in through Dockgate's proxy.
[Socket]
SocketMode=0600
SocketUser=root
SocketGroup=root
"""


def program() -> Path:
    """Return the command of this installation."""
    return Path(sys.executable).parent / "dockgate"


def plugin_units(config: Path, socket: Path) -> dict[str, str]:
    """Return the plugin's units by name."""
    service = _fit(shipped("deploy", "systemd", "dockgate.service"), config, "/etc/dockgate")
    unit = shipped("deploy", "systemd", "dockgate.socket").read_text(encoding="utf-8")
    listening = unit.replace("/run/docker/plugins/dockgate.sock", str(socket))
    return {"dockgate.socket": listening, "dockgate.service": service}


def listens(unit: Path) -> str:
    """Return where a socket unit listens; nothing where there is none."""
    lines = unit.read_text(encoding="utf-8").splitlines() if unit.exists() else []
    return next((each.partition("=")[2] for each in lines if each.startswith("ListenStream=")), "")


def proxy_units(config: Path) -> dict[str, str]:
    """Return the proxy's units by name."""
    source = shipped("deploy", "proxy", "dockgate-proxy.service")
    return {"dockgate-proxy.service": _fit(source, config, "/etc/dockgate-proxy")}


def plugin_settings() -> str:
    """Return the settings that the plugin begins with."""
    return shipped("deploy", "systemd", "dockgate.toml").read_text(encoding="utf-8")


def proxy_settings() -> str:
    """Return the settings that the proxy begins with: accounts of this host, on a unix socket."""
    return shipped("deploy", "proxy", "unix.toml").read_text(encoding="utf-8")


def _fit(source: Path, config: Path, folder: str) -> str:
    text = source.read_text(encoding="utf-8").replace(PROGRAM, str(program()))
    return text.replace(f"{folder}/dockgate.toml", str(config))
