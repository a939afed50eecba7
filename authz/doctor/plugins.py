"""Whether the daemon asks Dockgate, and whether Dockgate answers.

It knows the daemon's list of plugins and the plugin's socket.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from authz.dial import UNIX, UnreachableError, ask
from authz.doctor.finding import Finding, Weight
from authz.doctor.processes import Dockerd
from authz.lookups.lookup_pass import HEADER

PING = "/_ping"
FORGED = "0.0"
FORBIDDEN = 403

_LINE = '"authorization-plugins": ["{name}"] in daemon.json, then systemctl reload docker'


def is_asked(host: str, tls: ssl.SSLContext | None = None, *, name: str = "") -> bool:
    """Say whether a daemon asks a Dockgate, by a question that every Dockgate refuses.

    Raises UnreachableError. A pass that is not genuine is refused in any mode
    and by any policy; who is not asked does not see it. Whoever denies it under
    our ``name`` is asked as well, whatever it is.
    """
    answer = ask(host, "GET", PING, headers={HEADER: FORGED}, tls=tls)
    said = ("dockgate: refused", *([f"denied by plugin {name}:"] if name else []))
    return answer.status == FORBIDDEN and any(each in answer.message for each in said)


def listed(info: Mapping[str, Any], daemons: Sequence[Dockerd]) -> tuple[str, ...]:
    """Return the plugins that the daemon asks, in its order, as far as that is told.

    Its own word is that of its start, and not changed by a reload; its settings
    are newer.
    """
    found = daemons[0].listed("authorization-plugins") if len(daemons) == 1 else ()
    told = (info.get("Plugins") or {}).get("Authorization") or ()
    return found or tuple(map(str, told))


def name_of(socket: Path) -> str:
    """Return the name by which the daemon finds a socket: NAME.sock or NAME/NAME.sock."""
    return socket.stem


def order_findings(names: Sequence[str], ours: str, *, asked: bool) -> list[Finding]:
    """Look for us in the list. A plugin behind us may deny what our record says was allowed."""
    places = [at for at, name in enumerate(names) if _is(name, ours)]
    if not asked:
        said = ", ".join(names) or "none"
        return [
            Finding(
                "plugin-missing",
                Weight.CRITICAL,
                f"the daemon does not ask {ours}; its plugins are: {said}",
                f"{ours} is among them",
                _LINE.format(name=ours),
                "CIS 2.12",
            )
        ]
    behind = names[places[-1] + 1 :] if places else ()
    if not behind:
        return []
    return [
        Finding(
            "plugin-order",
            Weight.LOW,
            f"{', '.join(behind)} is asked after {ours}, and may deny what was recorded as allowed",
            f"{ours} is the last one",
            f"put {ours} last in authorization-plugins of daemon.json, and reload the daemon",
        )
    ]


def answer_findings(socket: Path) -> list[Finding]:
    """Ask the plugin what it is, as the daemon does."""
    try:
        answer = ask(f"{UNIX}{socket}", "POST", "/Plugin.Activate", time_limit=5)
    except UnreachableError as error:
        problem = str(error)
    else:
        if "authz" in (answer.document().get("Implements") or ()):
            return []
        problem = f"{UNIX}{socket}: status {answer.status}, and no authorization plugin"
    return [
        Finding(
            "plugin-silent",
            Weight.CRITICAL,
            f"nobody answers as a plugin at {problem}",
            "dockgate serve answers there; without it the daemon refuses every request",
            "systemctl start dockgate.socket dockgate.service, and read its log",
        )
    ]


def _is(name: str, ours: str) -> bool:
    """Compare without the tag, which the names of managed plugins have."""
    return name.partition(":")[0].rpartition("/")[2] == ours
