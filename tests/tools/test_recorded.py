"""Decisions out of an audit: what is read, what is passed over, what is told."""

import bz2
import gzip
import json
import lzma
import os
from threading import Thread

import pytest

from authz.audit.record import Mode
from authz.errors import ConfigurationError
from authz.identity.identity import Identity, Proof
from authz.policy.decision import Effect
from authz.tools.recorded import MOST_TOLD, Reading, find, recorded
from tests.policies import a_bundle
from tests.records import ALICE, a_create, a_record, a_snapshot, an_audit, line, read_back

CUT_OFF = gzip.compress(b"x" * 1000, mtime=0)[:20]
FLIPPED = gzip.compress(bytes(range(256)) * 9, mtime=0)[:10] + b"\xff" * 40
"""A file whose head is whole and whose contents are not."""
ROWS = "p, role:dev, *, container.create, on:new|image:**, *, allow\n"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Load a policy under which alice may create."""
    return a_snapshot(a_bundle(tmp_path_factory.mktemp("policy"), policy=ROWS))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_file_is_read_however_it_is_compressed(pack, snapshot, tmp_path):
    """By its first bytes, whatever its name says."""
    record = a_record(snapshot, body=a_create())
    (tmp_path / "a.jsonl").write_bytes(pack(line(record)))
    (found,) = Reading(tmp_path / "a.jsonl")
    assert (found.id, found.verdict, found.action) == (record.id, Effect.ALLOW, "container.create")
    assert found.identity == ALICE


def test_what_was_recorded_is_judged_as_then(snapshot):
    """The same rows settle the same facts."""
    record = a_record(snapshot, body=a_create(Privileged=True))
    assert read_back(record).judge(snapshot).outcomes == record.outcomes


def test_a_name_that_only_policies_give_is_allowed_nothing(snapshot):
    """Whatever a file says of who asked."""
    document = json.loads(line(a_record(snapshot, body=a_create())))
    document["identity"] |= {"groups": ["role:dev"], "subject": "user:eve"}
    assert recorded(document).judge(snapshot).effect is Effect.DENY


def test_what_shadow_mode_let_through_went_through(snapshot):
    """And what was denied in earnest did not."""
    denied = {"body": a_create(Privileged=True)}
    assert read_back(a_record(snapshot, **denied, mode=Mode.SHADOW)).went_through
    assert not read_back(a_record(snapshot, **denied)).went_through
    assert read_back(a_record(snapshot, body=a_create())).went_through


def test_lines_that_are_no_records_are_told_by_number(snapshot, tmp_path):
    """And what is between them is read; members that are not known do not matter."""
    record = a_record(snapshot, body=a_create())
    more = json.loads(line(record)) | {"previous": "ab" * 32, "kind": "decision"}
    path = an_audit(
        tmp_path / "a.jsonl",
        [
            record,
            b"no JSON\n",
            b"[1]\n",
            b'{"id": "x"}\n',
            json.dumps(more).encode() + b"\n",
            b'{"kind": "seal"}\n',
            b'{"kind": "reload", "id": 3}\n',
            b'{"id": ',
        ],
    )
    reading = Reading(path)
    assert [each.id for each in reading] == [record.id, record.id]
    assert [str(each).removeprefix(f"{path}:") for each in reading.unreadable] == [
        "2: is not JSON",
        "3: is JSON but no record",
        "4: is JSON but no record of a decision",
        "8: is torn: the line has no end",
    ]
    assert (reading.others, reading.broken) == (2, 4)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", 7),
        ("time", ["now"]),
        ("policy", 7),
        ("detail", {"a": 1}),
        ("context", {"now": 3}),
        ("request", {"action": 7}),
        ("request", {"action": "container.list", "target": 7}),
        ("identity", {"subject": 7}),
        ("identity", {"subject": "user:a", "groups": [7]}),
        ("facts", [{"fact": 7}]),
    ],
)
def test_a_record_of_another_form_is_told_as_none(member, value, snapshot, tmp_path):
    """Whoever judges it need not ask what each member is."""
    document = json.loads(line(a_record(snapshot, body=a_create())))
    document |= {"kind": "decision", member: value}
    path = an_audit(tmp_path / "a.jsonl", [json.dumps(document).encode() + b"\n"])
    reading = Reading(path)
    assert not list(reading)
    assert [each.problem for each in reading.unreadable] == [
        "is JSON but no record of a decision",
    ]


def test_garbage_does_not_fill_the_memory(tmp_path):
    """All of it is counted, the first lines are told."""
    reading = Reading(an_audit(tmp_path / "a.jsonl", [b"x\n"] * (MOST_TOLD + 5)))
    assert not list(reading)
    assert (reading.broken, len(reading.unreadable)) == (MOST_TOLD + 5, MOST_TOLD)


def test_a_decision_is_found_in_any_of_the_files(snapshot, tmp_path):
    """By its id, in whatever case it was copied."""
    old, new = (a_record(snapshot, body=a_create()) for _ in range(2))
    (tmp_path / "a.jsonl.1.gz").write_bytes(gzip.compress(line(old)))
    an_audit(tmp_path / "a.jsonl", [new])
    assert find(old.id.lower(), tmp_path / "a.jsonl").id == old.id
    assert find("01J", tmp_path / "a.jsonl") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (CUT_OFF, "cannot be read: the compressed file is damaged"),
        (FLIPPED, "cannot be read: the compressed file is damaged"),
        (b"\xfd7zXZ\0garbage and more", "cannot be read: the compressed file is damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(content, said, tmp_path):
    """In one sentence."""
    path = tmp_path / "a.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        list(Reading(path))
    assert str(caught.value) == f"audit {path}: {said}"


def test_who_asked_may_not_be_known(snapshot):
    """A refusal before that has no identity and no facts."""
    document = json.loads(line(a_record(snapshot, body=a_create())))
    document |= {"identity": None, "request": None, "facts": [], "verdict": "refuse"}
    found = recorded(document)
    assert found.identity == Identity("", proof=Proof.NONE)
    assert (found.facts, found.action) == ((), "")


def test_a_pipe_is_read_once(snapshot, tmp_path):
    """As from a shell that unpacks a log."""
    record = a_record(snapshot, body=a_create())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(line(record),))
    writer.start()
    (found,) = Reading(pipe)
    writer.join()
    assert found.id == record.id


def test_what_was_not_known_then_is_not_known_now(snapshot):
    """A record says so with null, and older ones by leaving it out."""
    document = json.loads(line(a_record(snapshot, body=a_create())))
    assert document["context"]["source"] is None
    assert "source" not in recorded(document).context
    del document["context"]["source"]
    assert "source" not in recorded(document).context
