"""The file that keeps grants over a restart of the service.

It knows the file's form and the clocks of the kernel, and whether a grant of
before can still count; it judges no request. A file that cannot be trusted
holds no grants: that takes away and never gives.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authz.errors import AuthzError
from authz.policy.grants import Grant, Granted
from authz.policy.ownership import exposed, exposed_folder

BOOT = Path("/proc/sys/kernel/random/boot_id")
LARGEST = 1024 * 1024

OVER = 0.0
"""The deadline of a grant that has ended: it lies behind every count."""


class GrantFileError(AuthzError):
    """The file cannot be read, or not be trusted. The message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A grant as it was kept, and when it ends by the clock that only counts."""

    grant: Grant
    deadline: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The time: on the wall, and counted since the start of the machine, sleep included."""

    boot: str

    def now(self) -> datetime:
        """Return the time on the wall, in UTC and whole seconds."""
        return datetime.now(UTC).replace(microsecond=0)

    def count(self) -> float:
        """Return the seconds since the machine started; nobody can set them."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def this_boot(path: Path = BOOT) -> Clock:
    """Return the clock of this start of the machine."""
    try:
        return Clock(path.read_text(encoding="ascii").strip())
    except OSError:
        return Clock("")


def write(path: Path, granted: Iterable[Granted], boot: str) -> None:
    """Write all grants in place of those that were kept. Raises OSError."""
    kept = [{**each.grant.members(), "deadline": each.deadline} for each in granted]
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"boot": boot, "grants": kept}, file)
        file.flush()
        os.fsync(descriptor)
    aside.replace(path)


def read(path: Path, clock: Clock) -> tuple[Kept, ...]:
    """Return the grants that were kept. Raises GrantFileError.

    After a start of the machine the counted time is another one: then what is
    left goes by the wall. One that ended meanwhile, or that begins in the
    future, is ``OVER``: it counts no more, and its end can be recorded.
    """
    document = _document(path)
    same = bool(clock.boot) and document.get("boot") == clock.boot
    try:
        found = [_kept(each) for each in document.get("grants", [])]
    except (KeyError, TypeError, ValueError) as error:
        raise GrantFileError(f"{path}: holds something that is no grant: {error}") from None
    now, count = clock.now(), clock.count()
    return tuple(
        Kept(each.grant, OVER)
        if not each.grant.began <= now < each.grant.ends or (same and count >= each.deadline)
        else each
        if same
        else Kept(each.grant, count + (each.grant.ends - now).total_seconds())
        for each in found
    )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            who = exposed(status) or exposed_folder(path)
            text = file.read(LARGEST)
        found = json.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise GrantFileError(f"{path}: cannot be read: {error}") from None
    if who:
        raise GrantFileError(f"{path}: {who}; only root and the service may change it")
    if not isinstance(found, dict):
        raise GrantFileError(f"{path}: is no JSON object")
    return found


def _kept(members: Mapping[str, Any]) -> Kept:
    texts = {name: members[name] for name in ("id", "subject", "action", "reason", "by")}
    facts = members["facts"]
    if not all(isinstance(each, str) for each in (*texts.values(), *facts)):
        raise TypeError("a member that is no text")
    began, ends = (datetime.fromisoformat(members[name]) for name in ("began", "ends"))
    if began.tzinfo is None or ends.tzinfo is None:
        raise ValueError("a time without a zone")
    grant = Grant(facts=tuple(facts), began=began, ends=ends, **texts)
    return Kept(grant, float(members["deadline"]))
