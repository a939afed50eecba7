"""``dockgate audit``: what a person and a program read, and the exit status."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from authz.cli.audit import command, sentence
from tests.audit.logs import Log, a_log, write
from tests.audit.test_checkpoint import KEY, PUBLIC

DENIED = {
    "verdict": "deny",
    "reason": "rule",
    "identity": {"subject": "user:alice"},
    "request": {"method": "POST", "target": "/containers/create", "action": "container.create"},
    "facts": [
        {"fact": "on:new", "verdict": "allow", "row": "may"},
        {"fact": "bind:/etc", "verdict": "deny", "row": "no-host-etc"},
        {"fact": "privileged:true", "verdict": "deny", "row": None},
    ],
}


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log with one start, two decisions and a signed checkpoint."""
    log = Log()
    log.add("started", pid=1)
    log.add(**DENIED)
    log.add(verdict="allow", reason="rule", identity={"subject": "user:bob"}, request=None)
    log.mark(key=KEY)
    return write(tmp_path / "audit.jsonl", log.lines)


def test_a_whole_log_is_said_to_be_whole(log: Path):
    """And what that proves, and what it does not."""
    result = run("verify", log)

    assert result.exit_code == 0
    assert "whole: 4 lines, sequence 1 to 4, head " in result.output
    assert "unsigned: this shows accidents and clumsy edits, not a writer" in result.output


def test_a_broken_log_is_told_with_its_place(log: Path):
    """Exit status 1, the line and what is wrong with it."""
    lines = log.read_bytes().splitlines(keepends=True)
    write(log, [lines[0], *lines[2:]])

    result = run("verify", log)

    assert result.exit_code == 1
    assert f"BROKEN  {log}:2: sequence 3: sequence 2 is missing before it" in result.output
    assert "broken: 3 lines" in result.output


def test_signatures_and_copies_are_asked_for(log: Path, tmp_path: Path):
    """What they prove is said."""
    key = tmp_path / "public.pem"
    key.write_bytes(PUBLIC)
    lines = log.read_bytes().splitlines(keepends=True)
    kept = write(tmp_path / "kept.jsonl", [lines[3]])

    signed = run("verify", log, "--key", key)
    both = run("verify", log, "--key", key, "--checkpoints", kept)
    write(log, lines[:3])
    cut = run("verify", log, "--checkpoints", kept)

    assert (signed.exit_code, both.exit_code, cut.exit_code) == (0, 0, 1)
    assert "signed: 1 checkpoints, the last is sequence 4; 0 lines behind it" in signed.output
    assert "only copies elsewhere can show" in signed.output
    assert "only copies" not in both.output
    assert "the end is missing" in cut.output


@pytest.mark.parametrize("text", ["", "junk\n", '{"id":"x"}\n'])
def test_copies_that_are_none_prove_nothing(log: Path, tmp_path: Path, text: str):
    """The wrong file must not look like a good end."""
    kept = tmp_path / "kept.jsonl"
    kept.write_text(text)

    result = run("verify", log, "--checkpoints", kept)

    assert result.exit_code == 2
    assert result.stderr == f"dockgate: {kept}: has no checkpoint; expected at least one\n"


def test_a_program_gets_a_document(log: Path):
    """With the same findings."""
    with log.open("ab") as file:
        file.write(b'{"id":"x"}\n{"torn')

    result = run("verify", log, "--json")

    document = json.loads(result.output)
    assert result.exit_code == 1
    assert (document["whole"], document["last"], document["kinds"]["decision"]) == (False, 4, 2)
    assert document["problems"] == [
        {
            "file": str(log),
            "line": 5,
            "seq": 0,
            "message": "carries no sequence number and digest: it was inserted",
        }
    ]
    assert document["notes"][0]["message"].startswith("a crash left")


@pytest.mark.parametrize("odd", ["x", 5, ["a"], None])
def test_a_record_of_another_form_is_shown_as_far_as_it_goes(odd: object):
    """Whoever reads a log wants to see such a line."""
    shown = sentence({**DENIED, "identity": odd, "request": odd, "id": "01A"})

    assert "DENY" in shown
    assert "nobody" in shown
    assert shown.endswith("01A")


