"""``dockgate test``: the tests of a policy, and of every policy that ships."""

import json

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
