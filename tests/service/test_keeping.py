"""The audit out of the settings."""

import json
import stat
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authz.audit.reader import read, whole
from authz.audit.verify import Demands, verify
from authz.errors import ConfigurationError
from authz.service.keeping import digest_key, opened, paths
from authz.service.sections import Audit, Forwarding
from tests.audit.test_checkpoint import KEY, PRIVATE
from tests.audit.test_sink import a_record
from tests.sinks.collector import answer, collecting


def settings(folder: Path, **changes: object) -> Audit:
    """Return settings whose file is in a folder that may have to be made."""
    return Audit(path=str(folder / "log" / "audit.jsonl"), **changes)


def test_everything_that_is_set_is_done(tmp_path: Path):
    """Signed checkpoints here and elsewhere, and a chain that can be verified."""
    key = tmp_path / "signing.pem"
    key.write_bytes(PRIVATE)
    key.chmod(0o600)
    kept = tmp_path / "kept.jsonl"
    wanted = settings(
        tmp_path,
        durability="interval",
        checkpoint_key=key,
        checkpoints=kept,
        checkpoint_lines=2,
        rotate_mib=0,
        on_failure="allow-reads",
        outcomes=False,
    )

    with opened(wanted) as found:
        for number in range(5):
            found.sink.append(a_record(number))

    demands = Demands(keys=(KEY.public_key(),), elsewhere=read(kept))
    report = verify(whole([tmp_path / "log" / "audit.jsonl"]), demands)
    assert report.problems == []
    assert report.signed == len(kept.read_text().splitlines()) == 3
    assert (found.allow_reads, found.outcomes) == (True, False)


def test_the_key_of_digests_is_made_beside_the_file(tmp_path: Path):
    """Nobody else can read it, and digests can be compared over restarts."""
    digests = []
    for _ in range(2):
        with opened(settings(tmp_path)) as found:
            digests.append(found.redaction.digest("hunter2"))

    key = tmp_path / "log" / "audit.jsonl.key"
    assert digests[0] == digests[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_standard_output_has_no_files_beside(tmp_path: Path):
    """A key can be named all the same."""
    named = tmp_path / "key"

    assert digest_key(Audit(path="-")) is None
    assert digest_key(Audit(path="-", digest_key=named)) == named
    assert paths(Audit(path="-")) == ()


def test_no_container_may_reach_it(tmp_path: Path):
    """The folder, the keys and the copies."""
    found = paths(
        settings(tmp_path, digest_key=Path("/a"), checkpoint_key=Path("/b"), checkpoints=Path("/c"))
    )

    assert found == (tmp_path / "log", Path("/a"), Path("/b"), Path("/c"))


def test_no_container_may_reach_the_key_of_a_receiver(tmp_path: Path):
    """Who has it can send lines in our name."""
    remote = {"to": "syslog+tls://h:1", "certificate": "/cert", "key": "/key"}

    assert paths(settings(tmp_path, forward=[remote])) == (tmp_path / "log", Path("/key"))


def test_a_key_that_is_none_opens_nothing(tmp_path: Path):
    """Whoever wants signatures does not get a log without."""
    with (
        pytest.raises(ConfigurationError, match="checkpoint key"),
        opened(settings(tmp_path, checkpoint_key=tmp_path / "none")),
    ):
        pass
    assert not (tmp_path / "log" / "audit.jsonl").exists()


def test_a_start_after_a_crash_is_on_the_record(tmp_path: Path):
    """At once, before anybody asks."""
    with opened(settings(tmp_path)) as found:
        found.sink.append(a_record(1))
    with (tmp_path / "log" / "audit.jsonl").open("ab") as file:
        file.write(b'{"seq"')

    with capture_logs(), opened(settings(tmp_path)):
        last = json.loads((tmp_path / "log" / "audit.jsonl").read_text().splitlines()[-2])

    assert (last["kind"], last["torn"]["bytes"]) == ("started", 6)


def test_it_is_known_what_was_not_sent_yet(tmp_path: Path):
    """To somebody who is not there that is everything; nobody is behind the end."""
    forward = [Forwarding(to=f"syslog://{tmp_path}/nowhere.sock")]
    with capture_logs(), opened(settings(tmp_path, forward=forward)) as found:
        (follower,) = found.followers
        before = found.lag(follower)
        found.sink.append(a_record(1))
        after = found.lag(follower)
        follower.sent_through = found.sink.count + 5
        ahead = found.lag(follower)

    assert (after, ahead) == (before + 1, 0)
    assert before > 0


def test_what_a_receiver_threw_away_is_told(tmp_path: Path):
    """As long as the service runs: nothing sends it again."""
    partial = b'{"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"too old"}}'
    ended = time.monotonic() + 10
    with collecting() as collector, capture_logs():
        collector.script = [answer("200 OK", partial)]
        picky = Forwarding(to=f"otlp+http://127.0.0.1:{collector.port}/v1/logs")
        with opened(settings(tmp_path, forward=[picky])) as found:
            found.sink.append(a_record(0))
            while found.lag(found.followers[0]) and time.monotonic() < ended:
                time.sleep(0.02)
            told = found.warnings()

    assert told == [f"{picky.to} threw 1 records away that it was sent; the log says why"]


def test_who_does_not_get_the_lines_is_told(tmp_path: Path):
    """With why, and how many wait."""
    nobody = Forwarding(to=f"syslog://{tmp_path}/nobody")
    ended = time.monotonic() + 10

    with opened(settings(tmp_path, forward=[nobody])) as found, capture_logs():
        (follower,) = found.followers
        found.sink.append(a_record(0))
        while not follower.problem and time.monotonic() < ended:
            time.sleep(0.02)
        told = found.warnings()
        waiting = found.lag(follower)

    assert waiting > 0
    assert told == [
        f"records are not sent on to {follower.name}, {waiting} wait: No such file or directory"
    ]


def test_nobody_is_warned_of_who_gets_the_lines(tmp_path: Path):
    """Or of nobody."""
    with opened(settings(tmp_path)) as found:
        assert found.warnings() == []
