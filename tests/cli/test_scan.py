"""``dockgate scan``: a table, JSON, SARIF, and the exit status."""

import json

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from tests.builders import a_stored_container
from tests.policies import a_bundle
from tests.scanned import WEB, a_daemon, serving

BAD = {**a_stored_container(Privileged=True), "Id": "c1", "Name": "/bad"}
PACK = ("--policy", "policies/packs/pss-baseline")


@pytest.fixture
def host(tmp_path):
    """Serve an ordinary container and a privileged one."""
    with serving(tmp_path / "d.sock", a_daemon(WEB, BAD)) as address:
        yield address


def scan(host, *arguments):
    """Run the command."""
    return CliRunner().invoke(main, ["scan", "--host", host, *arguments])


def test_a_person_reads_it_by_control(host):
    """What is denied many times by one row is told once."""
    result = scan(host, *PACK)
    assert result.exit_code == 4, result.output
    lines = result.output.splitlines()
    at = lines.index("PSS Privileged")
    assert lines[at + 1].split()[:3] == ["container", "bad", "privileged:true"]
    assert "cap.add:ALL, cap.add:AUDIT_CONTROL, cap.add:AUDIT_READ and 26 more" in result.output
    assert lines[-1] == "2 containers and 0 services judged, 1 with findings"


def test_programs_get_json_and_sarif(host, tmp_path):
    """Both at once."""
    path = tmp_path / "scan.sarif"
    result = scan(host, *PACK, "--json", "--sarif", str(path))
    assert result.exit_code == 4
    findings = json.loads(result.output)
    assert {each["name"] for each in findings} == {"bad"}
    assert len(json.loads(path.read_text())["runs"][0]["results"]) == len(findings)


def test_nothing_to_find_exits_with_zero(host):
    """An administrator may have both."""
    result = scan(host, "--policy", "builtin:admin", "--role", "role:admin")
    assert result.exit_code == 0
    assert "0 with findings" in result.output


def test_what_no_row_allows_is_told(host):
    """By its kind of finding, without a row."""
    result = scan(host, "--policy", "builtin:observe", "--as", "user:alice")
    assert result.exit_code == 4
    assert result.output.startswith("no-row\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--role", "developer"], '--role: "developer" has no known type'),
        (["--sarif", "/none/x.sarif"], "cannot be written: No such file or directory"),
        (["--host", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1"),
    ],
)
def test_wrong_calls_are_told(arguments, said, host):
    """With their status."""
    result = scan(host, *PACK, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_door_can_be_named(host, tmp_path):
    """Conditions may ask for it."""
    rows = "p, *, *, container.create, on:new, door!=proxy, deny\n"
    policy = a_bundle(tmp_path / "p", policy=rows, people="")
    assert "policy.csv:1" in scan(host, "--policy", str(policy)).output
    assert "policy.csv:1" not in scan(host, "--policy", str(policy), "--door", "proxy").output
