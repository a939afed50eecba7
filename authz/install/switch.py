"""Switches a plugin on and off in a daemon that runs, and back where that does not work.

It knows the daemon's settings, its process and its answers.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from authz.dial import UnreachableError
from authz.doctor.plugins import is_asked
from authz.doctor.processes import Dockerd
from authz.errors import AuthzError, ConfigurationError
from authz.install import daemon_json
from authz.install.site import Site, replace
from authz.install.trial import Trial, TrialError

FLAG = "authorization-plugin"

TAKES = 25.0
"""Seconds for a daemon to take settings: it looks for a plugin for fifteen before it gives up."""


class SwitchError(AuthzError):
    """The daemon could not work with the change, which was taken back."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One plugin of one daemon. ``daemon`` is None where none runs: then only the file changes."""

    site: Site
    file: Path
    name: str
    socket: Path
    host: str
    daemon: Dockerd | None = None
    trial: Trial = field(default_factory=Trial)

    def on(self) -> None:
        """Let the daemon ask the plugin. Raises ConfigurationError, or SwitchError."""
        if self._flags():
            raise ConfigurationError(
                f"dockerd was started with --{FLAG}, and would not start with both; "
                f"expected {daemon_json.KEY} in {self.file} alone"
            )
        self._change(daemon_json.with_plugin, asked=True)

    def off(self) -> None:
        """Let the daemon ask it no more. Raises ConfigurationError, or SwitchError."""
        if self.name in self._flags():
            raise ConfigurationError(
                f"dockerd was started with --{FLAG}={self.name}, and would not start again without "
                "it; expected a command line that does not name it"
            )
        self._change(daemon_json.without_plugin, asked=False)

    def _flags(self) -> Sequence[str]:
        return self.daemon.flags.get(FLAG, ()) if self.daemon is not None else ()

    def _change(self, change: Callable[[str, str, Path], str], *, asked: bool) -> None:
        content = self.file.read_bytes() if self.file.exists() else None
        before = daemon_json.text_of(content or b"", self.file)
        after = change(before, self.name, self.file)
        self._check(after)
        good = after == before
        if good:
            self.site.say(f"{self.file} is as it should be")
        else:
            self._write(after)
        if self.daemon is None or self.site.dry:
            self.site.say("no daemon is told; it reads its settings when it starts")
            return
        try:
            self._reload(asked=asked)
        except (SwitchError, TrialError) as error:
            if good:
                raise SwitchError(f"{error}; {self.file} was not changed") from error
            self._back(content, error)

    def _check(self, text: str) -> None:
        if self.daemon is None:
            return
        found = daemon_json.complaint(text, [f"/proc/{self.daemon.pid}/exe"])
        if found:
            raise ConfigurationError(f"{self.file}: dockerd would not take it: {found}")
        if found is None:
            self.site.say("this dockerd cannot check its settings beforehand (23.0 can)")

    def _write(self, text: str) -> None:
        if not self.site.dry and (copy := daemon_json.back_up(self.file)):
            self.site.say(f"keep {copy}")
        self.site.write(self.file, text)

    def _reload(self, *, asked: bool) -> None:
        """Send SIGHUP, wait until the list is in force, and try whether people can work."""
        self._hang_up()
        until = time.monotonic() + TAKES
        while self._asks() is not asked:
            if not self._lives():
                raise SwitchError("the daemon ended when it read its settings")
            if time.monotonic() > until:
                raise SwitchError(
                    f"the daemon did not take its settings, or does not ask {self.socket}: one "
                    f"that has asked a plugin {self.name} at another socket goes on asking there "
                    "until it is restarted; its log says which"
                )
            time.sleep(0.1)
        if asked:
            self.trial.through(self.host, self.socket, others=True)

    def _asks(self) -> bool | None:
        """Say whether the daemon asks a Dockgate; None where that cannot be told now."""
        try:
            return is_asked(self.host, self.trial.tls, name=self.name)
        except UnreachableError:
            return None

    def _back(self, before: bytes | None, error: AuthzError) -> None:
        """Put the old settings back in force, and say why. Raises SwitchError always."""
        if before is not None:
            replace(self.file, before, 0o644)
        else:
            self.file.unlink(missing_ok=True)
        self.site.say(f"put {self.file} back")
        said = f"{error}; the change was taken back"
        try:
            if self._lives():
                self._hang_up()
            else:
                self.site.manage("start", "docker.service")
        except ConfigurationError as failed:
            said += f"; start the daemon: {failed}"
        raise SwitchError(said) from error

    def _hang_up(self) -> None:
        if self.daemon is not None:
            self.site.say(f"send SIGHUP to dockerd, process {self.daemon.pid}")
            with suppress(ProcessLookupError):
                os.kill(self.daemon.pid, signal.SIGHUP)

    def _lives(self) -> bool:
        if self.daemon is None:
            return False
        try:
            state = Path(f"/proc/{self.daemon.pid}/stat").read_text(encoding="ascii")
        except (OSError, ValueError):
            return False
        return state.rpartition(")")[2].split()[0] != "Z"
