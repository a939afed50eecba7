"""``dockgate try``: a real client, judged request by request."""

import json
import shutil
import sys
import tempfile
import time

import pytest
from click.testing import CliRunner

from authz.cli import try_it
from authz.cli.main import main
from authz.shipped import shipped
from tests.policies import a_bundle
from tests.policy.models.samples import files_of

CLIENT = """
import http.client, os, socket, sys, time
path = os.environ["DOCKER_HOST"].removeprefix("unix://")
connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
for line in sys.argv[1:]:
    method, target, *body = line.split(" ", 2)
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request(method, target, *(part.encode() for part in body), headers=headers)
    answer = connection.getresponse()
    answer.read()
"""


def attempt(*arguments):
    """Run the command."""
    return CliRunner().invoke(main, ["try", *arguments])


def client(*requests):
    """Return the command line of a small client."""
    return ("--", sys.executable, "-c", CLIENT, *requests)


def test_each_request_is_shown():
    """Allowed and denied ones, in order; one denial decides the exit status."""
    result = attempt(
        *("--policy", "builtin:observe"),
        *client("GET /_ping", "GET /v1.47/containers/json"),
    )
    assert result.exit_code == 3, result.output
    assert [line.split()[:3] for line in result.output.splitlines() if line[0] != " "] == [
        ["ALLOW", "GET", "/_ping"],
        ["DENY", "GET", "/v1.47/containers/json"],
    ]


def test_all_allowed_exits_with_zero():
    """So that a script can ask."""
    assert attempt("--policy", "builtin:observe", *client("GET /_ping")).exit_code == 0


def test_json_prints_cases_that_can_be_pasted():
    """Each decision with the case that would test it."""
    result = attempt("--policy", "builtin:observe", "--json", *client("GET /v1.47/info"))
    (decision,) = json.loads(result.output)
    assert decision["verdict"] == "deny"
    assert decision["case"] == {
        "name": "GET /v1.47/info",
        "as": "user:anonymous",
        "groups": [],
        "request": "GET /v1.47/info",
        "expect": "deny",
        "because": [],
    }


def test_a_command_that_does_not_exist_is_told():
    """Not a traceback."""
    result = attempt("--policy", "builtin:observe", "--", "no-such-client", "ps")
    assert result.exit_code == 2
    assert "there is no command 'no-such-client'" in result.output


def test_a_client_that_sends_nothing_is_told():
    """With what it said."""
    result = attempt("--policy", "builtin:observe", "--", sys.executable, "-c", "print('hm')")
    assert result.exit_code == 2
    assert "sent nothing; it said: hm" in result.output


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command here")
def test_the_real_client_shows_both_failing_facts():
    """Without any daemon on this machine."""
    result = attempt(
        *("--policy", "builtin:admin", "--as", "user:alice"),
        *("--", "docker", "run", "--privileged", "-v", "/etc:/x", "alpine"),
    )
    assert result.exit_code == 3
    assert "privileged:true" in result.output
    assert "bind:/etc" in result.output


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command here")
@pytest.mark.parametrize(
    ("words", "last"),
    [
        (("cp", __file__, "web:/"), "container.archive.write"),
        (("attach", "web"), "container.attach"),
        (("service", "update", "--image", "x", "s"), "service.update"),
        (("node", "update", "--role", "manager", "n"), "node.update"),
    ],
)
def test_the_real_client_goes_on_to_what_matters(words, last, tmp_path):
    """It asks about an object first, and goes on when the answer looks like one."""
    given = tmp_path / "given.toml"
    given.write_text("[container.web]\n[service.s]\n[node.n]\n")
    policy = a_bundle(tmp_path, policy="p, role:dev, *, *.read, on:**|archive.path:**, *, allow\n")
    result = attempt(
        *("--policy", str(policy), "--as", "user:alice", "--given", str(given), "--json"),
        *("--", "docker", *words),
    )
    assert result.exit_code == 3, result.output
    assert json.loads(result.stdout)[-1]["request"]["action"] == last


def test_a_client_that_fails_in_the_middle_is_told(developer):
    """Behind what was allowed there may be more that nobody saw."""
    arguments = ("--policy", str(developer), "--as", "user:alice", "--", sys.executable, "-c")
    result = attempt(*arguments, CLIENT + "sys.exit('hm\\nwhat is \x07this')", "GET /version")
    assert result.exit_code == 0
    assert result.stdout.startswith("ALLOW")
    assert result.stderr.endswith("is not shown; it said: what is \\x07this\n")


