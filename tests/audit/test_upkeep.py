"""What an audit needs besides its lines."""

import json
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authz.audit import upkeep
from authz.audit.ledger import Checkpoints
from authz.audit.reader import whole
from authz.audit.rotation import Retention, Rotation
from authz.audit.sink import Custody, Sink
from authz.audit.upkeep import Chores, Elsewhere, Upkeep
from authz.audit.verify import Demands, read, verify
from tests.audit.test_sink import a_record, room_for


def a_sink(folder: Path, **custody: object) -> Sink:
    """Return a sink whose files are full after a few records."""
    return Sink(folder / "audit.jsonl", Custody(rotation=Rotation(size=2000), **custody))


def fill(sink: Sink, count: int = 40) -> None:
    """Write records into several files."""
    for number in range(count):
        sink.append(a_record(number))


def names(folder: Path) -> list[str]:
    """Return the names of the files."""
    return sorted(path.name for path in folder.iterdir())


def test_closed_files_are_compressed_and_still_a_chain(tmp_path: Path):
    """Verified through, whatever is compressed already."""
    sink = a_sink(tmp_path)
    keeping = Upkeep(sink, Chores())
    keeping.start()
    fill(sink)
    keeping.sweep()
    fill(sink, 1)
    keeping.stop()

    assert [name[-3:] for name in names(tmp_path)][:2] == ["onl", ".gz"]
    assert verify(whole([tmp_path / "audit.jsonl"])).problems == []


def test_nothing_is_deleted_unless_it_is_wanted(tmp_path: Path):
    """Evidence stays; compression can be left to others."""
    sink = a_sink(tmp_path)
    fill(sink)
    before = names(tmp_path)
    Upkeep(sink, Chores(compress=False)).sweep()
    after = names(tmp_path)
    sink.close()

    assert before == after


def test_what_is_deleted_is_on_the_record_before(tmp_path: Path):
    """So the missing beginning is explained."""
    sink = a_sink(tmp_path)
    fill(sink)
    Upkeep(sink, Chores(compress=False, keep=Retention(files=1))).sweep()
    sink.close()

    files = whole([tmp_path / "audit.jsonl"])
    report = verify(files)
    retired = [each.record for each in read(files) if each.kind == "retired"]
    assert len(files) in (2, 3)
    assert report.problems == []
    assert "deleted as the settings want it" in report.notes[0].message
    assert retired[0]["through"] == report.first - 1


def test_the_last_closed_file_may_go_too(tmp_path: Path):
    """Up to the line before the first one that is left."""
    sink = a_sink(tmp_path)
    fill(sink)
    before = names(tmp_path)
    Upkeep(sink, Chores(compress=False, keep=Retention(size=1))).sweep()
    sink.close()

    assert len(before) > 4
    assert not set(before[1:]) & set(names(tmp_path))
    assert verify(whole([tmp_path / "audit.jsonl"])).problems == []


def test_what_a_follower_has_not_read_stays(tmp_path: Path):
    """A dead remote sink costs room, and no record."""
    sink = a_sink(tmp_path)
    fill(sink)
    before = len(names(tmp_path))
    read_through = 0
    keeping = Upkeep(
        sink,
        Chores(compress=False, keep=Retention(files=1), read_through=lambda: read_through),
    )
    keeping.sweep()
    held = len(names(tmp_path))
    read_through = sink.count
    keeping.sweep()
    let_go = len(names(tmp_path))
    sink.close()

    assert held >= before > 4
    assert let_go in (2, 3)


def test_what_cannot_be_recorded_is_not_deleted(tmp_path: Path):
    """A full disk is no reason to lose evidence without a word."""
    sink = a_sink(tmp_path)
    fill(sink)
    before = names(tmp_path)
    with room_for(0):
        Upkeep(sink, Chores(compress=False, keep=Retention(files=1))).sweep()
    after = names(tmp_path)
    sink.close()

    assert set(before) <= set(after)


def test_a_sweep_that_fails_is_told(tmp_path: Path):
    """And tried again later."""
    sink = a_sink(tmp_path)
    fill(sink)
    with capture_logs() as logs, room_for(10):
        Upkeep(sink, Chores()).sweep()
    sink.close()

    assert [log["event"] for log in logs] == ["audit.sweep_failed"]


def test_checkpoints_are_copied_elsewhere(tmp_path: Path):
    """When they are written, the last at the end; a place that is away for a time gets all."""
    folder = tmp_path / "mnt"
    elsewhere = Elsewhere(folder / "checkpoints.jsonl")
    sink = a_sink(tmp_path, checkpoints=Checkpoints(lines=2, copy=elsewhere.take))
    keeping = Upkeep(sink, Chores(compress=False, elsewhere=elsewhere))
    with capture_logs() as logs:
        fill(sink)
        keeping.round()
        keeping.round()
    folder.mkdir()
    keeping.stop()

    kept = folder / "checkpoints.jsonl"
    report = verify(whole([tmp_path / "audit.jsonl"]), Demands(elsewhere=read(kept)))
    assert [log["event"] for log in logs] == ["audit.checkpoint_not_copied"]
    assert report.problems == []
    assert len(kept.read_text().splitlines()) == report.checkpoints
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_thread_looks_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nobody has to ask; the notes of the start are there at once."""
    monkeypatch.setattr(upkeep, "EVERY", 0.01)
    sink = a_sink(tmp_path, checkpoints=Checkpoints(seconds=0.01))
    keeping = Upkeep(sink, Chores(sync_every=0.02))
    keeping.start()
    started = json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[0])
    sink.append(a_record(1))
    ended = time.monotonic() + 5
    while b"checkpoint" not in (tmp_path / "audit.jsonl").read_bytes():
        assert time.monotonic() < ended
        time.sleep(0.005)
    keeping.stop()

    assert (started["kind"], started["pid"]) == ("started", os.getpid())
