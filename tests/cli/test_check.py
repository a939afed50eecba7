"""``dockgate check`` and ``routes``: what is printed, and the exit status."""

import json
from pathlib import Path

from click.testing import CliRunner

from authz.cli.main import COMMANDS, main
from authz.shipped import shipped


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, arguments)


def test_a_good_bundle_is_summed_up():
    """Rows and digest, and exit status 0."""
    result = run("check", "builtin:developer")
    assert result.exit_code == 0
    assert "0 errors" in result.output
    assert "digest" in result.output


def test_every_mistake_is_printed_at_once(tmp_path):
    """Each with file, line, column and a suggestion."""
    for name in ("bundle.toml", "model.conf", "people.csv"):
        (tmp_path / name).write_bytes(shipped("policies", "observe", name).read_bytes())
    (tmp_path / "policy.csv").write_text(
        "p, *, *, system.pong, on:host, *, allow\n"
        "p, user:alice, *, container.create, bind:/etc/, *, deny\n"
    )
    result = run("check", str(tmp_path))
    assert result.exit_code == 1
    assert "policy.csv:1:10" in result.output
    assert "system.ping" in result.output
    assert "policy.csv:2:42" in result.output
    assert "/etc" in result.output
    assert "2 errors" in result.output
    problems = json.loads(run("check", str(tmp_path), "--json").output)
    assert [(Path(p["file"]).name, p["line"]) for p in problems] == [
        ("policy.csv", 1),
        ("policy.csv", 2),
    ]


def test_several_are_checked_at_once(tmp_path):
    """Each is summed up, and one mistake is a mistake of all."""
    result = run("check", "builtin:observe", "builtin:developer", str(tmp_path / "none"))
    assert result.exit_code == 1
    ends = [line.partition(": ")[0] for line in result.output.splitlines() if " errors, " in line]
    assert ends == ["builtin:observe", "builtin:developer"]
    assert f"{tmp_path}/none: 1 error, 0 warnings" in result.output
    found = json.loads(run("check", "builtin:developer", str(tmp_path / "none"), "--json").output)
    assert [each["severity"] for each in found] == ["warning", "error"]
    assert run("check", "builtin:observe", "builtin:developer").exit_code == 0


def test_routes_lists_everything():
    """Operations and facts, for people and for programs."""
    text = run("routes").output
    tables = json.loads(run("routes", "--json").output)
    assert "/containers/create" in text
    assert "cap.add" in text
    assert len(tables["operations"]) > 100
    assert "container.run" in tables["groups"]


def test_help_lists_every_command():
    """With a line each."""
    result = run("--help")
    assert result.exit_code == 0
    for name, about in COMMANDS.items():
        assert name in result.output
        assert about.split()[0] in result.output
    for name in COMMANDS:
        assert run(name, "--help").exit_code == 0


def test_an_unknown_command_is_a_wrong_call():
    """Exit status 2."""
    assert run("destroy").exit_code == 2


def test_controls_that_are_not_kept_are_errors_when_asked_for():
    """The policy loads all the same; without the question nothing is said."""
    result = CliRunner().invoke(main, ["check", "builtin:developer", "--controls", "pss-baseline"])
    assert result.exit_code == 1
    assert 'no row keeps "PSS HostPorts" for "role:developer"' in result.output
    assert "does not load" not in result.output
    assert CliRunner().invoke(main, ["check", "builtin:developer"]).exit_code == 0


def test_a_pack_that_is_not_there_is_a_wrong_call():
    """With the one that was probably meant."""
    result = CliRunner().invoke(main, ["check", "builtin:developer", "--controls", "pss-basline"])
    assert result.exit_code == 2
    assert "there is no pack 'pss-basline'; try pss-baseline" in result.output
