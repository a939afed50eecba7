"""Whether a plugin decides, before the daemon asks it, and through the daemon afterwards.

Two questions: one that must be allowed, because without it nobody can work,
and one that no policy may ever allow. It knows the messages of both doors.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authz.dial import UNIX, Reply, UnreachableError, ask
from authz.errors import AuthzError

PROBE = "/version"
"""What ``docker version`` asks."""

CREATE = "/v1.40/containers/create?name=dockgate-trial"

PATIENCE = 15.0
"""Seconds for the service to begin to answer."""

_OK = 200
_FORBIDDEN = (401, 403)


class TrialError(AuthzError):
    """The gate does not decide as it must. The message says which question showed it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked. ``probe`` is what must be allowed; ``tls`` is for a daemon behind TCP."""

    probe: str = PROBE
    tls: ssl.SSLContext | None = None

    def plugin(self, socket: Path, patience: float = PATIENCE) -> None:
        """Ask a plugin as the daemon would. Raises TrialError."""
        address = f"{UNIX}{socket}"
        active = _patiently(lambda: ask(address, "POST", "/Plugin.Activate"), patience)
        if "authz" not in (active.document().get("Implements") or ()):
            raise TrialError(f"{address}: is no authorization plugin")
        allowed, message = _judged(address, {"RequestMethod": "GET", "RequestUri": self.probe})
        if not allowed:
            raise TrialError(self._shut_out(message))
        allowed, _ = _judged(address, _dangerous(socket))
        if allowed:
            raise TrialError(_OPEN)

    def through(
        self, address: str, socket: Path, patience: float = 0.0, *, others: bool = False
    ) -> None:
        """Ask a daemon that asks a plugin, or a proxy. Raises TrialError.

        With ``others`` a plugin that is asked before us may be the one that denies.
        """
        answer = _patiently(lambda: ask(address, "GET", self.probe, tls=self.tls), patience)
        if answer.status != _OK:
            raise TrialError(self._shut_out(f"{answer.status} {answer.message}"))
        body = json.loads(base64.b64decode(_dangerous(socket)["RequestBody"]))
        try:
            answer = ask(address, "POST", CREATE, body=body, tls=self.tls)
        except UnreachableError as error:
            raise TrialError(str(error)) from error
        by_us = others or "dockgate" in answer.message
        if answer.status not in _FORBIDDEN or not by_us:
            raise TrialError(f"{_OPEN}: {answer.status} {answer.message}".rstrip(": "))

    def _shut_out(self, message: str) -> str:
        return (
            f"GET {self.probe} is not allowed, so that nobody could work: {message}; "
            "give that caller a role in people.csv (g, CALLER, role:NAME, *), "
            "or name with --probe what may be asked"
        )


_OPEN = (
    "a privileged container with the plugins' folder in it is not denied; "
    "the pack core has a never row for that, which holds in shadow mode, too"
)


def _judged(address: str, question: dict[str, Any]) -> tuple[bool, str]:
    try:
        answer = ask(address, "POST", "/AuthZPlugin.AuthZReq", body=question).document()
    except UnreachableError as error:
        raise TrialError(str(error)) from error
    return answer.get("Allow") is True, str(answer.get("Msg", ""))


def _dangerous(socket: Path) -> dict[str, Any]:
    """Return a create that makes its caller root on the host in two ways."""
    host = {"Privileged": True, "Binds": [f"{socket.parent}:/x"]}
    body = json.dumps({"Image": "dockgate-trial", "HostConfig": host}).encode()
    return {
        "RequestMethod": "POST",
        "RequestUri": CREATE,
        "RequestHeaders": {"Content-Type": "application/json", "Content-Length": str(len(body))},
        "RequestBody": base64.b64encode(body).decode(),
    }


def _patiently(question: Callable[[], Reply], patience: float) -> Reply:
    """Ask until somebody answers. Raises TrialError where nobody does."""
    until = time.monotonic() + patience
    while True:
        try:
            return question()
        except UnreachableError as error:
            if time.monotonic() >= until:
                raise TrialError(str(error)) from error
        time.sleep(0.1)
