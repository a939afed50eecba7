"""The audit out of the settings: its files, its keys and who looks after them.

It knows settings and parts of the audit, and nothing of requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from authz.audit.checkpoint import load_signer
from authz.audit.ledger import Checkpoints
from authz.audit.redaction import Redaction
from authz.audit.rotation import Retention, Rotation
from authz.audit.sink import STANDARD_OUTPUT, Custody, Durability, Sink
from authz.audit.summary import UNPROVEN, Allowance, Summary
from authz.audit.upkeep import Chores, Elsewhere, Upkeep
from authz.lookups.lookup_pass import load_key
from authz.service.sections import Audit
from authz.sinks.follower import Follower, read_through
from authz.sinks.streams import Trust
from authz.sinks.targets import follower

HOUR = 3600.0
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """What a runner needs to record: where to, without which secrets, and how much."""

    sink: Sink
    redaction: Redaction
    summary: Summary
    allow_reads: bool
    outcomes: bool
    followers: tuple[Follower, ...] = ()

    def lag(self, follower: Follower) -> int:
        """Return how many lines a follower has not sent yet."""
        return max(0, self.sink.count - follower.sent_through)

    def warnings(self) -> list[str]:
        """Say who does not get the lines that he should."""
        away = [
            f"records are not sent on to {each.name}, {self.lag(each)} wait: {each.problem}"
            for each in self.followers
            if each.problem
        ]
        return away + [
            f"{each.name} threw {each.rejected} records away that it was sent; the log says why"
            for each in self.followers
            if each.rejected
        ]


@contextmanager
def opened(audit: Audit) -> Iterator[Kept]:
    """Open the audit and look after it; close it whatever happens. Raises ConfigurationError."""
    elsewhere = Elsewhere(audit.checkpoints) if audit.checkpoints else None
    sink = Sink(audit.path, _custody(audit, elsewhere))
    followers: list[Follower] = []
    upkeep = Upkeep(sink, _chores(audit, elsewhere, followers))
    try:
        followers += _followers(audit)
        redaction = Redaction(load_key(digest_key(audit)))  # the sink has made the folder
        upkeep.start()
        for each in followers:
            each.start(sink.count)
        unproven = Allowance(audit.most_refusals, UNPROVEN.burst)
        yield Kept(
            sink,
            redaction,
            Summary(unproven),
            allow_reads=audit.on_failure == "allow-reads",
            outcomes=audit.outcomes,
            followers=tuple(followers),
        )
    finally:
        upkeep.stop()
        for each in followers:
            each.stop()


def digest_key(audit: Audit) -> Path | None:
    """Return where the key of digests is kept: beside the file, if nothing else is said."""
    if audit.digest_key is not None or audit.path == STANDARD_OUTPUT:
        return audit.digest_key
    path = Path(audit.path)
    return path.with_name(path.name + ".key")


def paths(audit: Audit) -> tuple[Path, ...]:
    """Return what no container may reach: folders and keys."""
    found = [each for each in (audit.digest_key, audit.checkpoint_key, audit.checkpoints) if each]
    found += [each.key for each in audit.forward if each.key]
    if audit.path != STANDARD_OUTPUT:
        found.insert(0, Path(audit.path).parent)
    return tuple(found)


def _custody(audit: Audit, elsewhere: Elsewhere | None) -> Custody:
    return Custody(
        durability=Durability(audit.durability),
        rotation=Rotation(audit.rotate_mib * MIB, audit.rotate_hours * HOUR),
        checkpoints=Checkpoints(
            lines=audit.checkpoint_lines,
            seconds=audit.checkpoint_seconds,
            signer=load_signer(audit.checkpoint_key) if audit.checkpoint_key else None,
            copy=elsewhere.take if elsewhere else None,
        ),
    )


def _followers(audit: Audit) -> list[Follower]:
    path = Path(audit.path)
    return [
        follower(path, each.to, Trust(each.ca, each.certificate, each.key))
        for each in audit.forward
    ]


def _chores(audit: Audit, elsewhere: Elsewhere | None, followers: list[Follower]) -> Chores:
    interval = audit.interval_ms / 1000 if audit.durability == "interval" else 0
    return Chores(
        compress=audit.compress,
        keep=Retention(audit.keep_files, audit.keep_days, audit.keep_mib * MIB),
        sync_every=interval,
        elsewhere=elsewhere,
        read_through=read_through(followers),
    )
