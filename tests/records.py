"""Audit files out of written requests: what the gate would have recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authz.audit.record import AuditRecord, Mode, pieces
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.tools.recorded import Recorded, recorded
from authz.tools.rehearse import answers_from, rehearse
from authz.wire.raw import RawRequest

CREATE = "/v1.47/containers/create"
ALICE = Identity("user:alice", proof=Proof.PEER, uid=1000)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def a_snapshot(reference: Path | str) -> Snapshot:
    """Load a policy."""
    return compile_snapshot(load_bundle(reference))


def a_record(  # noqa: PLR0913  one keyword for each part of a decision
    snapshot: Snapshot,
    method: str = "POST",
    target: str = CREATE,
    body: Mapping[str, Any] | None = None,
    *,
    identity: Identity = ALICE,
    mode: Mode = Mode.ENFORCE,
    given: Mapping[str, Any] | None = None,
    now: datetime = NOON,
) -> AuditRecord:
    """Return what would be written down about a request."""
    headers = (("Content-Type", "application/json"),) if body is not None else ()
    content = b"" if body is None else json.dumps(body).encode()
    raw = RawRequest(method, target, headers, content)
    found = rehearse(raw, identity, snapshot, answers_from(given or {}), now=now).record
    shadow = mode is Mode.SHADOW and found.verdict is Effect.DENY
    return replace(found, mode=mode, enforced=not shadow)


def a_create(image: str = "nginx", **host: Any) -> dict[str, Any]:
    """Return the body of a create."""
    return {"Image": image, "HostConfig": host}


def line(record: AuditRecord) -> bytes:
    """Return a record as the line that it becomes."""
    return b"".join(pieces(record))


def an_audit(path: Path, records: Iterable[AuditRecord | bytes]) -> Path:
    """Write an audit file; bytes are lines as they are."""
    path.write_bytes(b"".join(each if isinstance(each, bytes) else line(each) for each in records))
    return path


def read_back(record: AuditRecord) -> Recorded:
    """Return a record as it is read from a file."""
    return recorded(json.loads(line(record)))
