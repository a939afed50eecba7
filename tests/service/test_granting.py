"""Grants, given and taken by an operator."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from authz.admin.server import Peer
from authz.errors import AuditUnavailableError
from authz.metrics import Metrics
from authz.policy.grants import LONGEST, MOST, Grants
from authz.policy.vocabulary import vocabulary
from authz.service import grant_file, granting
from authz.service.granting import Around, Granting
from tests.fakes import until

ROOT = Peer(pid=1, uid=0, gid=0)
ASKED = {
    "subject": "user:alice",
    "action": "container.exec",
    "facts": ["on:own"],
    "seconds": 1800,
    "reason": "INC-1",
}
BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Hands:
    """A clock whose hands a test turns."""

    boot = "this"
    at = BEGAN
    counted = 100.0

    def now(self):
        """Return the time on the wall."""
        return self.at

    def count(self):
        """Return the count."""
        return self.counted


@dataclass
class Book:
    """Keeps what is to be recorded, or has no room for it."""

    full: bool = False
    lines: list = field(default_factory=list)

    async def __call__(self, peer, event):
        """Write."""
        if self.full:
            raise AuditUnavailableError("No space left on device")
        self.lines.append((peer, dict(event)))


@dataclass
class Site:
    """A service that grants, and what it has of it."""

    granting: Granting
    grants: Grants
    book: Book
    metrics: Metrics
    clock: Hands
    file: object

    def value(self, name, **labels):
        """Return a metric."""
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def build(tmp_path):
    """Return what sets a service up; all of a test share a folder."""
    tmp_path.chmod(0o700)
    clock = Hands()

    def build(*, kept=True):
        grants, book, metrics = Grants(clock.count), Book(), Metrics()
        file = tmp_path / "grants.json" if kept else None
        around = Around(grants, lambda: vocabulary(()), book, metrics, file, clock)
        return Site(Granting(around), grants, book, metrics, clock, file)

    return build


async def given(site, **changes):
    """Ask for a grant, and return the answer."""
    return await site.granting.give(ASKED | changes, ROOT)


async def test_a_grant_is_recorded_told_counted_and_in_force(build):
    """Its document says who, what, until when, why and by whom."""
    site = build()
    with capture_logs() as logs:
        answer = await given(site)

    assert answer.status == 201
    assert answer.document["by"] == "user:root"
    assert answer.document["ends"] == "2026-11-28T12:30:00+00:00"
    (granted,) = site.grants.granted
    assert (granted.grant.id, granted.deadline) == (answer.document["id"], 1900.0)
    peer, event = site.book.lines[0]
    assert (peer, event["event"], event["grant"]) == (ROOT, "granted", answer.document["id"])
    assert event["facts"] == "on:own"
    assert [each["event"] for each in logs] == ["grant.changed"]
    assert site.value("dockgate_grants") == 1
    assert site.value("dockgate_grant_events_total", event="granted") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seconds": "1"}, "seconds input should be a valid integer"),
        ({"more": 1}, "more extra inputs"),
        ({"facts": []}, "names no fact"),
        ({"subject": "alice"}, "no known type"),
        ({"seconds": int(LONGEST.total_seconds()) + 1}, "at most 8 h"),
        ({"seconds": 10**30}, "at most 8 h"),
        ({"seconds": -(10**30)}, "more than none"),
        ({"action": "*"}, "names its actions"),
        ({"facts": ["name:\ud800"]}, "does not print"),
    ],
)
async def test_what_is_no_grant_is_told(build, changes, said):
    """Nothing is granted and nothing recorded."""
    site = build()

    answer = await given(site, **changes)

    assert answer.status == 422
    assert said in answer.document["message"]
    assert (site.grants.granted, site.book.lines) == ((), [])


async def test_what_cannot_be_recorded_is_not_granted(build):
    """The record comes first."""
    site = build()
    site.book.full = True

    answer = await given(site)

    assert answer.status == 503
    assert answer.document["message"].startswith("not granted, and it cannot be recorded: No space")
    assert site.grants.granted == ()


async def test_there_is_an_end_of_grants(build):
    """Whoever needs more needs another policy."""
    site = build(kept=False)
    for _ in range(MOST):
        await given(site)

    assert (await given(site)).status == 422
    assert len(site.grants.granted) == MOST


async def test_a_revoked_grant_is_gone_at_once(build):
    """Recorded by whom; another name is nobody's."""
    site = build()
    name = (await given(site)).document["id"]
    operator = Peer(pid=2, uid=1000, gid=1000)

    assert (await site.granting.revoke("other", operator)).status == 404
    assert (await site.granting.revoke(name, operator)).status == 200

    assert site.grants.granted == ()
    assert site.book.lines[-1][0] == operator
    assert site.book.lines[-1][1]["event"] == "revoked"


