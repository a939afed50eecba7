"""What a door knows about the caller, before anybody believes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerCredentials:
    """The process at the other end of a unix socket, resolved by the door.

    ``account`` is the user name of ``uid`` on this host, or None where it has
    none; ``groups`` are group names of this host, ``#gid`` where a group has
    none. ``container`` is the id of the container that the process lives in.
    ``problem`` says why the process cannot be told to be anybody.
    """

    uid: int
    gid: int
    pid: int
    account: str | None = None
    groups: tuple[str, ...] = ()
    container: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything offered as proof with one request; nothing of it is checked yet.

    ``daemon_user`` and ``daemon_method`` are what the daemon tells a plugin
    (``User``, ``UserAuthNMethod``). ``certificates`` is the client's chain as
    PEM texts, leaf first. ``bearer`` is the token, empty where a header of
    another form was sent. ``listener`` names the door's listener.
    """

    daemon_user: str = ""
    daemon_method: str = ""
    certificates: tuple[str, ...] = ()
    bearer: str | None = None
    peer: PeerCredentials | None = None
    listener: str = ""
    tls: str = "none"
    """``none``, ``server`` (only the server proved itself) or ``mutual``."""
    source: str | None = None
    """The caller's network address; empty on a unix socket, None where a door is not told."""
