"""``dockgate learn``: from a record to a bundle, and back to the record."""

import json
import os

import pytest
from click.testing import CliRunner

from authz.audit.record import Mode
from authz.cli.main import main
from authz.identity.identity import Identity, Proof
from tests.policies import a_bundle
from tests.records import ALICE, a_create, a_record, a_snapshot, an_audit

BOB = Identity("user:bob", proof=Proof.PEER)


def learn(*arguments):
    """Run the command."""
    return CliRunner().invoke(main, ["learn", *map(str, arguments)])


@pytest.fixture
def audit(tmp_path):
    """Record two people in shadow mode."""
    observe = a_snapshot("builtin:observe")
    records = [
        a_record(observe, body=a_create(), mode=Mode.SHADOW, identity=ALICE),
        a_record(observe, body=a_create("redis"), mode=Mode.SHADOW, identity=BOB),
        a_record(observe, "GET", "//info", mode=Mode.SHADOW),
        b"junk\n",
    ]
    return an_audit(tmp_path / "audit.jsonl", records)


def test_a_bundle_is_written_that_checks_and_passes(audit, tmp_path):
    """What it allows is what was done."""
    result = learn(audit, "--into", tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert "learned from 2 decisions; written to" in result.stderr
    assert "passed by 1 that did not go through" in result.stderr
    assert "2 judged again by it, 0 still denied" in result.stderr
    assert f"{audit}:4: is not JSON" in result.stderr
    for name in ("check", "test"):
        checked = CliRunner().invoke(main, [name, str(tmp_path / "new")])
        assert checked.exit_code == 0, checked.output
    result = CliRunner().invoke(main, ["replay", str(audit), "--policy", str(tmp_path / "new")])
    assert "deny -> allow" in result.output
    assert "allow -> deny" not in result.output


def test_without_a_folder_rows_are_printed(audit):
    """Of one caller, where one is named."""
    result = learn(audit, "--subject", "user:bob")
    assert result.exit_code == 0
    assert "p, role:bob, *, container.create, image:docker.io/library/redis, *, allow" in (
        result.stdout
    )
    assert "nginx" not in result.stdout
    assert "g, user:bob, role:bob, *" in result.stdout
    assert "learned from 1 decisions" in result.stderr


def test_a_program_reads_one_document(audit):
    """The rows, who holds them, and how the record fares under them."""
    result = learn(audit, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    rows = {row["text"] for row in document["rows"]}
    assert "p, role:bob, *, container.create, image:docker.io/library/redis, *, allow" in rows
    assert "g, user:bob, role:bob, *" in document["links"]
    assert (document["learned"], document["passed_by"]) == (2, 1)
    assert (document["judged"], document["denied"], document["lacks"]) == (2, 0, [])


def test_a_program_reads_what_was_never_used(audit, tmp_path):
    """Each row with its place."""
    policy = a_bundle(
        tmp_path / "p", policy="# pull: x\np, role:dev, *, image.pull, on:new, *, allow\n"
    )
    result = learn(audit, "--prune", "--policy", policy, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[-1] == {
        "row": "pull",
        "at": "policy.csv:2",
        "subject": "role:dev",
        "action": "image.pull",
        "fact": "on:new",
    }


def test_a_policy_is_pruned(audit, tmp_path):
    """Rows that the record never used are named."""
    policy = a_bundle(
        tmp_path / "p",
        policy="# create: x\np, role:dev, *, container.create, on:new|image:**, *, allow\n"
        "# pull: x\np, role:dev, *, image.pull, on:new, *, allow\n",
    )
    result = learn(audit, "--prune", "--policy", policy)
    assert result.exit_code == 0
    assert "pull (policy.csv:4): role:dev image.pull on:new" in result.output
    assert "create (policy.csv:2)" not in result.output
    assert "rows that give something were never used" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prune"], "--prune and --policy DIR belong together"),
        (["--policy", "builtin:admin"], "--prune and --policy DIR belong together"),
        (["--into", "."], "is not empty; expected a new folder"),
    ],
)
def test_wrong_calls_are_told(arguments, said, audit):
    """With their status."""
    result = learn(audit, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_what_cannot_be_allowed_is_told(tmp_path):
    """By a never row of the core pack, or because no row can say it."""
    observe = a_snapshot("builtin:observe")
    record = a_record(observe, body=a_create(Binds=["/etc/dockgate:/x"]), mode=Mode.SHADOW)
    result = learn(an_audit(tmp_path / "a.jsonl", [record]))
    assert "no policy can allow bind.over:/etc/dockgate, used 1 times" in result.stderr
    assert "1 still denied" in result.stderr
    assert "denied 1 times: user:alice container.create bind.over:/etc/dockgate" in result.stderr


@pytest.mark.parametrize(
    ("options", "whose"), [((), ""), (("--subject", "user:eve"), " of user:eve")]
)
def test_nothing_is_not_learned_from(options, whose, audit, tmp_path):
    """A bundle without rows would look like an answer; none is written."""
    file = audit if options else an_audit(tmp_path / "other.jsonl", [b"junk\n"])
    result = learn(file, "--into", tmp_path / "new", *options)
    assert result.exit_code == 2
    said = f"dockgate: {file}: no decision{whose} went through, so nothing is learned\n"
    assert result.stderr.endswith(said)
    assert not (tmp_path / "new").exists()


def test_a_pipe_is_a_wrong_call(tmp_path):
    """It is read twice; what would be learned from nothing is worth nothing."""
    os.mkfifo(tmp_path / "pipe")
    result = learn(tmp_path / "pipe")
    assert result.exit_code == 2
    assert "is a pipe; expected a file" in result.stderr
