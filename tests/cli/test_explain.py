"""``dockgate explain``, and ``decide --explain``: for a person, and for a program."""

import json

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from tests.policies import a_bundle
from tests.records import a_create, a_record, a_snapshot, an_audit, line

ROWS = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:**, *, allow
# no-devices: not here [CIS 5.18]
p, role:dev, *, *, device:**, *, deny
"""


@pytest.fixture
def policy(tmp_path):
    """Write a policy."""
    (tmp_path / "policy").mkdir()
    return a_bundle(tmp_path / "policy", policy=ROWS)


def explain(policy, tmp_path, *options, **host):
    """Record a create by alice, and explain it."""
    record = a_record(a_snapshot(policy), body=a_create(**host))
    audit = an_audit(tmp_path / "audit.jsonl", [b"junk\n", record])
    return CliRunner().invoke(main, ["explain", record.id, "--audit", str(audit), *options])


def test_a_person_reads_what_failed_first(policy, tmp_path):
    """With the row to review."""
    result = explain(policy, tmp_path, "--policy", str(policy), Binds=["/srv:/srv"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("DENY    POST /v1.47/containers/create")
    assert "user:alice" in lines[1]
    assert lines[2].split() == ["bind:/srv", "no", "row", "allows", "it"]
    assert "roles searched: role:dev" in lines
    assert "  p, user:alice, *, container.create, bind:/srv|bind.rw:/srv, *, allow" in lines


def test_a_person_reads_who_forbids(policy, tmp_path):
    """And that no row helps."""
    device = {"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}
    result = explain(policy, tmp_path, "--policy", str(policy), Devices=[device])
    assert result.exit_code == 0
    assert "forbidden by no-devices (policy.csv:4) [CIS 5.18]: not here" in result.output
    assert "No allow row outweighs that" in result.output


def test_without_a_policy_the_record_is_shown(policy, tmp_path):
    """What failed first, and how to see more."""
    result = explain(policy, tmp_path, Binds=["/srv:/srv"])
    assert result.exit_code == 0
    assert result.output.splitlines()[2].split() == ["bind:/srv", "no", "row", "allows", "it"]
    assert "image:docker.io/library/nginx  allowed by create (policy.csv:2)  new ones" in (
        result.output
    )
    assert "With --policy DIR" in result.output


def test_another_policy_is_shown_beside(policy, tmp_path):
    """What was said then, and what would be said now."""
    result = explain(policy, tmp_path, "--policy", "builtin:observe")
    assert result.exit_code == 0
    assert "decided this;" in result.output
    assert "says deny:" in result.output
    assert "roles searched: none" in result.output


def test_a_danger_is_pointed_out(policy, tmp_path):
    """Where the proposed row grants one."""
    result = explain(policy, tmp_path, "--policy", str(policy), PidMode="host")
    assert "careful: it grants a namespace of the host" in result.output


def test_a_program_gets_the_record_with_the_explanation(policy, tmp_path):
    """One document."""
    result = explain(policy, tmp_path, "--policy", str(policy), "--json", Binds=["/srv:/srv"])
    document = json.loads(result.output)
    assert document["verdict"] == "deny"
    assert document["explanation"]["same_policy"] is True
    assert len(document["explanation"]["proposal"]) == 1


def test_a_refused_request_was_never_judged(policy, tmp_path):
    """So there is nothing to propose."""
    record = a_record(a_snapshot(policy), "GET", "//info")
    audit = an_audit(tmp_path / "audit.jsonl", [record])
    arguments = ["explain", record.id, "--audit", str(audit), "--policy", str(policy)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "refused before any policy was asked" in result.output


@pytest.mark.parametrize(
    ("name", "said"),
    [("audit.jsonl", "there is no decision '01J'"), ("none.jsonl", "cannot be read")],
)
def test_what_is_not_there_is_told(name, said, tmp_path):
    """With the status of a wrong call."""
    (tmp_path / "audit.jsonl").write_text("")
    result = CliRunner().invoke(main, ["explain", "01J", "--audit", str(tmp_path / name)])
    assert result.exit_code == 2
    assert said in result.output


def test_a_written_request_is_explained_as_well(policy):
    """By decide, with the same words and its own exit status."""
    arguments = ["decide", "--policy", str(policy), "--as", "user:alice", "--explain"]
    request = ["POST", "/v1.47/containers/create", "--body", "-"]
    body = json.dumps(a_create(Binds=["/srv:/srv"]))
    result = CliRunner().invoke(main, [*arguments, *request], input=body)
    assert result.exit_code == 3
    assert "p, user:alice, *, container.create, bind:/srv|bind.rw:/srv, *, allow" in result.output
    result = CliRunner().invoke(main, [*arguments, "--json", *request], input=body)
    assert json.loads(result.output)["explanation"]["forbidden_by"] == []
    result = CliRunner().invoke(main, [*arguments, "GET", "//info"])
    assert result.output.startswith("REFUSE")


def test_a_written_request_can_be_given_in_place_of_an_id(policy):
    """And is explained as decide does it; that it was denied is no failure."""
    request = ["POST", "/v1.47/containers/create", "--body", "-"]
    rest = ["--policy", str(policy), "--as", "user:alice", *request]
    body = json.dumps(a_create(Binds=["/srv:/srv"]))
    result = CliRunner().invoke(main, ["explain", *rest], input=body)
    assert result.exit_code == 0, result.output
    assert result.output == (
        CliRunner().invoke(main, ["decide", "--explain", *rest], input=body).output
    )
    result = CliRunner().invoke(main, ["explain", "--json", *rest], input=body)
    assert json.loads(result.output)["explanation"]["roles"] == ["role:dev"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GET", "/info"], "METHOD TARGET takes --policy DIR, and no --audit"),
        (["GET", "/info", "--policy", "p", "--audit", "a"], "and no --audit"),
        (["01J"], "REQUEST_ID takes --audit FILE"),
        (["GET", "/info", "more"], "expected one REQUEST_ID, or METHOD TARGET"),
        (["01J", "--audit", "a", "--as", "user:bob"], "--as is for METHOD TARGET"),
        (["01J", "--audit", "a", "--body", "b"], "--body is for METHOD TARGET"),
    ],
)
def test_options_that_do_not_go_together_are_told(arguments, said):
    """Rather than left out of account."""
    result = CliRunner().invoke(main, ["explain", *arguments])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("lost", ["door", "mode", "row", "at", "verdict"])
def test_a_record_that_lacks_a_member_is_told(policy, tmp_path, lost):
    """Somebody else's program may have written it."""
    record = a_record(a_snapshot(policy), body=a_create())
    document = json.loads(line(record))
    owner = document if lost in ("door", "mode") else document["facts"][0]
    del owner[lost]
    audit = an_audit(tmp_path / "audit.jsonl", [json.dumps(document).encode() + b"\n"])
    result = CliRunner().invoke(main, ["explain", record.id, "--audit", str(audit)])
    assert result.exit_code == 2
    assert result.stderr.endswith(
        f"the record of '{record.id}' has not all members of a decision\n"
    )