def test_more_lines_than_there_can_be_are_a_wrong_call(log: Path):
    """Said by the option's name."""
    result = run("tail", log, "-n", "9" * 30)

    assert result.exit_code == 2
    assert "Invalid value for '-n'" in result.stderr


def test_a_part_is_only_a_part(tmp_path: Path):
    """Where somebody says so."""
    path = write(tmp_path / "part.jsonl", a_log(4).lines[2:])

    assert (run("verify", path).exit_code, run("verify", path, "--part").exit_code) == (1, 0)


def test_an_empty_log_has_no_lines(tmp_path: Path):
    """And is whole."""
    assert "whole: 0 lines, no lines" in run("verify", write(tmp_path / "a", [])).output


@pytest.mark.parametrize("arguments", [("verify",), ("query",), ("tail",)])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, arguments: tuple[str, ...]):
    """On one line, with status 2."""
    result = run(*arguments, tmp_path / "none")

    assert result.exit_code == 2
    assert "cannot be read: No such file or directory" in result.output


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ((), ["id-2", "id-3"]),
        (("--subject", "user:a*"), ["id-2"]),
        (("--verdict", "allow"), ["id-3"]),
        (("--row", "no-host-etc", "--object", "/etc"), ["id-2"]),
        (("--action", "container.*", "--reason", "rule"), ["id-2"]),
        (("--id", "id-3"), ["id-3"]),
        (("--since", "2026-07-01", "--until", "2026-07-02T00:00"), ["id-2", "id-3"]),
        (("--since", "1d"), []),
        (("--all",), ["id-1", "id-2", "id-3", "id-4"]),
    ],
)
def test_records_are_searched(log: Path, arguments: tuple[str, ...], ids: list[str]):
    """By every member that is asked for."""
    result = run("query", log, "--json", *arguments)

    assert result.exit_code == 0
    assert [json.loads(line)["id"] for line in result.output.splitlines()] == ids


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return a log with a decision, how that ended, a grant and a summary."""
    log = Log()
    log.add(**DENIED, id="one")
    log.add("outcome", id="one", status=201, object="c0ffee")
    grant = {"event": "granted", "grant": "G", "subject": "user:alice", "reason": "INC-1: stuck"}
    log.add("grant", id="two", action="container.exec", facts="on:own|exec.user:root", **grant)
    log.add("summary", id="three", subject=None, count=4)
    return write(tmp_path / "audit.jsonl", log.lines)


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (("--id", "one"), ["decision", "outcome"]),
        (("--id", "one", "--kind", "outcome"), ["outcome"]),
        (("--kind", "outcome", "--object", "c0ff*"), ["outcome"]),
        (("--kind", "grant", "--kind", "summary"), ["grant", "summary"]),
        (("--kind", "grant", "--subject", "user:alice", "--action", "container.*"), ["grant"]),
        (("--kind", "grant", "--object", "root"), ["grant"]),
        (("--kind", "grant", "--object", "G"), ["grant"]),
        (("--kind", "grant", "--subject", "user:bob"), []),
        (("--all", "--subject", "user:alice"), ["decision", "grant"]),
    ],
)
def test_what_is_no_decision_is_searched(told: Path, arguments: tuple[str, ...], kinds: list[str]):
    """How a request ended with its decision, and grants by whom they are for."""
    result = run("query", told, "--json", *arguments)

    assert result.exit_code == 0
    assert [json.loads(line)["kind"] for line in result.output.splitlines()] == kinds


def test_what_is_no_decision_is_one_line_for_a_person(told: Path):
    """Member by member."""
    lines = run("query", told, "--all").output.splitlines()

    when = "2026-07-01T00:00:00.000Z"
    assert lines[1] == f"{when}  outcome  id=one  status=201  object=c0ffee"
    assert lines[2].endswith('subject=user:alice  reason="INC-1: stuck"')


def test_lines_that_no_search_can_find_are_counted(log: Path):
    """On standard error: a log with a hole must not look like one without."""
    assert run("query", log).stderr == ""
    log.write_bytes(b"junk\n" + log.read_bytes() + b"[1]\n")
    result = run("query", log, "--json")

    assert result.stderr == "dockgate: 2 lines are no records; audit verify names them\n"
    assert len(result.stdout.splitlines()) == 2


def test_a_time_that_is_none_is_told(log: Path):
    """With what was expected."""
    result = run("query", log, "--since", "yesterday")

    assert result.exit_code == 2
    assert "--since is 'yesterday'; expected a time such as" in result.output
    assert run("query", log, "--since", "999999d").exit_code == 2


def test_a_record_is_one_line_for_a_person(log: Path):
    """Who, what, and why not."""
    lines = run("query", log, "--all").output.splitlines()

    assert lines[0].startswith("2026-07-01T00:00:00.000Z  started  ")
    assert lines[1] == (
        "2026-07-01T00:00:00.000Z  DENY     user:alice  container.create  "
        "POST /containers/create  (bind:/etc by no-host-etc; 1 more)  id-2"
    )
    assert lines[2] == "2026-07-01T00:00:00.000Z  ALLOW    user:bob  -  id-3"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"verdict": "refuse", "reason": "no_credential"}, "(no_credential)"),
        ({"verdict": "refuse", "reason": "r", "detail": "\x1b[2J"}, r"(r: \x1b[2J)"),
        (
            {"verdict": "deny", "facts": [{"fact": "on:new", "verdict": "deny", "row": None}]},
            "(on:new no row allows it)",
        ),
    ],
)
def test_a_refusal_says_why(record: dict[str, object], said: str):
    """And nothing of it moves a cursor."""
    assert said in sentence(record)


HOSTILE = [
    b'{"seq":1,"kind":"decision","id":"a","identity":"x","request":[1],"verdict":"deny"}',
    b'{"seq":2,"kind":"decision","id":"\\ud800","verdict":"\\u001b[2J","reason":"\\ud800"}',
    '{"seq":3,"kind":"decision","id":"\u009b2J","verdict":"deny"}'.encode(),
    b'{"seq":4,"kind":"decision",\r"id":"a","verdict":"deny"}',
]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
@pytest.mark.parametrize("name", ["query", "tail"])
def test_what_somebody_else_wrote_moves_no_cursor(
    tmp_path: Path, name: str, arguments: tuple[str, ...]
):
    """And stops no search."""
    log = tmp_path / "audit.jsonl"
    log.write_bytes(b"\n".join(HOSTILE) + b"\n")
    result = CliRunner().invoke(command, [name, str(log), *arguments], color=True)
    plain = click.unstyle(result.output)

    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 4
    assert all(char.isprintable() for line in plain.split("\n") for char in line)
    assert "\x1b[2J" not in result.output


def test_the_end_of_a_log_is_shown(log: Path):
    """As many as are wanted."""
    assert len(run("tail", log).output.splitlines()) == 2
    assert len(run("tail", log, "--all", "-n", "3").output.splitlines()) == 3
    assert run("tail", log, "-n", "0").output == ""


def test_a_log_is_followed(tmp_path: Path):
    """Over a rotation, until somebody has seen enough."""
    log = a_log(2)
    path = write(tmp_path / "audit.jsonl", log.lines)
    # A job in the background of a shell ignores SIGINT, and so would what it starts.
    heeding = ["env", "--default-signal=INT", sys.executable]
    arguments = [*heeding, "-m", "authz", "audit", "tail", "-f", "--json", str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        seen = [process.stdout.readline() for _ in range(2)]
        path.rename(tmp_path / "audit.jsonl.0000000000000001")
        write(path, [log.add(), log.add("stopped"), log.add(), b'{"seq":6,nonsense\n'])
        seen += [process.stdout.readline() for _ in range(2)]
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        status = process.wait(10)

    assert [json.loads(line)["seq"] for line in seen] == [1, 2, 3, 5]
    assert status == 0
