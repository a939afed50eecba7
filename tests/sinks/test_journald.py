"""Entries of the journal."""

import array
import os
import socket
from pathlib import Path

import pytest

from authz.audit.trail import Line
from authz.sinks.journald import SOCKET, entry, send_entry
from authz.sinks.streams import Datagrams
from tests.audit.logs import Log


def a_line(**members: object) -> Line:
    """Return a decision as a line."""
    return Line(1, Log().add(**members))


def fields(text: bytes) -> dict[str, str]:
    """Read an entry as the journal does."""
    return dict(line.split("=", 1) for line in text.decode().splitlines())


def test_an_entry_has_the_line_and_what_one_searches_by():
    """What is not known is left out."""
    line = a_line(
        verdict="deny",
        reason="rule",
        identity={"subject": "user:alice"},
        request={"action": "container.create"},
    )

    assert fields(entry(line)) == {
        "MESSAGE": line.text.decode().rstrip("\n"),
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "dockgate",
        "DOCKGATE_SEQ": "1",
        "DOCKGATE_KIND": "decision",
        "DOCKGATE_ID": "id-1",
        "DOCKGATE_VERDICT": "deny",
        "DOCKGATE_REASON": "rule",
        "DOCKGATE_SUBJECT": "user:alice",
        "DOCKGATE_ACTION": "container.create",
    }
    assert fields(entry(a_line(identity=None)))["PRIORITY"] == "5"


def test_a_value_cannot_add_a_field():
    """A line feed in it would begin another one."""
    assert "FORGED" not in fields(entry(a_line(reason="x\nFORGED=1")))


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
    assert entry(Line(5, text)).endswith(b"\n")
    assert b"DOCKGATE_SEQ=5\n" in entry(Line(5, text))


def test_entries_go_to_the_socket_and_long_ones_as_files(tmp_path: Path):
    """Sealed, as the journal wants them."""
    long = a_line(facts=["x" * 1_000_000])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "journal"))
        server.settimeout(5)
        journal = Datagrams(tmp_path / "journal", send_entry)
        journal.send([a_line(), long])
        first = server.recv(65536)
        _, control, _, _ = server.recvmsg(1, socket.CMSG_SPACE(4))
        journal.close()
        journal.close()
    descriptors = array.array("i")
    descriptors.frombytes(control[0][2])
    with open(descriptors[0], "rb") as file:  # noqa: PTH123  a descriptor
        file.seek(0)
        second = file.read()
        with pytest.raises(OSError, match="Operation not permitted"):
            os.ftruncate(descriptors[0], 0)

    assert (first, second) == (entry(a_line()), entry(long))
    assert journal.settled()


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path):
    """The follower tries again; the usual place is systemd's."""
    journal = Datagrams(tmp_path / "none", send_entry)
    with pytest.raises(FileNotFoundError):
        journal.send([a_line()])
    journal.close()
    assert Path("/run/systemd/journal/socket") == SOCKET
