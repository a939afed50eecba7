"""The command line as a whole: its commands, and that each loads what it needs alone."""

import json
import os
import pty
import runpy
import subprocess
import sys
from pathlib import Path

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


def program(*arguments, **more):
    """Run the program as a shell does, with the environment and the files that are given."""
    command = [sys.executable, "-B", "-m", "authz", *arguments]
    return subprocess.run(command, check=False, timeout=60, **more)


@pytest.mark.parametrize("arguments", [("routes",), ("--help",), ("--version",)])
def test_a_full_disk_ends_it_with_a_line(arguments):
    """Status 1, no traceback, and nothing more at the end of the process."""
    with Path("/dev/full").open("wb") as full:
        done = program(*arguments, stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 1
    assert done.stderr == b"dockgate: the output: No space left on device\n"


def test_what_an_encoding_does_not_have_is_escaped():
    """A verdict is printed in any locale."""
    arguments = ("decide", "--policy", "builtin:observe", "GET", "/\u017c")
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = program(*arguments, env=environ, capture_output=True)

    assert (done.returncode, done.stderr) == (3, b"")
    assert done.stdout.startswith(b"REFUSE  GET /\\u017c\n")


def on_a_terminal(environ):
    """Return what a refused request looks like on a terminal."""
    ours, theirs = pty.openpty()
    arguments = ("decide", "--policy", "builtin:observe", "GET", "/nope")
    with os.fdopen(ours, "rb") as seen:
        try:
            program(*arguments, stdout=theirs, env={**os.environ, **environ})
            return seen.read1()
        finally:
            os.close(theirs)


def test_colours_are_for_a_terminal_that_wants_them():
    """NO_COLOR turns them off there; an empty one does not."""
    assert b"\x1b[" in on_a_terminal({"NO_COLOR": ""})
    assert on_a_terminal({"NO_COLOR": "1"}).startswith(b"REFUSE  GET /nope")