async def test_what_cannot_be_recorded_is_revoked_all_the_same(build):
    """To take away must never be in need of a disk."""
    site = build()
    name = (await given(site)).document["id"]
    site.book.full = True

    answer = await site.granting.revoke(name, ROOT)

    assert (answer.status, site.grants.granted) == (503, ())
    assert "revoked all the same" in answer.document["message"]


@pytest.mark.parametrize(("wall", "count"), [(1800, 0), (0, 1800), (-9999, 1800)])
async def test_it_ends_by_itself_and_that_is_recorded(build, monkeypatch, wall, count):
    """By whichever clock is first, whatever is done to the one on the wall."""
    monkeypatch.setattr(granting, "LOOK", 0.001)
    site = build()
    await given(site)
    watching = asyncio.create_task(site.granting.watch())
    await asyncio.sleep(0.01)
    assert site.grants.granted
    site.clock.at = BEGAN + timedelta(seconds=wall)
    site.clock.counted += count

    await until(lambda: len(site.book.lines) == 2)
    watching.cancel()

    assert site.grants.granted == ()
    assert site.book.lines[1][1]["event"] == "expired"
    assert site.book.lines[1][0] is None
    assert site.value("dockgate_grants") == 0


async def test_an_end_that_cannot_be_recorded_is_told(build):
    """It has ended all the same."""
    site = build()
    await given(site)
    site.book.full = True
    site.clock.counted += 1800
    with capture_logs() as logs:
        await site.granting.expire()

    assert site.grants.granted == ()
    assert [each["event"] for each in logs] == ["grant.changed", "grant.unrecorded"]


async def test_grants_survive_a_restart(build):
    """With the same id and the same end; those that were revoked or ended do not."""
    site = build()
    kept = (await given(site)).document
    await site.granting.revoke((await given(site)).document["id"], ROOT)
    await given(site, seconds=60)
    site.clock.at += timedelta(seconds=60)

    again = build()
    await again.granting.expire()

    assert [dict(each) for each in (await again.granting.listed()).document["grants"]] == [kept]
    assert again.grants.granted[0].deadline == 1900.0
    assert again.value("dockgate_grants") == 1


async def test_without_a_file_they_end_with_the_process(build):
    """Nothing is written anywhere."""
    site = build(kept=False)
    await given(site)

    assert build(kept=False).grants.granted == ()


async def test_a_file_that_cannot_be_trusted_grants_nothing(build):
    """It is told, and the service runs."""
    site = build()
    await given(site)
    site.file.chmod(0o666)
    with capture_logs() as logs:
        again = build()

    assert again.grants.granted == ()
    assert logs[0]["event"] == "grant.file_unusable"


async def test_what_ended_while_nobody_looked_is_recorded(build):
    """It counts no more from the start on, and the record has its end."""
    await given(build())
    site = build()
    site.clock.at += timedelta(hours=1)
    again = build()
    watching = asyncio.ensure_future(again.granting.watch())
    await until(lambda: again.book.lines)
    watching.cancel()

    assert [event["event"] for _, event in again.book.lines] == ["expired"]
    assert again.grants.granted == ()
    assert build().grants.granted == ()


async def test_a_kept_grant_is_checked_again(build):
    """It may have been written by hand, or for another policy."""
    site = build()
    await given(site)
    site.file.write_text(site.file.read_text().replace("container.exec", "container.creat"))
    with capture_logs() as logs:
        again = build()

    assert again.grants.granted == ()
    assert logs[0]["event"] == "grant.dropped"


async def test_a_file_that_cannot_be_written_is_told(build):
    """The grant is in force until the process ends."""
    site = build()
    site.file.parent.chmod(0o700)
    site.file.mkdir()
    with capture_logs() as logs:
        answer = await given(site)

    assert answer.status == 201
    assert "grant.not_kept" in {each["event"] for each in logs}


async def test_what_was_revoked_does_not_come_back(build, monkeypatch):
    """Also where the disk is full, so that the file still tells of it."""

    def full(*_):
        raise OSError(28, "No space left on device")

    site = build()
    revoked = (await given(site)).document["id"]
    monkeypatch.setattr(grant_file, "write", full)
    assert (await site.granting.revoke(revoked, ROOT)).status == 200

    assert build().grants.granted == ()


async def test_nobody_forgets_a_grant(build):
    """Readiness tells of each."""
    site = build()
    assert site.granting.warnings() == []
    await given(site)

    (said,) = site.granting.warnings()
    assert said.startswith("user:alice is granted container.exec until 2026-11-28T12:30:00")
    assert "INC-1" in said
