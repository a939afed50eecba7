"""Who asks: the value that stage 3 makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ANONYMOUS = "user:anonymous"
"""Whoever came without any proof. No method can produce it otherwise."""

NO_TENANT = "default"
"""The Casbin domain of a caller without a tenant."""


class Proof(StrEnum):
    """How the caller was proved."""

    NONE = "none"
    PEER = "peer"
    CERTIFICATE = "certificate"
    JWT = "jwt"
    ASSUMED = "assumed"
    """Named on the command line of a rehearsal; never in a door."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller. ``subject`` and ``groups`` are typed: ``cert:ci``, ``group:os/docker``.

    ``tenant`` is empty where there is none. ``certificate`` is the SHA-256
    fingerprint of the client's certificate in hex, or empty.
    """

    subject: str
    groups: tuple[str, ...] = ()
    tenant: str = ""
    proof: Proof = Proof.NONE
    uid: int | None = None
    gid: int | None = None
    pid: int | None = None
    certificate: str = ""

    @property
    def name(self) -> str:
        """The subject without its type: what ``{name}`` stands for."""
        return self.subject.partition(":")[2]

    @property
    def domain(self) -> str:
        """The tenant as Casbin sees it."""
        return self.tenant or NO_TENANT
