"""The log: one line an event, and nobody ever waits for its reader."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest
import structlog

from authz.log import PIECE, Lossy, configure

FULL = 2_000_000
"""Bytes, more than any pipe takes."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the two ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        os.close(end)


def read(descriptor: int) -> list[str]:
    """Return the lines that are there to be read."""
    os.set_blocking(descriptor, False)
    found = b""
    try:
        while chunk := os.read(descriptor, 65536):
            found += chunk
    except BlockingIOError:
        pass
    finally:
        os.set_blocking(descriptor, True)
    return found.decode().splitlines()


@pytest.fixture
def fresh(monkeypatch) -> Iterator[pytest.MonkeyPatch]:
    """Put the log back as other tests expect it."""
    yield monkeypatch
    structlog.reset_defaults()


def configure_for(stream: TextIO, patch: pytest.MonkeyPatch) -> None:
    """Set the log up for another standard error, in a process without any log."""
    root = logging.getLogger()
    patch.setattr(root, "handlers", [])
    patch.setattr(root, "level", root.level)
    patch.setattr(sys, "stderr", stream)
    configure()


def lines_of(script: str) -> list[dict[str, object]]:
    """Run a script with the log set up, and return its log."""
    before = "import structlog\nfrom authz.log import configure\nconfigure()\n"
    done = subprocess.run(
        [sys.executable, "-c", before + script], capture_output=True, check=True, timeout=20
    )
    assert done.stdout == b""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_is_a_line_of_json():
    """With its level and its time, on standard error."""
    (line,) = lines_of("structlog.get_logger().info('door.opened', who='alice\\n\\x1b[1mü')")

    assert (line["event"], line["level"], line["who"]) == ("door.opened", "info", "alice\n\x1b[1mü")
    assert str(line["timestamp"]).endswith("Z")


def test_a_traceback_stays_in_its_line():
    """A machine reads line by line."""
    (line,) = lines_of(
        "try:\n 1/0\nexcept ZeroDivisionError:\n structlog.get_logger().exception('it.broke')"
    )

    assert "ZeroDivisionError" in str(line["exception"])


def test_libraries_are_heard_in_the_same_form():
    """What is wrong with them only, and with their tracebacks."""
    script = (
        "import logging\nlogging.getLogger('lib').warning('noise')\n"
        "try:\n 1/0\nexcept ZeroDivisionError:\n logging.getLogger('lib').exception('at %s', 'x')"
    )
    (line,) = lines_of(script)

    assert (line["event"], line["library"], line["problem"]) == (
        "library.complained",
        "lib",
        "at x",
    )
    assert "ZeroDivisionError" in str(line["exception"])


def test_a_person_at_a_terminal_reads_plain_lines(fresh):
    """And the libraries' log goes the same way."""
    person, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        configure_for(stream, fresh)
        structlog.get_logger("test").warning("door.opened", who="alice")
        logging.getLogger("lib").error("broken")
        seen = os.read(person, 4096).decode()
        while "broken" not in seen:
            seen += os.read(person, 4096).decode()
    os.close(person)

    assert "door.opened" in seen
    assert not seen.startswith("{")
    assert "library.complained" in seen


def test_a_machine_reads_json(fresh, pipe):
    """Where standard error is no terminal."""
    with os.fdopen(os.dup(pipe[1]), "w") as stream:
        configure_for(stream, fresh)
        structlog.get_logger("test").warning("door.opened", who="\ud800")

    (line,) = read(pipe[0])
    assert json.loads(line)["event"] == "door.opened"


def test_a_line_that_finds_no_room_is_lost(pipe):
    """The writer goes on at once; when there is room again the loss is told."""
    stream = Lossy(pipe[1])
    for number in range(FULL // 1000):
        assert stream.write(f"{number:0999}\n") == 1000
    stream.flush()
    read(pipe[0])

    stream.write("after\n")

    loss, after = read(pipe[0])
    event = json.loads(loss)
    assert event["event"] == "log.lines_lost"
    assert event["lines"] >= (FULL - 1_100_000) // 1000
    assert after == "after"


def test_a_line_that_finds_half_its_room_is_ended(pipe):
    """What comes next is a line of its own."""
    stream = Lossy(pipe[1])
    stream.write("x" * FULL + "\n")
    torn = read(pipe[0])

    stream.write("after\n")

    assert len(torn) == 1
    assert len(torn[0]) >= PIECE
    assert [line if line == "after" else line[:8] for line in read(pipe[0])] == [
        "",
        '{"event"',
        "after",
    ]


def test_the_loss_is_told_when_there_is_room_for_it(pipe):
    """A line about lost lines can itself find no room."""
    stream = Lossy(pipe[1])
    stream.write("x" * FULL + "\n")
    stream.write("lost too\n")
    read(pipe[0])
    stream.write("y" * FULL + "\n")
    read(pipe[0])

    stream.write("after\n")

    _, loss, after = read(pipe[0])
    assert (json.loads(loss)["lines"], after) == (3, "after")


def test_a_reader_who_has_gone_is_no_failure():
    """A broken pipe ends nothing, and a later reader of the same descriptor hears of the loss."""
    ours, theirs = socket.socketpair()
    stream = Lossy(ours.fileno())
    theirs.close()

    assert stream.write("lost\n") == 5

    ours.close()
    assert stream.write("lost as well\n") == 13
