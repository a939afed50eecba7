"""The audit log under faults: kills, a full disk, a file that is taken away, clocks that jump.

A short slice of what ``python -m tests.faults.kills`` does at length.
"""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authz.audit.reader import read, whole
from authz.audit.sink import Custody, Sink
from authz.audit.verify import verify
from tests.audit.test_sink import a_record
from tests.faults.killed_between import LAST
from tests.faults.kills import run
from tests.faults.service import Service, target

IS_ROOT = os.geteuid() == 0 and shutil.which("unshare")


@pytest.mark.parametrize("durability", ["write", "fsync"])
def test_kills_lose_nothing_that_was_answered(tmp_path: Path, durability: str):
    """After each start the chain verifies; what is missing was never answered."""
    audit = f'durability = "{durability}"\n'

    result = run(tmp_path, 300, every=0.2, audit=audit, seed=1)

    assert result.is_good(callers=4), result
    assert result.answered >= 300
    assert result.kills >= 1


@pytest.mark.parametrize("durability", ["write", "fsync"])
def test_a_kill_between_record_and_answer_loses_nothing(tmp_path: Path, durability: str):
    """All that was answered is there; what is there besides was about to be."""
    module = ("tests.faults.killed_between",)
    service = Service(tmp_path, f'durability = "{durability}"\n', module=module)
    service.start()
    asker = service.asker()
    answered = [number for number in range(LAST) if asker.ask(number)["Allow"]]
    with pytest.raises((OSError, http.client.HTTPException)):
        asker.ask(LAST)
    service.kill()
    asker.close()

    recorded = [
        entry.record["request"]["target"]
        for entry in read([service.audit])
        if entry.kind == "decision"
    ]
    assert answered == [*range(LAST)]
    assert recorded == [target(number) for number in range(LAST + 1)]
    assert verify([service.audit]).problems == []


def on_a_small_disk(on_failure: str) -> dict[str, object]:
    """Run the command in a mount namespace of its own."""
    found = subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private"),
            *(sys.executable, "-m", "tests.faults.full_disk", on_failure),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    seen: dict[str, object] = json.loads(found.stdout)
    return seen


@pytest.mark.skipif(not IS_ROOT, reason="SKIPPED: a small disk is mounted by root only")
def test_a_full_disk_refuses_and_work_resumes_by_itself():
    """Nothing that was allowed is lost, and nothing has to be started anew."""
    seen = on_a_small_disk("refuse")

    status, ready = seen["unready"]
    assert seen["refused"]["Allow"] is False
    assert "audit_unavailable" in seen["refused"]["Msg"]
    assert not any(seen["during"])
    assert (status, ready["status"]) == (503, "failing")
    assert "no space left" in str(ready["warnings"]).lower()
    assert seen["recovered_s"] < 5
    assert seen["after"]["Allow"] is True
    assert (seen["lost"], seen["problems"]) == ([], [])
    assert seen["kinds"]["resumed"] >= 1
    assert any("nothing could be written" in note for note in seen["notes"])


@pytest.mark.skipif(not IS_ROOT, reason="SKIPPED: a small disk is mounted by root only")
def test_a_full_disk_lets_reads_go_on_where_that_is_set():
    """They are counted, and the count is on the record as soon as there is room."""
    seen = on_a_small_disk("allow-reads")

    assert all(seen["during"])
    assert (seen["unready"][0], seen["problems"]) == (503, [])
    assert sum(seen["unrecorded"]) >= 1


def test_a_file_that_is_removed_is_made_anew(tmp_path: Path):
    """The gate goes on, and the chain shows what is missing."""
    with Service(tmp_path) as service:
        asker = service.asker()
        assert asker.ask(1)["Allow"]
        kept = tmp_path / "kept"
        shutil.copy(service.audit, kept)
        service.audit.unlink()
        assert asker.ask(2)["Allow"]
        asker.close()

    rest = verify([service.audit])
    assert "are missing before it" in rest.problems[0].message
    assert verify([kept, service.audit]).problems == []


def test_a_file_that_is_renamed_is_followed_by_another(tmp_path: Path):
    """As logrotate does it, without telling anybody."""
    with Service(tmp_path) as service:
        asker = service.asker()
        assert asker.ask(1)["Allow"]
        service.audit.rename(service.audit.with_name("audit.jsonl.1"))
        ended = time.monotonic() + 10
        while not service.audit.exists():
            assert time.monotonic() < ended
            time.sleep(0.05)
        assert asker.ask(2)["Allow"]
        asker.close()

    files = whole([service.audit])
    assert (len(files), verify(files).problems) == (2, [])
    assert sum(entry.kind == "decision" for entry in read(files)) == 2


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_that_jumps_breaks_nothing(tmp_path: Path, jump: timedelta):
    """Numbers and digests hold the order; times are what the clock said."""
    path = tmp_path / "audit.jsonl"
    time = datetime.now(UTC)
    for _ in range(2):
        sink = Sink(path, Custody(clock=lambda now=time: now))
        sink.append(a_record(1))
        sink.upkeep()
        sink.close()
        time += jump

    report = verify([path])
    assert (report.problems, report.kinds["started"]) == ([], 2)
