"""``dockgate decide``: one written request in, a verdict and an exit status out."""

import json
import sys

import click
import pytest
from click.testing import CliRunner

from authz.cli.decide import How, Written
from authz.cli.main import main
from authz.shipped import shipped

CREATE = "/v1.47/containers/create"


def decide(*arguments, stdin=None):
    """Run the command with the developer bundle, as alice the developer."""
    return CliRunner().invoke(main, ["decide", *arguments], input=stdin)


@pytest.fixture
def policy(tmp_path):
    """Write a small policy."""
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "bundle.toml").write_text('packs = ["core"]\n')
    (folder / "model.conf").write_bytes(shipped("policies", "observe", "model.conf").read_bytes())
    (folder / "people.csv").write_text("g, user:alice, role:dev, *\ng, group:os/ops, role:dev, *\n")
    (folder / "policy.csv").write_text(
        "# new: containers of one's own\n"
        "p, role:dev, *, container.create, on:new|image:**, *, allow\n"
        "# no-privileged: root on this host [CIS 5.5]\n"
        "p, *, *, *, privileged:true, *, deny\n"
        "p, role:dev, *, container.exec, on:own|unowned, *, allow\n"
    )
    return str(folder)


def test_an_allowed_request_exits_with_zero(policy):
    """And says which row allowed each fact."""
    result = decide(
        *("--policy", policy, "--as", "user:alice", "POST", CREATE, "--body", "-"),
        stdin='{"Image":"nginx"}',
    )
    assert result.exit_code == 0, result.output
    assert result.output.startswith("ALLOW")
    assert "on:new" in result.output
    assert "new (policy.csv:2)" in result.output


def test_a_denied_request_exits_with_three(policy):
    """And names every failing fact with its row."""
    result = decide(
        *("--policy", policy, "--as", "user:alice", "POST", CREATE, "--body", "-"),
        stdin='{"Image":"nginx","HostConfig":{"Privileged":true,"Binds":["/etc:/x"]}}',
    )
    assert result.exit_code == 3
    assert result.output.startswith("DENY")
    assert "no-privileged (policy.csv:4) [CIS 5.5]" in result.output
    assert "bind:/etc" in result.output
    assert "no row allows it" in result.output


def test_a_request_that_cannot_be_read_is_refused(policy):
    """With the reason, and the same exit status as a denial."""
    result = decide("--policy", policy, "--as", "user:alice", "POST", "//v1.47/containers/create")
    assert result.exit_code == 3
    assert result.output.startswith("REFUSE")
    assert "unreadable_request" in result.output


def test_a_group_brings_its_roles(policy):
    """Without it nothing is allowed."""
    arguments = ("--policy", policy, "--as", "cert:ci", "POST", CREATE, "--body", "-")
    body = '{"Image":"nginx"}'
    assert decide(*arguments, stdin=body).exit_code == 3
    assert decide(*arguments, "--group", "group:os/ops", stdin=body).exit_code == 0


def test_json_has_the_members_that_stay(policy):
    """The same members as an audit record."""
    result = decide(
        *("--policy", policy, "--as", "user:alice", "POST", CREATE, "--body", "-", "--json"),
        stdin='{"Image":"nginx"}',
    )
    record = json.loads(result.output)
    assert set(record) >= {
        *("id", "time", "door", "mode", "enforced", "identity", "request", "context", "facts"),
        *("verdict", "reason", "policy", "took_us"),
    }
    assert record["identity"]["subject"] == "user:alice"
    assert record["identity"]["proof"] == "assumed"
    assert record["request"]["operation"] == "ContainerCreate"
    assert record["request"]["action"] == "container.create"
    assert {"on:new", "image:docker.io/library/nginx"} <= {f["fact"] for f in record["facts"]}
    assert (record["verdict"], record["door"]) == ("allow", "plugin")


def test_given_answers_stand_in_for_look_ups(policy, tmp_path):
    """Without them it is not known whose container it is."""
    given = tmp_path / "given.toml"
    given.write_text('[container.web]\nowner = "user:alice"\n')
    arguments = ("--policy", policy, "--as", "user:alice", "POST", "/v1.47/containers/web/exec")
    body = '{"Cmd":["sh"]}'
    unknown = decide(*arguments, "--body", "-", stdin=body)
    known = decide(*arguments, "--body", "-", "--given", str(given), stdin=body)
    assert unknown.exit_code == 3
    assert "on:unknown" in unknown.output
    assert known.exit_code == 0, known.output


