"""Replays: what would change, what cannot be told, and how much that costs."""

import json
from dataclasses import replace

import pytest

from authz.identity.identity import Identity, Proof
from authz.policy.decision import Effect
from authz.tools.recorded import recorded
from authz.tools.replay import EXAMPLES, Change, Policy, Replay, as_json
from tests.policies import a_bundle
from tests.records import a_create, a_record, a_snapshot, line, read_back

OLD = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:**, *, allow
# no-ports: none
p, role:dev, *, *, port:**, *, deny
"""
NEW = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:docker.io/**, *, allow
# srv: data
p, role:dev, *, container.create, bind:/srv/**|bind.rw:/srv/**, *, allow
"""
BIND = {"Binds": ["/srv/a:/a"]}
PORT = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}


@pytest.fixture
def load(tmp_path):
    """Return a function that loads rows."""

    def made(rows):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return a_snapshot(a_bundle(folder, policy=rows))

    return made


def replayed(records, new, old=None):
    """Replay records under snapshots."""
    replay = Replay(Policy(new), Policy(old) if old else None)
    replay.read(records)
    return replay


def test_equal_policies_change_nothing(load):
    """Whatever was recorded."""
    snapshot = load(OLD)
    records = [read_back(a_record(snapshot, body=a_create(**host))) for host in ({}, BIND, PORT)]
    found = replayed(records, snapshot)
    assert (found.judged, found.changed, found.groups) == (3, 0, {})


def test_changes_are_grouped_with_the_fact_that_made_them(load):
    """What was denied and would be allowed, and the other way round."""
    old, new = load(OLD), load(NEW)
    records = [
        read_back(a_record(old, body=body))
        for body in [*[a_create(**BIND)] * 5, a_create("quay.io/x"), a_create(**PORT), a_create()]
    ]
    found = replayed(records, new)
    assert (found.judged, found.changed) == (8, 6)
    who = "user:alice", "container.create"
    allowed = Effect.DENY, Effect.ALLOW, "srv (policy.csv:4)"
    groups = {change: group.count for change, group in found.groups.items()}
    assert groups == {
        Change(*who, "bind:/srv/a", *allowed): 5,
        Change(*who, "bind.rw:/srv/a", *allowed): 5,
        Change(*who, "image:quay.io/x", Effect.ALLOW, Effect.DENY, "no row"): 1,
    }
    examples = next(group.examples for group in found.groups.values() if group.count == 5)
    assert examples == [each.id for each in records[:EXAMPLES]]


def test_against_another_policy_the_record_does_not_count(load):
    """What was decided then was decided by a third one."""
    old, new = load(OLD), load(NEW)
    record = replace(read_back(a_record(old, body=a_create(**BIND))), verdict=Effect.ALLOW)
    assert replayed([record], new).changed == 0
    found = replayed([record], new, old)
    assert found.changed == 1
    assert {change.fact for change in found.groups} == {"bind:/srv/a", "bind.rw:/srv/a"}


def test_a_condition_is_part_of_what_is_remembered(load):
    """Two records that differ in nothing but what a row asks for."""
    old = load(OLD)
    new = load("p, role:dev, *, container.create, on:new|image:**, image=docker.io/**, allow\n")
    records = [read_back(a_record(old, body=a_create(image))) for image in ("nginx", "quay.io/x")]
    assert replayed(records, new).changed == 1


def test_the_day_is_part_of_what_is_remembered(load):
    """A row that ends allows until then."""
    old = load(OLD)
    new = load("p, role:dev, *, container.create, on:new|image:**, until=2026-11-28, allow\n")
    record = read_back(a_record(old, body=a_create()))
    later = replace(record, context={**record.context, "now": "2026-11-29T00:00:00+00:00"})
    assert replayed([record, later], new).changed == 1


def test_what_the_record_hides_is_not_guessed(load):
    """Rows that would have to read it are named; a row for any value reads nothing."""
    old = load(OLD)
    record = a_record(old, body=a_create())
    document = json.loads(line(record))
    hidden = {"fact": "log.opt:token=digest:0123456789abcdef", "verdict": "deny", "row": None}
    document["facts"].append(hidden)
    document["verdict"] = "deny"
    reads = load(OLD + "# some: of them\np, *, *, *, log.opt:token=abc, *, allow\n")
    found = replayed([recorded(document)], reads)
    assert (found.judged, found.changed, found.unsettled) == (0, 0, 1)
    assert found.blind == {"some (policy.csv:6)": 1}
    every = load(OLD + "p, *, *, *, log.opt:**, *, allow\n")
    assert replayed([recorded(document)], every).changed == 1
    document["context"]["name"] = "digest:0123456789abcdef"
    asks = load(OLD + "# named: so\np, *, *, *, log.opt:**, name=web, deny\n")
    assert replayed([recorded(document)], asks, every).blind == {"named (policy.csv:6)": 1}


def test_what_was_refused_is_counted_aside(load):
    """No policy was asked."""
    snapshot = load(OLD)
    found = replayed([read_back(a_record(snapshot, "GET", "//info"))], snapshot)
    assert (found.judged, found.refused, found.changed) == (0, 1, 0)


def test_a_pretender_has_no_fact_to_blame(load):
    """It is a change all the same."""
    old = load(OLD)
    record = read_back(a_record(old, body=a_create()))
    eve = Identity("user:eve", ("role:dev",), proof=Proof.PEER)
    found = replayed([replace(record, identity=eve)], old)
    assert [change.fact for change in found.groups] == [":"]


def test_the_result_for_a_program(load):
    """The biggest group first."""
    old, new = load(OLD), load(NEW)
    bodies = [a_create("quay.io/x"), *[a_create(**BIND)] * 2]
    document = as_json(replayed([read_back(a_record(old, body=body)) for body in bodies], new, old))
    assert [each["count"] for each in document["changes"]] == [2, 2, 1]
    assert document["changes"][2] == {
        "subject": "user:alice",
        "action": "container.create",
        "fact": "image:quay.io/x",
        "before": "allow",
        "after": "deny",
        "row": "no row",
        "count": 1,
        "examples": document["changes"][2]["examples"],
    }
    assert document["policy"] == new.digest
    assert document["against"] == old.digest


def test_memory_does_not_grow_with_the_record(load, monkeypatch):
    """Groups and judgements that are kept have a limit."""
    monkeypatch.setattr("authz.tools.replay.REMEMBERED", 50)
    monkeypatch.setattr("authz.tools.replay.MOST_GROUPS", 30)
    snapshot = load(OLD)
    base = read_back(a_record(snapshot, body=a_create()))
    replay = Replay(Policy(snapshot))
    for number in range(120):
        who = replace(base.identity, subject=f"user:u{number}")
        replay.take(replace(base, identity=who, facts=base.facts[:1]))
    assert len(replay.groups) == 30
    assert (replay.changed, replay.uncounted) == (120, 90)
    assert len(replay.new._known) <= 50
