"""What commands share: who asks, which policy, and how they end."""

import click
import pytest
from click.testing import CliRunner

from authz.cli.options import (
    DENIED,
    USAGE,
    bundle_or_exit,
    caller,
    caller_options,
    fail,
    policy_option,
    snapshot_or_exit,
)
from authz.identity.identity import Identity, Proof
from tests.policies import a_bundle


@click.command()
@policy_option
@caller_options
def show(reference, subject, groups, tenant):
    """Print what was given."""
    click.echo(f"{reference} {caller(subject, groups, tenant)}")


def run(*arguments):
    """Run the command."""
    return CliRunner().invoke(show, arguments)


def test_a_caller_is_assumed():
    """Name, groups and tenant as given, and no proof of any of it."""
    identity = caller("user:alice", ("group:os/dev", "group:cert/ops"), "red")

    assert identity == Identity(
        "user:alice", ("group:os/dev", "group:cert/ops"), "red", Proof.ASSUMED
    )


def test_without_a_name_the_caller_is_anonymous():
    """As he is for the plugin on a unix socket."""
    result = run("--policy", "p")

    assert result.exit_code == 0
    assert "p Identity(subject='user:anonymous', groups=(), tenant=''" in result.output


def test_options_are_handed_on():
    """Groups as often as they are given."""
    result = run(
        *("--policy", "p", "--as", "cert:ci", "--tenant", "red"),
        *("--group", "group:os/a", "--group", "group:os/b"),
    )

    assert "subject='cert:ci', groups=('group:os/a', 'group:os/b'), tenant='red'" in result.output


def test_a_policy_must_be_named():
    """There is no policy that one would assume."""
    result = run()

    assert result.exit_code == USAGE
    assert "Missing option '--policy'" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--as", "alice"), '--as: "alice" has no known type; expected .*; try user:alice'),
        (("--as", "usr:alice"), '--as: "usr:alice" has no known type; expected .*; try user:alice'),
        (("--as", "group:os/dev"), '--as: "group:os/dev" cannot stand here; expected '),
        (("--as", "role:dev"), '--as: "role:dev" cannot stand here'),
        (("--as", "user:a\nb"), r"--as is 'user:a\\nb'; expected printable characters"),
        (("--as", "user:\udcff"), r"--as is 'user:\\udcff'; expected printable characters"),
        (("--group", "group:os/\x1b"), r"--group is 'group:os/\\x1b'; expected printable"),
        (("--tenant", "a\x00"), r"--tenant is 'a\\x00'; expected printable"),
        (("--as", "user:"), '--as: "user:" has no name after its type$'),
        (("--as", "user:*"), '--as: "user:\\*" looks like a pattern'),
        (("--as", ""), "--as: .* has no known type"),
        (("--group", "dev"), '--group: "dev" has no known type'),
        (("--group", "user:alice"), '--group: "user:alice" cannot stand here'),
        (("--group", "group:dev"), "--group: .* does not say where .*; try group:os/dev"),
        (("--group", "group:o/dev"), '--group: "o" is not a source of groups'),
    ],
)
def test_an_untyped_name_is_a_wrong_call(arguments, message):
    """Nobody is judged under a name that no door gives."""
    result = run("--policy", "p", *arguments)

    assert result.exit_code == USAGE
    lines = " ".join(result.output.split())
    assert click.unstyle(lines).partition("Error: ")[2] == lines.partition("Error: ")[2]
    with pytest.raises(click.UsageError, match=message):
        caller(
            arguments[1] if arguments[0] == "--as" else "user:x",
            (arguments[1],) if arguments[0] == "--group" else (),
            arguments[1] if arguments[0] == "--tenant" else "",
        )


def test_a_bundle_that_loads_is_returned(tmp_path):
    """As it was written, and compiled."""
    folder = a_bundle(tmp_path)

    bundle = bundle_or_exit(str(folder), 9)
    snapshot = snapshot_or_exit(str(folder))

    assert bundle.root == folder
    assert snapshot.digest == bundle.digest


def test_a_bundle_that_does_not_load_ends_the_command(tmp_path, capsys):
    """With every problem on standard error, and the status that was asked for."""
    folder = a_bundle(
        tmp_path,
        policy="p, role:dev, *, system.pong, on:host, *, allow\np, *, *, *, x:y, *, dney\n",
    )

    with pytest.raises(SystemExit) as ended:
        bundle_or_exit(str(folder), 9)

    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (9, "")
    assert "policy.csv:1" in told.err
    assert "policy.csv:2" in told.err
    assert told.err.endswith(f"dockgate: {folder}: the policy does not load\n")


def test_a_policy_that_does_not_load_is_a_wrong_call(capsys):
    """It is neither an allow nor a deny."""
    with pytest.raises(SystemExit) as ended:
        snapshot_or_exit("builtin:nothing")

    assert ended.value.code == USAGE
    assert "builtin:nothing: the policy does not load" in capsys.readouterr().err


def test_what_a_daemon_says_of_a_failure_moves_no_cursor(capsys):
    """Its lines stay lines, and its escape sequences are printed as text."""
    with pytest.raises(SystemExit):
        fail("no\x1b[2J\nfurther", 1)

    assert capsys.readouterr().err == "dockgate: no\\x1b[2J\nfurther\n"


def test_failing_says_why(capsys):
    """On standard error, under the name of the program."""
    with pytest.raises(SystemExit) as ended:
        fail("there is no way", DENIED)

    told = capsys.readouterr()
    assert (ended.value.code, told.out, told.err) == (3, "", "dockgate: there is no way\n")