@pytest.mark.parametrize("options", [(), ("--explain",)])
def test_what_was_not_given_is_told(policy, options):
    """And no row is proposed for it: it is not what the request will be."""
    request = ("POST", "/v1.47/exec/e1/start", "--body", "-")
    result = decide("--policy", policy, "--as", "user:alice", *request, *options, stdin="{}")
    assert result.exit_code == 3
    assert "unknown stands for what nothing was given of: exec e1. A file" in result.output
    assert "smallest row" not in result.output


def test_the_door_is_recorded(policy):
    """``--door proxy`` judges as the proxy would."""
    result = decide("--policy", policy, "--door", "proxy", "GET", "/_ping", "--json")
    assert json.loads(result.output)["door"] == "proxy"


def test_the_connection_is_what_is_said_of_it(policy):
    """Conditions on it can be tried before anybody connects."""
    came = ("--listener", "tcp://[::]:2376", "--tls", "mutual", "--source", "10.0.0.1")
    result = decide("--policy", policy, "--door", "proxy", *came, "GET", "/_ping", "--json")
    context = json.loads(result.output)["context"]
    known = [context[key] for key in ("listener", "tls", "source")]
    assert known == ["tcp://[::]:2376", "mutual", "10.0.0.1"]


@pytest.mark.parametrize(
    ("door", "body", "verdict", "said"),
    [
        ("plugin", '{"Image":"nginx","Init":true}', 3, "Init is true; only old daemons apply it"),
        ("proxy", '{"Image":"nginx","Init":true}', 0, ""),
        ("plugin", '{"Image":"nginx","VolumesFrom":[]}', 0, ""),
        ("proxy", '{"Image":"nginx","VolumesFrom":[]}', 0, ""),
        ("proxy", '{"Image":"nginx","Dns":["192.0.2.1"]}', 3, "dns:192.0.2.1"),
        ("proxy", '{"Image":"nginx","Privileged":true}', 3, "Privileged is true; only old daemons"),
    ],
)
def test_a_legacy_member_is_judged_as_at_the_door(policy, door, body, verdict, said):
    """The proxy moves what is harmless, and judges the name servers that it moves."""
    arguments = ("--policy", policy, "--as", "user:alice", "--door", door, "POST", CREATE)
    result = decide(*arguments, "--body", "-", stdin=body)

    assert result.exit_code == verdict, result.output
    assert said in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("GET", "/_ping"), "Missing option '--policy'"),
        (("--policy", "builtin:observe", "--as", "alice", "GET", "/_ping"), "user:alice"),
        (("--policy", "builtin:observe", "--group", "ops", "GET", "/_ping"), "group"),
        (("--policy", "builtin:observe", "--header", "x", "GET", "/_ping"), "'Name: value'"),
        (("--policy", "builtin:observe", "--body", "/nowhere", "GET", "/_ping"), "/nowhere"),
        (("--policy", "builtin:observe", "--given", "/nowhere", "GET", "/_ping"), "/nowhere"),
        (("--policy", "builtin:developr", "GET", "/_ping"), "builtin:developer"),
        (("--policy", "/nowhere", "GET", "/_ping"), "does not exist"),
        (("--policy", "builtin:observe", "GET"), "Missing argument"),
        (("--policy", "builtin:observe", "--source", "::1", "GET", "/_ping"), "--source is '::1'"),
    ],
)
def test_a_wrong_call_exits_with_two(arguments, said):
    """And says what was expected."""
    result = decide(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not TOML"),
        ("[teapot.web]\n", "given.toml: given.teapot is not known"),
        ("container = 1\n", "expected a table"),
        ("[container]\nweb = 1\n", "given.container.web is 1"),
    ],
)
def test_a_wrong_given_file_is_told(text, said, tmp_path):
    """With its place."""
    path = tmp_path / "given.toml"
    path.write_text(text)
    result = decide("--policy", "builtin:observe", "--given", str(path), "GET", "/_ping")
    assert result.exit_code == 2
    assert said in result.output


def test_nothing_of_a_terminal_is_in_the_output_of_a_pipe(policy):
    """No colours, and no control characters of a request."""
    result = decide("--policy", policy, "GET", "/v1.47/containers/\x1b[31m/json")
    assert "\x1b" not in result.output


def test_a_body_from_a_closed_standard_input_is_a_wrong_call(monkeypatch):
    """As under a supervisor that gives a program none."""
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(click.UsageError, match=r"--body -: standard input is closed"):
        Written("POST", CREATE, How(body="-")).raw()


def test_a_body_without_an_end_is_refused(policy):
    """No more of it is read than could matter."""
    result = decide("--policy", policy, "POST", CREATE, "--body", "/dev/zero")

    assert result.exit_code == 3
    assert "body is larger than" in result.output
