"""Checkpoints: how long the chain was at a time, and what its last digest was.

A chain alone shows accidents and clumsy edits: who can write the file can
compute it anew. A checkpoint that is signed cannot be made by who lacks the
key, and one that is kept elsewhere shows that the end of the file is missing.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authz.audit.chain import Link
from authz.errors import ConfigurationError
from authz.lazy import later

if TYPE_CHECKING:
    from cryptography import exceptions
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519
else:
    exceptions = later("cryptography.exceptions")
    serialization = later("cryptography.hazmat.primitives.serialization")
    ed25519 = later("cryptography.hazmat.primitives.asymmetric.ed25519")

_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Promise:
    """When the next checkpoint comes at the latest: after so many lines.

    It is signed with the rest, so that nobody can leave checkpoints out.
    """

    lines: int


class Signer:
    """Signs checkpoints with an Ed25519 key."""

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self._name = fingerprint(key.public_key())

    def signed(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members with the key's fingerprint and a signature."""
        named = {**members, "key": self._name}
        signature = self._key.sign(_message(named))
        return {**named, "signature": base64.b64encode(signature).decode("ascii")}


def checkpoint(
    link: Link, time: datetime, promise: Promise, signer: Signer | None
) -> dict[str, Any]:
    """Return the members of a checkpoint: the chain stands at ``link``."""
    members = {
        "time": time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "count": link.seq,
        "head": link.head,
        "next": promise.lines,
    }
    return signer.signed(members) if signer else members


def load_signer(path: Path) -> Signer:
    """Read a private key in PEM. Raises ConfigurationError.

    Nobody else may read it, or its signatures prove nothing.
    """
    text = _private(path)
    try:
        key = serialization.load_pem_private_key(text, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigurationError(
            f"checkpoint key {path}: is no Ed25519 key; expected PEM without a password, "
            "as by openssl genpkey -algorithm ed25519"
        )
    return Signer(key)


def load_verifier(path: Path) -> ed25519.Ed25519PublicKey:
    """Read a public key in PEM, or take that of a private one. Raises ConfigurationError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"key {path}: cannot be read: {error.strerror}") from None
    try:
        private = b"PRIVATE KEY" in text
        key = (
            serialization.load_pem_private_key(text, None).public_key()
            if private
            else serialization.load_pem_public_key(text)
        )
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise ConfigurationError(f"key {path}: is no Ed25519 key; expected PEM")
    return key


def fingerprint(key: ed25519.Ed25519PublicKey) -> str:
    """Return a short name of a key: the first 16 bytes of it, in hex."""
    return key.public_bytes_raw()[:16].hex()


def is_signed(members: Mapping[str, Any], key: ed25519.Ed25519PublicKey) -> bool:
    """Say whether a checkpoint carries a signature of this key that holds."""
    try:
        signature = base64.b64decode(members["signature"], validate=True)
        key.verify(signature, _message(members))
    except (exceptions.InvalidSignature, ValueError, TypeError, KeyError):
        return False
    return True


def _message(members: Mapping[str, Any]) -> bytes:
    """Return what is signed: a name of the format, and every member on a line of its own."""
    names = ("time", "count", "head", "next", "key")
    return "\n".join(["dockgate checkpoint 1", *(str(members[name]) for name in names)]).encode()


def _private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            text = os.read(descriptor, 64 * 1024)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"checkpoint key {path}: cannot be read: {error.strerror}"
        ) from None
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS or status.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"checkpoint key {path}: mode is {mode:04o} and owner uid {status.st_uid}; "
            "expected 0600 and this account, so that nobody else can sign"
        )
    return text
