"""``dockgate replay``: for a person, for a program, and by its exit status."""

import gzip
import json

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from authz.cli.replay import MOST_SHOWN
from authz.identity.identity import Identity, Proof
from tests.policies import a_bundle
from tests.records import a_create, a_record, a_snapshot, an_audit, line

ROWS = "# create: new ones\np, role:dev, *, container.create, on:new|image:**, *, allow\n"
MORE = ROWS + "# srv: data\np, role:dev, *, container.create, bind:/srv|bind.rw:/srv, *, allow\n"


@pytest.fixture
def old(tmp_path):
    """Write a policy."""
    return a_bundle(tmp_path / "old", policy=ROWS)


@pytest.fixture
def new(tmp_path):
    """Write one that allows more."""
    return a_bundle(tmp_path / "new", policy=MORE)


@pytest.fixture
def audit(old, tmp_path):
    """Record a create that is allowed and one that is not, the older one rotated away."""
    snapshot = a_snapshot(old)
    first = a_record(snapshot, body=a_create())
    (tmp_path / "audit.jsonl.1.gz").write_bytes(gzip.compress(line(first)))
    return an_audit(
        tmp_path / "audit.jsonl", [b"junk\n", a_record(snapshot, body=a_create(Binds=["/srv:/s"]))]
    )


def replay(*arguments):
    """Run the command."""
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def test_nothing_changes_under_the_same_policy(audit, old):
    """Exit status 0; rotated files are read, lines that are no records are told."""
    result = replay(audit, "--policy", old)
    assert result.exit_code == 0, result.output
    assert "2 judged again, 0 would change" in result.output
    assert f"{audit}:1: is not JSON" in result.stderr


def test_what_changes_is_shown(audit, new):
    """Exit status 4."""
    result = replay(audit, "--policy", new)
    assert result.exit_code == 4
    assert "1 deny -> allow   user:alice container.create bind:/srv  by srv (policy.csv:4)" in (
        result.output
    )
    assert "2 judged again, 1 would change" in result.output


def test_a_program_gets_the_same(audit, old, new):
    """With the lines that are no records."""
    result = CliRunner().invoke(
        main, ["replay", str(audit), "--policy", str(new), "--against", str(old), "--json"]
    )
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    assert (document["judged"], document["changed"], document["broken"]) == (2, 1, 1)
    assert document["unreadable"] == [{"file": str(audit), "line": 1, "problem": "is not JSON"}]


def test_a_long_list_is_cut_for_a_person(old, tmp_path):
    """The biggest groups are shown."""
    snapshot = a_snapshot(old)
    people = [Identity(f"user:u{n}", proof=Proof.PEER) for n in range(MOST_SHOWN + 5)]
    records = [a_record(snapshot, body=a_create(), identity=who) for who in people]
    text = "p, *, *, container.create, on:new|image:**, *, allow\n"
    every = a_bundle(tmp_path / "every", policy=text, people="")
    result = replay(an_audit(tmp_path / "a.jsonl", records), "--policy", every)
    assert f"and {MOST_SHOWN + 10 - MOST_SHOWN + MOST_SHOWN} more groups" in result.output


def test_what_could_not_be_judged_is_said(old, tmp_path):
    """Which rows would have had to read what, and what was refused before."""
    snapshot = a_snapshot(old)
    document = json.loads(line(a_record(snapshot, body=a_create())))
    document["facts"][0]["fact"] = "dns:digest:0123456789abcdef"
    lines = [json.dumps(document).encode() + b"\n", a_record(snapshot, "GET", "//info")]
    policy = a_bundle(tmp_path / "new", policy=ROWS + "# d: x\np, *, *, *, dns:a, *, deny\n")
    result = replay(an_audit(tmp_path / "a.jsonl", lines), "--policy", policy)
    assert result.exit_code == 0
    assert "1 could not be judged: rows read what the record hides" in result.output
    assert "1 d (policy.csv:4)" in result.output
    assert "1 were refused before any policy was asked" in result.output


def test_an_audit_that_is_not_there_is_a_wrong_call(old, tmp_path):
    """Exit status 2."""
    result = replay(tmp_path / "none.jsonl", "--policy", old)
    assert result.exit_code == 2
    assert "cannot be read" in result.output


def test_garbage_is_counted(old, tmp_path):
    """Not told line by line for ever."""
    result = replay(an_audit(tmp_path / "a.jsonl", [b"x\n"] * 150), "--policy", old)
    assert "150 lines are no records" in result.stderr


@pytest.mark.parametrize(("content", "status"), [(b"junk\n[1]\n", 2), (b"", 0)])
def test_a_file_that_is_no_audit_is_not_said_to_stay_the_same(content, status, tmp_path):
    """One that is still empty is: nothing was decided yet."""
    (tmp_path / "other").write_bytes(content)
    arguments = ["replay", str(tmp_path / "other"), "--policy", "builtin:observe"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status
    told = "none of its lines is a decision; expected an audit file" in result.stderr
    assert told == bool(status)
