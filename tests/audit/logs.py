"""Logs to read: chains of small records, as bytes, without a sink."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authz.audit.chain import Kind, Link, body
from authz.audit.checkpoint import Promise, Signer, checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TIME = datetime(2026, 7, 1, tzinfo=UTC)


class Log:
    """A chain that grows by a call."""

    def __init__(self, link: Link | None = None) -> None:
        self.link = link or Link()
        self.lines: list[bytes] = []

    def add(self, kind: str = "decision", **members: object) -> bytes:
        """Add a line."""
        record = {"id": f"id-{self.link.seq + 1}", "time": "2026-07-01T00:00:00.000Z", **members}
        line = self.link.line(kind, body(record))
        self.link = self.link.after(line)
        self.lines.append(line)
        return line

    def mark(self, *, key: Ed25519PrivateKey | None = None, promise: int = 1000) -> bytes:
        """Add a checkpoint."""
        signer = Signer(key) if key else None
        return self.add(Kind.CHECKPOINT, **checkpoint(self.link, TIME, Promise(promise), signer))


def a_log(count: int, link: Link | None = None) -> Log:
    """Return a log of so many decisions."""
    log = Log(link)
    for _ in range(count):
        log.add()
    return log


def write(path: Path, lines: Iterable[bytes]) -> Path:
    """Write lines to a file."""
    path.write_bytes(b"".join(lines))
    return path
