"""The file that keeps grants over a restart."""

import json
import os
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from authz.policy.grants import Grant, granted
from authz.policy.vocabulary import vocabulary
from authz.service import grant_file
from authz.service.grant_file import Clock, GrantFileError, read, this_boot, write

BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)
GRANT = Grant(
    "01J", "user:alice", "container.exec", ("on:own", "exec.user:root"), "INC-1", "user:root",
    BEGAN, BEGAN + timedelta(hours=1),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frozen(Clock):
    """A clock that stands still."""

    at: datetime = BEGAN
    counted: float = 100.0
    boot: str = field(default="this")

    def now(self):
        """Return the time on the wall."""
        return self.at

    def count(self):
        """Return the count."""
        return self.counted


@pytest.fixture
def file(tmp_path):
    """Write one grant, with 3600 seconds to go."""
    tmp_path.chmod(0o700)
    path = tmp_path / "grants.json"
    write(path, [granted(GRANT, 3700.0, vocabulary(()))], "this")
    return path


def test_what_was_written_is_read(file):
    """With its end by both clocks; the file is closed to others."""
    (kept,) = read(file, Frozen())

    assert (kept.grant, kept.deadline) == (GRANT, 3700.0)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["grants.json"]


def test_no_file_is_no_grants(tmp_path):
    """The first start has none."""
    assert read(tmp_path / "none", Frozen()) == ()


@pytest.mark.parametrize(
    ("clock", "left"),
    [
        (Frozen(at=BEGAN + timedelta(minutes=59), counted=3640.0), True),
        (Frozen(at=BEGAN + timedelta(hours=1), counted=101.0), False),
        (Frozen(counted=3700.0), False),
        (Frozen(at=BEGAN - timedelta(seconds=1)), False),
        (Frozen(boot="other", counted=9999.0), True),
        (Frozen(boot="other", at=BEGAN - timedelta(days=1)), False),
        (Frozen(boot="", counted=9999.0), True),
    ],
)
def test_what_has_ended_meanwhile_is_over(file, clock, left):
    """By either clock; one that begins in the future was given by another clock."""
    (kept,) = read(file, clock)

    assert (kept.deadline > clock.counted) is left


def test_after_a_start_of_the_machine_the_rest_is_counted_anew(file):
    """The count began at nothing."""
    clock = Frozen(boot="other", at=BEGAN + timedelta(minutes=30), counted=5.0)

    assert read(file, clock)[0].deadline == 5.0 + 1800


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_file_that_others_could_write_holds_nothing(file, mode):
    """They could grant themselves whatever they liked."""
    file.chmod(mode)
    with pytest.raises(GrantFileError, match="only root and the service"):
        read(file, Frozen())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_holds_nothing(file):
    """Nor one in a folder that others write to."""
    os.chown(file, 12_345, 0)
    with pytest.raises(GrantFileError, match="belongs to uid 12345"):
        read(file, Frozen())
    os.chown(file, 0, 0)
    file.parent.chmod(0o777)
    with pytest.raises(GrantFileError, match="can be written by others"):
        read(file, Frozen())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is no JSON object"),
        ('{"grants": 1}', "no grant"),
        ('{"grants": [1]}', "no grant"),
        ('{"grants": [{}]}', "no grant"),
        ({"subject": 1}, "no grant"),
        ({"facts": [1]}, "no grant"),
        ({"ends": "noon"}, "no grant"),
        ({"ends": "2026-11-28T13:00:00"}, "no grant"),
        ({"deadline": "x"}, "no grant"),
    ],
)
def test_a_broken_file_holds_nothing(file, change, said):
    """It is told where and what."""
    if isinstance(change, dict):
        document = json.loads(file.read_text())
        document["grants"][0].update(change)
        change = json.dumps(document)
    file.write_text(change)

    with pytest.raises(GrantFileError, match=f"{file}: .*{said}"):
        read(file, Frozen())


def test_a_folder_in_its_place_is_told(tmp_path):
    """And nothing is guessed."""
    with pytest.raises(GrantFileError, match="cannot be read"):
        read(tmp_path, Frozen())


def test_the_clock_is_that_of_the_kernel(tmp_path):
    """Whole seconds in UTC, a count that nobody sets, and which start of the machine it is."""
    clock = this_boot()

    assert clock.now().microsecond == 0
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=2)
    assert abs(time.clock_gettime(time.CLOCK_BOOTTIME) - clock.count()) < 1
    assert clock.boot == grant_file.BOOT.read_text().strip()
    assert this_boot(tmp_path / "none") == replace(clock, boot="")
