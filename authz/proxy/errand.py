"""The way of one client's requests to the daemon: a connection, and what waits for it.

An idle connection can turn out to be dead. What only reads is then sent once
more, over a new one. It knows nothing of what is asked, or of the client.
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import Protocol

from authz.proxy.commands import Dial, EndDaemon, ToDaemon
from authz.proxy.services import Spawn
from authz.proxy.upstream import Daemon, Holder, Link


class Sender(Holder, Protocol):
    """Whoever sends a request, and hears what becomes of it."""

    def close(self) -> None:
        """End at once, because of a defect."""

    @property
    def waits(self) -> bool:
        """Whether a connection to the daemon is still of use."""

    def reached(self) -> None:
        """Take note that there is one, and that the request is on its way."""

    def unreachable(self, error: OSError | ssl.SSLError) -> None:
        """Take note that there is none."""


class Errand:
    """What goes to the daemon, in order, as soon as there is a connection."""

    def __init__(self, daemon: Daemon, spawn: Spawn, sender: Sender) -> None:
        self._daemon = daemon
        self._spawn = spawn
        self._sender = sender
        self._repeat: bytes | None = None
        self._unsent: deque[ToDaemon | EndDaemon] = deque()
        self._ended = False
        self.link: Link | None = None
        self.dialing = False

    def begin(self, command: Dial) -> None:
        """Take an idle connection, or make one."""
        self._unsent.clear()
        self._ended = False
        # Nobody could tell whether a dead connection took it: what must not be done
        # twice gets a new one.
        link = self._daemon.idle() if command.repeatable else None
        if link is None:
            self._connect_for(command.data)
            return
        self._repeat = command.data
        self._hold(link)
        link.write(command.data)

    def send(self, command: ToDaemon | EndDaemon) -> None:
        """Send something once there is a connection."""
        self._unsent.append(command)
        self._flush()

    def answered(self) -> None:
        """Take note that the connection lives: nothing is sent again."""
        self._repeat = None

    def again(self) -> bool:
        """Send a request again that an idle, dead connection cannot have taken.

        A daemon that gives up because the client has ended looks the same. So the
        end is sent again as well, and it gives up once more.
        """
        data, self._repeat = self._repeat, None
        if data is None:
            return False
        self.leave()
        if self._ended:
            self._unsent.appendleft(EndDaemon())
        self._connect_for(data)
        return True

    def release(self, *, reusable: bool) -> None:
        """Give the connection back, or close it."""
        link, self.link, self._repeat = self.link, None, None
        self._unsent.clear()
        if link and reusable:
            self._daemon.keep(link)
        elif link:
            link.drop()

    def leave(self, *, gently: bool = False) -> None:
        """Close the connection: at once, or ``gently`` once everything is sent."""
        link, self.link = self.link, None
        if link and gently:
            link.finish()
        elif link:
            link.drop()

    def _connect_for(self, data: bytes) -> None:
        self.dialing = True
        self._spawn(self._connect(data), self._sender.close)

    async def _connect(self, data: bytes) -> None:
        try:
            link = await self._daemon.connect()
        except (OSError, ssl.SSLError) as error:
            self.dialing = False
            self._sender.unreachable(error)
            return
        self.dialing = False
        if not self._sender.waits:
            link.drop()
            return
        self._hold(link)
        link.write(data)
        self._flush()
        self._sender.reached()

    def _hold(self, link: Link) -> None:
        self.link = link
        link.holder = self._sender

    def _flush(self) -> None:
        while self._unsent and self.link and not self.dialing:
            command = self._unsent.popleft()
            if isinstance(command, ToDaemon):
                self.link.write(command.data)
            else:
                self._ended = True
                self.link.write_eof()
