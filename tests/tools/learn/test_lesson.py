"""What is taken in of an audit."""

from dataclasses import replace

import pytest

from authz.audit.record import Mode
from authz.identity.identity import Identity
from authz.tools.learn.lesson import Lesson
from authz.tools.learn.uses import Holder, Use
from tests.records import a_create, a_record, a_snapshot, read_back


@pytest.fixture(scope="module")
def observe():
    """Load the bundle that learning starts with."""
    return a_snapshot("builtin:observe")


def lesson(observe, *bodies, mode=Mode.SHADOW, **options):
    """Take in creates."""
    found = Lesson()
    found.read(read_back(a_record(observe, body=body, mode=mode, **options)) for body in bodies)
    return found


def test_what_the_core_pack_allows_needs_no_row(observe):
    """Only what is left is taken in."""
    found = lesson(observe, a_create(Memory=1 << 28))
    assert set(found.uses[Holder("user:alice", "*")]) == {
        Use("container.create", "on", "new"),
        Use("container.create", "image", "docker.io/library/nginx"),
    }
    assert found.learned == 1


def test_what_was_denied_in_earnest_is_passed_by(observe):
    """And what was refused: neither was done."""
    found = lesson(observe, a_create(), mode=Mode.ENFORCE)
    found.read([read_back(a_record(observe, "GET", "//info", mode=Mode.SHADOW))])
    assert (found.learned, found.passed_by, found.uses) == (0, 2, {})


def test_a_tenant_is_kept(observe):
    """What was done in one is allowed there."""
    found = lesson(observe, a_create(), identity=Identity("cert:ci", tenant="red"))
    assert list(found.uses) == [Holder("cert:ci", "red")]


def test_who_used_the_daemons_paths_is_not_guarded(observe):
    """The guard pack would take away what was done."""
    found = lesson(observe, a_create(Binds=["/run/docker.sock:/s"]))
    assert found.unguarded == {Holder("user:alice", "*")}
    assert not lesson(observe, a_create(Binds=["/srv:/s"])).unguarded


def test_what_no_policy_can_allow_is_told(observe):
    """The gate's own paths."""
    found = lesson(observe, a_create(Binds=["/etc/dockgate:/s"]))
    assert list(found.beyond) == ["bind.over:/etc/dockgate"]


def test_dangers_are_kept_with_their_use(observe):
    """For the comment of the row."""
    found = lesson(observe, a_create(Devices=[{"PathOnHost": "/dev/kvm"}]))
    (uses,) = found.uses.values()
    assert list(uses[Use("container.create", "device", "/dev/kvm")].dangers) == [
        "a device of the host"
    ]


def test_a_day_is_a_day(observe):
    """Whatever a line of the audit says: it is written into a file of rows."""
    record = read_back(a_record(observe, body=a_create(), mode=Mode.SHADOW))
    found = Lesson()
    found.read([replace(record, time="\np, *, *, **")])
    (uses,) = found.uses.values()
    assert {seen.first for seen in uses.values()} == {"an unknown day"}
