"""Grants for a while, given and taken by an operator.

Each is on the record before it counts, and its end is, too. It knows who asks
and what is granted; what HTTP and files look like is known elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from authz.admin.server import Answer, Peer
from authz.audit.ulid import Ulids
from authz.errors import AuditUnavailableError, PolicyError
from authz.metrics import Metrics
from authz.policy.grants import MOST, Grant, Granted, Grants, granted
from authz.policy.text import problem_json
from authz.policy.vocabulary import Vocabulary
from authz.service import grant_file
from authz.service.grant_file import Clock, GrantFileError, this_boot

LOOK = 0.5
"""Seconds between two looks whether a grant has ended. Judgements look for themselves."""

log = structlog.get_logger(__name__)


class Note(Protocol):
    """Whoever writes records."""

    def __call__(self, peer: Peer | None, event: Mapping[str, str]) -> Awaitable[None]:
        """Write what happened, and who did it. Raises AuditUnavailableError."""


class Wanted(BaseModel):
    """What an operator asks for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    subject: str
    action: str
    facts: list[str]
    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Around:
    """What granting needs of the service. Without a ``file`` grants end with the process."""

    grants: Grants
    words: Callable[[], Vocabulary]
    note: Note
    metrics: Metrics
    file: Path | None = None
    clock: Clock = field(default_factory=this_boot)


class Granting:
    """Gives, lists, revokes and ends."""

    def __init__(self, around: Around) -> None:
        """Put in force what was kept; what cannot be trusted is told and not counted."""
        self._around = around
        self._ids = Ulids()
        self._turn = asyncio.Lock()
        self._put(tuple(self._restored()))

    async def give(self, asked: Mapping[str, Any], peer: Peer) -> Answer:
        """Grant: 201 with the grant, or why not. It counts once it is on the record."""
        try:
            wanted = Wanted.model_validate(dict(asked))
            new = self._granted(wanted, peer)
        except ValidationError as error:
            return Answer(422, {"message": _fault(error)})
        except PolicyError as error:
            found = [problem_json(each) for each in error.problems]
            return Answer(422, {"message": error.problems[0].message, "problems": found})
        async with self._turn:
            if len(self._around.grants.granted) >= MOST:
                return Answer(422, {"message": f"{MOST} grants are in force; revoke one first"})
            try:
                await self._around.note(peer, _event("granted", new.grant))
            except AuditUnavailableError as error:
                return _unrecorded("not granted", error)
            self._put((*self._around.grants.granted, new))
            self._told("granted", new.grant)
            await self._keep()
        return Answer(201, new.grant.members())

    async def revoke(self, name: str, peer: Peer) -> Answer:
        """End a grant now: 200, or 404 where there is none of that name."""
        async with self._turn:
            found = [each for each in self._around.grants.granted if each.grant.id == name]
            if not found:
                return Answer(404, {"message": f"there is no grant {name!r}"})
            self._put(tuple(e for e in self._around.grants.granted if e not in found))
            await self._keep()
            self._told("revoked", found[0].grant)
            try:
                await self._around.note(peer, _event("revoked", found[0].grant))
            except AuditUnavailableError as error:
                return _unrecorded("revoked all the same", error)
        return Answer(200, found[0].grant.members())

    async def listed(self) -> Answer:
        """Return the grants in force."""
        return Answer(
            200, {"grants": [each.grant.members() for each in self._around.grants.granted]}
        )

    def warnings(self) -> list[str]:
        """Say for each grant that it is in force: nobody should forget one."""
        return [
            f"{each.grant.subject} is granted {each.grant.action} until "
            f"{each.grant.ends.isoformat()}: {each.grant.reason} (grant {each.grant.id})"
            for each in self._around.grants.granted
        ]

    async def watch(self) -> None:
        """Take note of each end, until cancelled."""
        while True:
            await self.expire()  # those first that ended while nobody looked
            await asyncio.sleep(LOOK)

    async def expire(self) -> None:
        """Drop what has ended, and record it. A record that fails is told in the log."""
        clock = self._around.clock
        now, count = clock.now(), clock.count()
        if not any(each.lapsed(now, count) for each in self._around.grants.granted):
            return
        async with self._turn:
            over = [each for each in self._around.grants.granted if each.lapsed(now, count)]
            self._put(tuple(e for e in self._around.grants.granted if e not in over))
            await self._keep()
            for each in over:
                self._told("expired", each.grant)
                try:
                    await self._around.note(None, _event("expired", each.grant))
                except AuditUnavailableError as error:
                    log.error("grant.unrecorded", grant=each.grant.id, problem=str(error))  # noqa: TRY400  the disk's fault

    def _granted(self, wanted: Wanted, peer: Peer) -> Granted:
        clock = self._around.clock
        began = clock.now()
        span = max(-1, min(wanted.seconds, 10**6))  # what is too long is told, not computed
        grant = Grant(
            self._ids.next(),
            wanted.subject,
            wanted.action,
            tuple(wanted.facts),
            wanted.reason,
            "user:root" if peer.uid == 0 else f"user:#{peer.uid}",
            began,
            began + timedelta(seconds=span),
        )
        return granted(grant, clock.count() + span, self._around.words())

    def _restored(self) -> list[Granted]:
        file = self._around.file
        if file is None:
            return []
        try:
            kept = grant_file.read(file, self._around.clock)
        except GrantFileError as error:
            log.error("grant.file_unusable", problem=str(error))  # noqa: TRY400  the file's fault
            return []
        found = []
        for each in kept[:MOST]:
            try:
                found.append(granted(each.grant, each.deadline, self._around.words()))
            except PolicyError as error:
                log.error("grant.dropped", grant=each.grant.id, problem=error.problems[0].message)  # noqa: TRY400  the file's fault
        return found

    def _put(self, now: tuple[Granted, ...]) -> None:
        self._around.grants.granted = now
        self._around.metrics.grants.set(len(now))

    async def _keep(self) -> None:
        """Write the file. A grant that cannot be kept ends with the process: told in the log."""
        file = self._around.file
        if file is None:
            return
        now, boot = self._around.grants.granted, self._around.clock.boot
        try:
            await asyncio.to_thread(grant_file.write, file, now, boot)
        except OSError as error:
            log.error("grant.not_kept", problem=f"{file}: {error.strerror}")  # noqa: TRY400  the disk's fault
            with suppress(OSError):  # what was revoked must not come back with an older file
                await asyncio.to_thread(file.unlink, missing_ok=True)

    def _told(self, event: str, grant: Grant) -> None:
        self._around.metrics.grant_events.labels(event).inc()
        log.warning(
            "grant.changed",
            change=event,
            grant=grant.id,
            who=grant.subject,
            action=grant.action,
            ends=grant.ends.isoformat(),
        )


def _event(event: str, grant: Grant) -> dict[str, str]:
    """Return what the record says."""
    return {
        "event": event,
        "grant": grant.id,
        "subject": grant.subject,
        "action": grant.action,
        "facts": "|".join(grant.facts),
        "ends": grant.ends.isoformat(),
        "reason": grant.reason,
        "by": grant.by,
    }


def _unrecorded(done: str, error: AuditUnavailableError) -> Answer:
    return Answer(503, {"message": f"{done}, and it cannot be recorded: {error}"})


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place} {first['msg'][0].lower()}{first['msg'][1:]}"