def test_what_a_client_began_ends_with_it(developer, monkeypatch):
    """A plugin of the CLI that goes on asking is no part of the answer."""
    monkeypatch.setattr(try_it, "TIME_LIMIT", 2)
    asking = CLIENT.replace("for", "if os.fork():\n    time.sleep(60)\nwhile True:\n  for", 1)
    arguments = ("--policy", str(developer), "--as", "user:alice", "--json", "--")
    began = time.monotonic()
    result = attempt(*arguments, sys.executable, "-c", asking, "GET /version")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    assert time.monotonic() - began < 30


def test_a_long_folder_for_temporary_files_has_no_room(tmp_path, monkeypatch):
    """A socket's path has 107 characters at most."""
    long = tmp_path / ("l" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    result = attempt("--policy", "builtin:observe", *client("GET /_ping"))
    assert result.exit_code == 0, result.output


def pasted(result, bundle):
    """Paste every case that was printed into a copy of a bundle, and run its tests."""
    decisions = json.loads(result.output)
    text = "\n".join(each["toml"] for each in decisions)
    (bundle / "tests.toml").write_text(text)
    tested = CliRunner().invoke(main, ["test", str(bundle)])
    assert tested.exit_code == 0, tested.output
    assert f"{len(decisions)} passed, 0 failed" in tested.output
    return decisions


@pytest.fixture
def developer(tmp_path):
    """Copy the developer bundle, with alice in it."""
    folder = tmp_path / "developer"
    shutil.copytree(shipped("policies", "developer"), folder)
    with (folder / "people.csv").open("a") as people:
        people.write("g, user:alice, role:developer, *\n")
    return folder


@pytest.mark.parametrize(("request_line", "status"), [("HEAD /_ping", 2), ("GET /version", 0)])
def test_a_client_that_fails_before_it_asks_for_anything_is_told(request_line, status, developer):
    """That a ping is allowed says nothing about what was meant."""
    failing = (CLIENT + "sys.exit('no such folder')", request_line)
    arguments = ("--policy", str(developer), "--as", "user:alice", "--", sys.executable, "-c")
    result = attempt(*arguments, *failing)
    assert result.stdout.startswith("ALLOW"), result.output
    assert result.exit_code == status
    told = "only greeted the daemon; it said: no such folder" in result.stderr
    assert told == bool(status)


def test_cases_pass_where_they_are_pasted(developer, tmp_path):
    """With the answers that they needed, the objects that the client made among them."""
    given = tmp_path / "given.toml"
    given.write_text('[container.web]\nowner = "user:bob"\n')
    create = {"Image": "nginx", "HostConfig": {"Binds": ["/home/alice/x:/x"]}}
    dangerous = {**create, "Labels": {"a": "\u00e9\n\"'"}, "HostConfig": {"Privileged": True}}
    create_target = "POST /v1.41/containers/create?name=mine "
    requests = [
        *("GET /_ping", "GET /_ping", create_target + json.dumps(create)),
        *("POST /v1.41/containers/mine/start", "POST /v1.41/containers/web/start"),
        *(create_target + json.dumps(dangerous), "GET /v1.41/containers/none/json", "GET //info"),
    ]
    result = attempt(
        *("--policy", str(developer), "--as", "user:alice", "--given", str(given), "--json"),
        *client(*requests),
    )
    decisions = pasted(result, developer)
    assert [each["case"]["expect"] for each in decisions] == [
        *("allow", "allow", "allow", "allow", "deny", "deny", "allow", "refuse"),
    ]


def test_a_bundle_with_its_own_model_judges(tmp_path):
    """Its rows are named, and the cases pass in it."""
    rows = (
        "# lists: whatever there is\np, user:ann, container.list, on:list, allow\n"
        "# no-info: nothing of the host\np, user:ann, system.info, on:host, deny\n"
    )
    folder = a_bundle(tmp_path / "own", **files_of({"rows": rows}))
    words = ("--policy", str(folder), "--as", "user:ann")
    requests = ("GET /v1.41/containers/json", "GET /v1.41/info", "GET /v1.41/images/json")
    result = attempt(*words, *client(*requests))
    assert result.exit_code == 3
    assert "by no-info (policy.csv:4)  nothing of the host" in result.output
    decisions = pasted(attempt(*words, "--json", *client(*requests)), folder)
    assert [each["case"]["because"] for each in decisions] == [["lists"], ["no-info"], []]


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command here")
def test_cases_of_the_real_client_pass_where_they_are_pasted(developer):
    """A run is four requests and more."""
    result = attempt(
        *("--policy", str(developer), "--as", "user:alice", "--json"),
        *("--", "docker", "run", "--rm", "-v", "/home/alice/src:/src", "-p", "8080:80", "alpine"),
    )
    assert len(pasted(result, developer)) >= 3
