"""The command line as a whole: its commands, and that each loads what it needs alone."""

import json
import runpy
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from authz import __version__
from authz.cli.main import COMMANDS, MODULES, LazyGroup, main

HEAVY = (
    "aiohttp",
    "uvloop",
    "prometheus_client",
    "casbin",
    "pydantic",
    "authz.service.app",
    "authz.gate",
)


def loaded(*arguments):
    """Run the program in a process of its own; return its status and the heavy modules it has."""
    script = (
        "import json, sys\n"
        "from authz.cli.main import main\n"
        "status = 0\n"
        "try:\n"
        "    main(sys.argv[1:], prog_name='dockgate')\n"
        "except SystemExit as error:\n"
        "    status = error.code\n"
        f"found = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(json.dumps([status, found]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands_in_order(option):
    """Each with its line."""
    result = CliRunner().invoke(main, [option])

    listed = result.output.partition("Commands:\n")[2]
    assert result.exit_code == 0
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ")] == [*COMMANDS]
    for about in COMMANDS.values():
        assert about in listed


def test_every_command_exists_under_its_name():
    """And its own help opens as its line in the list does."""
    group = main
    context = click.Context(group)
    assert isinstance(group, LazyGroup)
    assert group.list_commands(context) == [*COMMANDS]

    for name in COMMANDS:
        command = group.get_command(context, name)
        assert isinstance(command, click.Command)
        assert command.help


def test_no_other_module_is_a_command():
    """The name is looked up in a table, and never imported as it was typed."""
    context = click.Context(main)

    for name in ["options", "report", "main", "os", "../x", "", *MODULES.values()]:
        assert main.get_command(context, name) is None


def test_an_unknown_command_is_a_wrong_call():
    """Told with the name, and what was probably meant; exit status 2."""
    result = CliRunner().invoke(main, ["vanish"])
    near = CliRunner().invoke(main, ["chekc", "policy"])

    assert result.exit_code == near.exit_code == 2
    assert "Error: there is no command 'vanish'\n" in result.output
    assert "there is no command 'chekc'; did you mean 'check'?" in near.output


def test_the_version_is_told():
    """As ``dockgate``, whatever the file is called."""
    result = CliRunner().invoke(main, ["--version"])

    assert result.output == f"dockgate, version {__version__}\n"


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("destroy",)])
def test_help_loads_no_command(arguments):
    """Who asks what there is does not wait for a web server."""
    _, found = loaded(*arguments)

    assert found == []


def test_routes_loads_the_tables_alone():
    """Neither the gate nor the engine of policies."""
    status, found = loaded("routes")

    assert (status, found) == (0, [])


def test_decide_does_not_load_the_server():
    """``dockgate decide`` must not pay for ``dockgate serve``."""
    status, found = loaded("decide", "--policy", "builtin:observe", "GET", "/_ping")

    assert status == 0
    assert {"aiohttp", "uvloop", "prometheus_client", "authz.service.app"} & set(found) == set()
    assert "authz.gate" in found


def test_the_package_is_the_program(monkeypatch, capsys):
    """``python -m authz`` is ``dockgate``."""
    monkeypatch.setattr(sys, "argv", ["authz", "--version"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("authz", run_name="__main__")

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"dockgate, version {__version__}\n"
