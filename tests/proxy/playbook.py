"""Drives an exchange as a connection would: events in, commands out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from authz.docker.canonical import canonical
from authz.docker.forward import Forward, forward
from authz.errors import RefusedError
from authz.proxy.commands import Command, Dial, Judge, Sift, ToClient, ToDaemon
from authz.proxy.exchange import Exchange
from authz.proxy.sieve import Batch, Room, Sieve
from authz.wire.raw import Door, RawRequest

MAX_BODY = 1000


@dataclass
class Play:
    """One connection: what was asked, and what both sides got.

    A request that the gate can read is allowed, any other refused with 403. With
    ``sifts`` answers go through a sieve of an operation; ``shows`` says by its key what
    of them is seen, and without it they wait in ``sifting``.
    """

    allows: bool = True
    exchange: Exchange = field(default_factory=lambda: Exchange(MAX_BODY))
    judged: list[Judge] = field(default_factory=list)
    client: bytes = b""
    daemon: bytes = b""
    others: list[Command] = field(default_factory=list)
    dials: int = 0
    sifts: str = ""
    shows: Callable[[str], bool] | None = None
    sifting: list[Sift] = field(default_factory=list)
    sieves: list[Sieve] = field(default_factory=list)

    def send(self, *pieces: bytes) -> "Play":
        """Let the client send."""
        for piece in pieces:
            self.take(self.exchange.from_client(piece))
        return self

    def answer(self, *pieces: bytes) -> "Play":
        """Let the daemon send."""
        for piece in pieces:
            self.take(self.exchange.from_daemon(piece))
        return self

    def end_client(self) -> "Play":
        """Let the client send nothing more."""
        self.take(self.exchange.client_ended())
        return self

    def end_daemon(self) -> "Play":
        """Let the daemon send nothing more."""
        self.take(self.exchange.daemon_ended())
        return self

    def take(self, commands: list[Command]) -> None:
        """Do what is asked; judge at once."""
        for command in commands:
            match command:
                case Judge():
                    self.judged.append(command)
                    self.take(self._verdict(command))
                case Dial(data=data):
                    self.dials += 1
                    self.daemon += data
                    self.others.append(command)
                case Sift(batch=batch):
                    self.sifting.append(command)
                    if self.shows:
                        self.take(self.exchange.sifted(batch, self.seen(batch)))
                case ToClient(data=data):
                    self.client += data
                case ToDaemon(data=data):
                    self.daemon += data
                case _:
                    self.others.append(command)

    def seen(self, batch: Batch) -> list[bool]:
        """Say what of a batch is seen."""
        return [
            bool(group) and all(self.shows(each.key) for each in group) for group in batch.groups
        ]

    def _verdict(self, command: Judge) -> list[Command]:
        if command.problem is not None:
            return self.exchange.refused(command.problem.status, command.problem.detail)
        if not self.allows:
            return self.exchange.refused(403, "dockgate: denied")
        try:
            if not self.sifts:
                return self.exchange.judged(canonical_of(command))
            self.sieves.append(Sieve(self.sifts, Room()))
            return self.exchange.judged(canonical_of(command), self.sieves[-1])
        except RefusedError as error:
            return self.exchange.refused(403, error.detail)


def canonical_of(command: Judge) -> Forward:
    """Read a request as the gate does."""
    head = command.head
    raw = RawRequest(
        head.method, head.target, head.headers, command.body, command.state, door=Door.PROXY
    )
    return forward(raw, canonical(raw, max_body=MAX_BODY))
