"""What an exchange asks of the connection that drives it."""

from dataclasses import dataclass
from typing import TypeAlias

from authz.proxy.head import FramingError, Head
from authz.proxy.sieve import Batch
from authz.wire.raw import BodyState


@dataclass(frozen=True, slots=True)
class Judge:
    """Have this request judged, and call ``judged`` or ``refused``.

    ``head`` is None where none could be read; ``problem`` says then, or for a
    request whose framing is broken, what is wrong: it is refused and recorded.
    """

    head: Head | None
    body: bytes = b""
    state: BodyState = BodyState.COMPLETE
    problem: FramingError | None = None


@dataclass(frozen=True, slots=True)
class Dial:
    """Take a connection to the daemon and send this.

    ``repeatable`` says that it may be sent again on another connection when
    this one was idle, turns out to be dead, and nothing came back.
    """

    data: bytes
    repeatable: bool


@dataclass(frozen=True, slots=True)
class Sift:
    """Have these entries of an answer judged, and call ``sifted`` or ``unsifted``.

    Nothing more is taken from the daemon meanwhile.
    """

    batch: Batch


@dataclass(frozen=True, slots=True)
class ToClient:
    """Send this to the client."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ToDaemon:
    """Send this to the daemon."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndDaemon:
    """Nothing more will be sent to the daemon; it may go on sending."""


@dataclass(frozen=True, slots=True)
class EndClient:
    """Nothing more will be sent to the client; it may go on sending."""


@dataclass(frozen=True, slots=True)
class Release:
    """The daemon's connection is done with; another exchange may use it, or nobody."""

    reusable: bool


@dataclass(frozen=True, slots=True)
class Tunnel:
    """From here on both sides talk directly: pass bytes and ends of streams on."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the client's connection once everything is sent.

    ``linger`` says that the client may still be sending: what it sends is
    thrown away for a while, because closing at once would lose it the answer.
    """

    linger: bool = False


@dataclass(frozen=True, slots=True)
class Abort:
    """Cut the client's connection, so that half an answer is not taken for a whole."""


Command: TypeAlias = (
    Judge
    | Dial
    | Sift
    | ToClient
    | ToDaemon
    | EndDaemon
    | EndClient
    | Release
    | Tunnel
    | Close
    | Abort
)
