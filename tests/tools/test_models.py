"""The tools of authors before a bundle with its own model: what they do, and what they say."""

import json

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity
from authz.policy.decision import Effect
from authz.tools.explain import OWN_MODEL, WRITE_OUT, advise, explain
from authz.tools.reach import Reach
from authz.tools.replay import Policy, Replay
from tests.builders import a_stored_container
from tests.policies import a_bundle
from tests.policy.models.samples import files_of
from tests.records import ALICE, a_create, a_record, a_snapshot, an_audit, read_back
from tests.scanned import WEB, a_daemon, serving

ROWS = """\
# all: whatever it is
p, user:alice, container.create, *, r.sub == "user:alice", allow
# named: these are not known offline
p, user:alice, container.create, userns:unknown, r.sub == "user:alice", allow
p, user:alice, container.create, seccomp:unknown, r.sub == "user:alice", allow
p, user:alice, container.create, runtime:unknown, r.sub == "user:alice", allow
p, user:alice, container.create, log:unknown, r.sub == "user:alice", allow
# no-etc: the host's settings
p, user:alice, container.create, bind:/etc*, r.ctx.door != "proxy", deny
"""
WRITTEN = {
    "r": "sub, act, obj, ctx",
    "p": "sub, act, obj, rule, eft",
    "m": "r.sub == p.sub && r.act == p.act && keyMatch(r.obj, p.obj) && eval(p.rule)",
    "rows": ROWS,
}
SUITE = """
[[case]]
name = "a bind of /etc"
as = "user:alice"
request = "POST /v1.43/containers/create"
body = '{"Image":"x","HostConfig":{"Binds":["/etc:/e"]}}'
expect = "deny"
because = ["no-etc"]
"""
ETC = {"Binds": ["/etc/x:/x"]}


@pytest.fixture
def folder(tmp_path):
    """Write the bundle."""
    files = files_of(WRITTEN)
    return a_bundle(tmp_path / "own", **files, files={"tests.toml": SUITE})


def ran(*words):
    """Run a command."""
    return CliRunner().invoke(main, [str(word) for word in words])


def test_check_and_test_work(folder):
    """As with any bundle."""
    assert ran("check", folder).exit_code == 0
    result = ran("test", folder, "--coverage")
    assert result.exit_code == 0
    assert "6 of 6 rows settle a case" in result.output


def test_check_warns_of_what_is_left_open(folder):
    """A warning is no error: the policy loads."""
    result = ran("check", folder)
    assert result.exit_code == 0
    assert 'policy.csv:2:1: warning: "user:alice" may mount /run/docker.sock' in result.output
    assert "try: deny rows for bind.over:/run/docker.sock" in result.output
    assert "0 errors, 1 warning; " in result.output
    with (folder / "policy.csv").open("a") as rows:
        rows.write('p, user:alice, container.create, bind.over:*, r.act != "x", deny\n')
    assert "0 errors, 0 warnings; " in ran("check", folder).output


def test_check_compares_no_controls(folder):
    """Packs are written for the reviewed model."""
    result = ran("check", folder, "--controls", "pss-baseline")
    assert result.exit_code == 1
    assert "--controls compares packs" in result.output


def test_a_decision_is_explained_without_a_proposal(folder):
    """The row that denied it is named; no row of another language is offered."""
    snapshot = a_snapshot(folder)
    found = explain(read_back(a_record(snapshot, body=a_create(**ETC))), snapshot)
    assert found.now.effect is Effect.DENY
    assert [row.id for row in found.advice.forbidden] == ["no-etc"]
    assert (found.advice.proposal, found.advice.obstacle) == ((), OWN_MODEL)
    other = snapshot.judge(Identity("user:eve"), a_facts(), {})
    advice = advise(Identity("user:eve"), "container.create", other, snapshot)
    assert (advice.missed, advice.obstacle) == ((), OWN_MODEL)


def a_facts():
    """Return the facts of something that is created."""
    return Facts("container.create", (Fact("on", "new"),))


def test_what_patterns_pass_over_is_told(folder):
    """``*`` stands in a row, and still nothing allows what is not known."""
    snapshot = a_snapshot(folder)
    facts = Facts("container.create", (Fact("net", "unknown"), Fact("field.unknown", "X")))
    advice = advise(ALICE, facts.action, snapshot.judge(ALICE, facts, {}), snapshot)
    assert advice.obstacle == f"{OWN_MODEL}; {WRITE_OUT}net:unknown, field.unknown:"


def test_decide_explains(folder):
    """In words."""
    words = ["explain", "--policy", folder, "--as", "user:eve", "GET", "/v1.43/info"]
    result = ran(*words)
    assert OWN_MODEL in result.output
    document = json.loads(ran(*words, "--json").output)
    assert document["explanation"]["proposal"] == []


def test_any_row_may_read_a_value(folder):
    """So a record that hides one is left unsettled, whatever the rows."""
    reach = Reach(a_snapshot(folder))
    assert len(reach.readers(ALICE, "container.create", "label")) == 6
    assert reach.keys() == ("door",)
    assert [row.id for row in reach.askers(ALICE, "container.create", "door")] == ["no-etc"]
    assert reach.rows(ALICE, "container.create") == ()
    fact = Fact("bind", "/srv")
    assert reach.near(ALICE, "container.create", fact) == []
    assert reach.elsewhere(ALICE, "container.create", fact) == []


def test_a_record_is_replayed(folder, tmp_path):
    """Against a changed policy."""
    old = a_snapshot(folder)
    records = [read_back(a_record(old, body=a_create(**host))) for host in ({}, ETC)]
    rows = ROWS.replace("bind:/etc*", "bind:/var*")
    new = a_snapshot(a_bundle(tmp_path / "new", **files_of({**WRITTEN, "rows": rows})))
    replay = Replay(Policy(new), Policy(old))
    replay.read(records)
    assert (replay.judged, replay.changed) == (2, 1)


def test_rows_that_nobody_used_are_named(folder, tmp_path):
    """``learn --prune`` asks which rows settled something."""
    snapshot = a_snapshot(folder)
    audit = an_audit(tmp_path / "audit.jsonl", [a_record(snapshot, body=a_create())])
    result = ran("learn", audit, "--prune", "--policy", folder)
    assert result.exit_code == 0
    assert "rows that give something were never used" in result.output


def test_a_scan_judges_what_runs(folder, tmp_path):
    """The container with /etc is found by its row, and by no row for a stranger."""
    bad = {**a_stored_container(Binds=["/etc:/e"]), "Id": "c1", "Name": "/bad"}
    with serving(tmp_path / "d.sock", a_daemon(WEB, bad)) as host:
        words = ["scan", "--policy", folder, "--host", host]
        own, other = (ran(*words, "--as", who) for who in ("user:alice", "user:eve"))
    assert own.output.startswith("no-etc\n"), own.output
    assert own.output.endswith("2 containers and 0 services judged, 1 with findings\n")
    assert (other.exit_code, other.output.startswith("no-row\n")) == (4, True)
