"""Lines as syslog messages (RFC 5424): over a unix datagram socket, or counted over TCP and TLS.

The message is the line itself, which is JSON in ASCII; its number is also the
``sequenceId`` of the ``meta`` element.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from authz.audit.trail import Line
from authz.sinks.streams import Stream

AUDIT = 13
"""The facility: log audit."""
WARNING = 4
NOTICE = 5
INFORMATIONAL = 6

_MOST_SEQUENCE = 2**31 - 1
_SEVERITIES = {"allow": INFORMATIONAL, "deny": WARNING, "refuse": WARNING}
_KEPT = ("seq", "prev", "kind", "id", "time", "identity", "verdict", "reason")


def message(line: Line, host: str) -> bytes:
    """Return a line as a message."""
    record = line.record()
    severity = _SEVERITIES.get(str(record.get("verdict")), NOTICE)
    sequence = (line.seq - 1) % _MOST_SEQUENCE + 1
    head = (
        f"<{AUDIT * 8 + severity}>1 {_word(record, 'time')} {host} dockgate {os.getpid()} "
        f'{_word(record, "kind")} [meta sequenceId="{sequence}"] '
    )
    return head.encode("ascii", errors="replace") + line.text.rstrip(b"\n")


def host_name() -> str:
    """Return this host's name as a header field."""
    return socket.gethostname().encode("ascii", errors="replace").decode()[:255] or "-"


class Counted:
    """Messages over a connection, each behind its length (RFC 6587, octet counting)."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._host = host_name()

    def send(self, lines: Sequence[Line]) -> None:
        """Send messages. Raises OSError."""
        messages = [message(line, self._host) for line in lines]
        self._stream.send(b"".join(b"%d %s" % (len(each), each) for each in messages))

    def settled(self) -> bool:
        """Say whether they were acknowledged. Raises OSError."""
        return self._stream.settled()

    def close(self) -> None:
        """Hang up."""
        self._stream.close()


def send_message(host: str, sock: socket.socket, line: Line) -> None:
    """Send a line over a unix datagram socket; of one that is too long what says most.

    Raises OSError.
    """
    try:
        sock.send(message(line, host))
    except OSError as error:
        if error.errno != errno.EMSGSIZE:
            raise
        sock.send(message(shortened(line), host))


def shortened(line: Line) -> Line:
    """Return what says most of a line; its number and digests find the whole in the file."""
    record = line.record()
    kept = {name: record[name] for name in _KEPT if name in record}
    text = json.dumps({**kept, "cut": len(line.text)}, separators=(",", ":"))
    return Line(line.seq, text.encode("ascii") + b"\n")


def _word(record: Mapping[str, Any], name: str) -> str:
    """Return a header field: without blanks, and ``-`` for none."""
    text = str(record.get(name, "-")).encode("ascii", errors="replace").decode()
    return "".join(char for char in text if "!" <= char <= "~")[:32] or "-"
