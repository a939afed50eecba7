"""Syslog messages, and how they go."""

import json
import os
import re
import socket
from functools import partial
from pathlib import Path

import pytest

from authz.audit.trail import Line
from authz.sinks.streams import Datagrams, Stream
from authz.sinks.syslog import Counted, host_name, message, send_message, shortened
from tests.audit.logs import Log
from tests.fakes import wait_for
from tests.sinks.test_streams import Listener


def a_line(**members: object) -> Line:
    """Return a decision as a line."""
    log = Log()
    return Line(1, log.add(**members))


@pytest.mark.parametrize(
    ("members", "priority"),
    [
        ({"verdict": "allow"}, 110),
        ({"verdict": "deny"}, 108),
        ({"verdict": "refuse"}, 108),
        ({}, 109),
    ],
)
def test_a_line_is_a_message(members: dict[str, str], priority: int):
    """Facility log audit; the severity tells what was decided; the line is the message."""
    line = a_line(**members)

    head, text = message(line, "host").split(b"] ", 1)

    assert text + b"\n" == line.text
    assert head.decode() == (
        f"<{priority}>1 2026-07-01T00:00:00.000Z host dockgate {os.getpid()} decision "
        '[meta sequenceId="1"'
    )


def test_numbers_begin_anew_where_the_standard_ends():
    """RFC 5424 has 31 bits for them."""
    line = a_line()

    assert b'sequenceId="2147483647"' in message(Line(2**31 - 1, line.text), "h")
    assert b'sequenceId="1"' in message(Line(2**31, line.text), "h")


def test_what_is_no_word_does_not_break_a_header():
    """Whatever a line says."""
    head = message(Line(1, b'{"kind":"a b\\u00e9\\n","time":""}\n'), "h").split(b" [meta")[0]

    assert re.fullmatch(rb"<109>1 - h dockgate \d+ ab\?", head)
    assert host_name()


@pytest.mark.parametrize(
    "text",
    [
        b'{"seq":5,garbage\n',
        b'{"seq":5,"kind":"decision","id":"\\ud800"}\n',
        b'{"seq":5,"verdict":["allow"],"time":{}}\n',
        b'{"seq":5,"a":"\xff"}\n',
    ],
)
def test_what_somebody_else_wrote_into_the_log_is_passed_on(text: bytes):
    """Or nothing that comes behind it would ever be."""
    assert message(Line(5, text), "h").startswith(b"<109>1 ")
    assert message(Line(5, text), "h").endswith(text.rstrip(b"\n"))
    assert json.loads(shortened(Line(5, text)).text)["cut"] == len(text)


def test_messages_are_counted_over_tcp():
    """So that nothing in them can end one."""
    listener = Listener()
    lines = [a_line(verdict="allow"), a_line(verdict="deny")]
    counted = Counted(Stream("127.0.0.1", listener.port))
    counted.send(lines)
    wait_for(counted.settled)
    messages = [message(line, host_name()) for line in lines]
    wanted = b"".join(b"%d %s" % (len(each), each) for each in messages)
    wait_for(lambda: len(listener.taken) == len(wanted))
    counted.close()
    listener.close()

    assert listener.taken == wanted


def test_datagrams_go_to_a_unix_socket(tmp_path: Path):
    """One that is too long says what matters, and how long the line was."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(5)
        datagrams = Datagrams(tmp_path / "log", partial(send_message, host_name()))
        long = a_line(verdict="deny", facts=[{"fact": "x" * 1_000_000}])
        datagrams.send([a_line()])
        first = server.recv(1 << 20)
        datagrams.send([long])
        second = server.recv(1 << 20)
        datagrams.close()
        datagrams.close()

    assert first == message(a_line(), host_name())
    assert second == message(shortened(long), host_name())
    assert json.loads(second.split(b"] ", 1)[1])["cut"] == len(long.text)
    assert datagrams.settled()
