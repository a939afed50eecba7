"""Which refusals are counted instead of written, so that nobody fills the disk with them.

What is let through is always written, and so is every denial of a caller who
proved who he is. Of refusals that nobody signed for, and of denials of callers
without a proof, only so many a second are; the rest is summed up in a record of
its own. It knows records and a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from authz.audit.record import AuditRecord
from authz.audit.stamp import stamp
from authz.identity.identity import Proof
from authz.policy.decision import Effect

PERIOD = 10.0
"""Seconds that one summary covers at most."""

MOST_KEYS = 1000
"""Callers that are told apart at once; more are counted together."""

OTHERS = ("", "", "")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many a second are written, and how many at once. A rate of 0 has no limit."""

    rate: float
    burst: float


UNSIGNED = Allowance(rate=1, burst=2_000)
"""For refusals of requests that nobody proved to have made."""
UNPROVEN = Allowance(rate=5, burst=100_000)
"""For denials and refusals of a caller without a proof, such as all on the daemon's socket."""

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Bucket:
    allowance: Allowance
    left: float
    at: float
    count: int = 0
    first: str = ""
    last: str = ""
    since: str = ""
    until: str = ""
    actions: dict[str, int] = field(default_factory=dict)
    """How often what was tried: one of the table's actions, or nothing where it was not read."""

    def fill(self, now: float) -> None:
        """Add what the time since the last record gives."""
        more = (now - self.at) * self.allowance.rate
        self.left, self.at = min(self.allowance.burst, self.left + more), now

    def idle(self, now: float) -> bool:
        """Say whether a new one would be no fuller: else a pause would give more than the rate."""
        full = self.left + (now - self.at) * self.allowance.rate >= self.allowance.burst
        return full and now - self.at > PERIOD


class Summary:
    """Counts what is above the allowance."""

    def __init__(
        self, unproven: Allowance = UNPROVEN, clock: Callable[[], float] = monotonic
    ) -> None:
        self._unproven = unproven
        self._clock = clock
        self._buckets: dict[Key, _Bucket] = {}

    def takes(self, record: AuditRecord) -> bool:
        """Say whether this record is counted; if not it is to be written."""
        if record.verdict is Effect.ALLOW or not record.enforced:
            return False
        identity = record.identity
        if identity and identity.proof is not Proof.NONE:
            return False
        allowance = self._unproven if identity else UNSIGNED
        if not allowance.rate:
            return False
        key = (record.door.value, record.reason.value, identity.subject if identity else "")
        bucket = self._bucket(key, allowance)
        bucket.allowance = allowance  # several kinds may share one
        bucket.fill(self._clock())
        if bucket.left >= 1:
            bucket.left -= 1
            return False
        time = stamp(record.time)
        if not bucket.count:
            bucket.first, bucket.since = record.id, time
        bucket.count += 1
        bucket.last, bucket.until = record.id, time
        action = record.asked.action if record.asked else ""
        bucket.actions[action] = bucket.actions.get(action, 0) + 1
        return True

    def told(self) -> list[dict[str, Any]]:
        """Return the members of what was counted, and begin to count anew."""
        found = []
        for (door, reason, subject), bucket in list(self._buckets.items()):
            if bucket.count:
                found.append(
                    {
                        "door": door or None,
                        "reason": reason or None,
                        "subject": subject or None,
                        "count": bucket.count,
                        "first": bucket.first,
                        "last": bucket.last,
                        "since": bucket.since,
                        "until": bucket.until,
                        "actions": bucket.actions,
                    }
                )
                bucket.count, bucket.actions = 0, {}
            elif bucket.idle(self._clock()):
                del self._buckets[door, reason, subject]
        return found

    def _bucket(self, key: Key, allowance: Allowance) -> _Bucket:
        if key not in self._buckets and len(self._buckets) >= MOST_KEYS:
            key = OTHERS
        found = self._buckets.get(key)
        if found is None:
            found = self._buckets[key] = _Bucket(allowance, allowance.burst, self._clock())
        return found
