"""``dockgate test``: the tests of a policy, and of every policy that ships."""

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from authz.shipped import shipped

FOLDERS = sorted(path.parent for path in shipped("policies").rglob("tests.toml"))
PING = '[[case]]\nname = "ping"\nrequest = "GET /_ping"\nexpect = "%s"\n'


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def bundle(tmp_path):
    """Copy the smallest bundle."""
    for name in ("bundle.toml", "model.conf", "policy.csv", "people.csv"):
        (tmp_path / name).write_bytes(shipped("policies", "observe", name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_ships_passes_its_tests(folder):
    """Every bundle and every pack has tests, and they hold."""
    result = run("test", str(folder))
    assert result.exit_code == 0, result.output
    assert " 0 failed" in result.output


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_ships_has_no_errors(folder):
    """And loads strictly."""
    result = run("check", str(folder))
    assert result.exit_code == 0, result.output


def test_every_bundle_has_the_same_model():
    """There is one reviewed model."""
    models = {path.read_bytes() for path in shipped("policies").glob("*/model.conf")}
    bundles = list(shipped("policies").glob("*/bundle.toml"))
    assert len(models) == 1
    assert len(list(shipped("policies").glob("*/model.conf"))) == len(bundles) >= 4


def test_a_failure_is_told_with_its_place(bundle):
    """What was expected, what came out, and where the case stands."""
    (bundle / "tests.toml").write_text(PING % "deny")
    result = run("test", str(bundle))
    assert result.exit_code == 1
    assert "FAIL  ping" in result.output
    assert "tests.toml:1" in result.output
    assert "expected deny, got allow" in result.output
    assert "0 passed, 1 failed" in result.output


def test_another_reason_is_a_failure(bundle):
    """``because`` is compared as a set."""
    (bundle / "tests.toml").write_text(PING % "allow" + 'because = ["other"]\n')
    result = run("test", str(bundle))
    assert result.exit_code == 1
    assert 'expected because = ["other"]' in result.output


def test_results_for_a_program(bundle):
    """One member for each case."""
    (bundle / "tests.toml").write_text(PING % "allow")
    (case,) = json.loads(run("test", str(bundle), "--json").output)
    assert case == {"name": "ping", "at": "tests.toml:1:1", "passed": True, "complaint": ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no cases"),
        ('[[case]]\nname = "x"\n', "the case has no request"),
        (PING % "allow" + "[case.given.teapot.x]\n", "given.teapot is not known"),
    ],
)
def test_wrong_tests_are_told(text, said, bundle):
    """Not run by half."""
    (bundle / "tests.toml").write_text(text)
    result = run("test", str(bundle))
    assert result.exit_code == 1
    assert said in result.output


def test_a_policy_that_does_not_load_is_not_tested(bundle):
    """Its problems are printed instead."""
    (bundle / "policy.csv").write_text("p, *, *, system.ping, on:host, *, Allow\n")
    (bundle / "tests.toml").write_text(PING % "allow")
    result = run("test", str(bundle))
    assert result.exit_code == 1
    assert 'verdict is "Allow"' in result.output


ROWS = (
    "# info: x\np, *, *, system.info, on:host, *, allow\n"
    "# never-used: x [CIS 5.5]\np, *, *, *, privileged:true, *, never\n"
)


def test_rows_that_settle_no_case_are_counted_and_named(bundle):
    """Those of the bundle's own files; shipped packs are tested where they lie."""
    (bundle / "policy.csv").write_text(ROWS)
    (bundle / "tests.toml").write_text(PING.replace("/_ping", "/info") % "allow")
    result = run("test", str(bundle))
    assert "1 of 2 rows settle a case; --coverage names the others" in result.output
    result = run("test", str(bundle), "--coverage")
    assert result.exit_code == 0
    assert "untested: never-used (policy.csv:4) [CIS 5.5]  privileged:true" in result.output
    assert "untested: info" not in result.output
    document = json.loads(run("test", str(bundle), "--coverage", "--json").output)
    assert document["rows"] == 2
    assert document["untested"] == [{"row": "never-used", "at": "policy.csv:4"}]
    assert [case["passed"] for case in document["cases"]] == [True]


def test_own_packs_count_and_shipped_ones_do_not(bundle):
    """A pack alone is tested as a whole."""
    (bundle / "packs").mkdir()
    (bundle / "packs" / "mine.csv").write_text("p, pack:mine, *, *, on:own, *, deny\n")
    (bundle / "bundle.toml").write_text('packs = ["core", "mine"]\n')
    (bundle / "tests.toml").write_text(PING % "allow")
    assert "0 of 1 rows settle a case" in run("test", str(bundle)).output
    output = run("test", str(shipped("policies", "packs", "sockets"))).output
    assert "rows settle a case" in output
    assert "0 of 0" not in output


def test_results_for_a_ci_system(bundle, tmp_path):
    """JUnit XML: a failure is a failure there, with its words and its place."""
    (bundle / "tests.toml").write_text(PING % "allow" + PING.replace('"ping"', '"p<2"') % "deny")
    path = tmp_path / "junit.xml"
    assert run("test", str(bundle), "--junit", str(path)).exit_code == 1
    root = ET.parse(path).getroot()  # noqa: S314  our own
    suite = root.find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite] == ["ping", "p<2"]
    assert [case.find("failure") is None for case in suite] == [True, False]
    assert suite[1].find("failure").get("message") == "expected deny, got allow"
    assert (suite[1].get("file"), suite[1].get("line")) == ("tests.toml", "5")


def test_a_report_that_cannot_be_written_is_told(bundle, tmp_path):
    """And the run counts as failed."""
    (bundle / "tests.toml").write_text(PING % "allow")
    result = run("test", str(bundle), "--junit", str(tmp_path / "none" / "x.xml"))
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.output


def test_several_are_tested_at_once(bundle, tmp_path):
    """Each under its own name, a suite for each; one failure is a failure of all."""
    good, path = str(shipped("policies", "packs", "sockets")), tmp_path / "junit.xml"
    (bundle / "tests.toml").write_text(PING % "deny")
    result = run("test", good, str(bundle), "--junit", str(path))
    assert result.exit_code == 1
    assert [line for line in result.output.splitlines() if line in (good, str(bundle))] == [
        *(good, str(bundle)),
    ]
    root = ET.parse(path).getroot()  # noqa: S314  our own
    assert [suite.get("failures") for suite in root] == ["0", "1"]
    assert root.get("failures") == "1"
    assert int(root.get("tests")) == sum(int(suite.get("tests")) for suite in root)
    assert run("test", good, good).exit_code == 0
    result = run("test", good, good, "--json")
    assert (result.exit_code, "--json takes one DIR" in result.output) == (2, True)
