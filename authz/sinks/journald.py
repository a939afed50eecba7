"""Lines as entries of the journal, by its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL).

An entry is a datagram of ``FIELD=value`` lines; one that is too long for a
datagram goes as a sealed file in memory. Lines hold no line feed, so that no
value needs the protocol's binary form.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
from pathlib import Path

from authz.audit.query import table
from authz.audit.trail import Line

SOCKET = Path("/run/systemd/journal/socket")

_PRIORITIES = {"allow": 6, "deny": 4, "refuse": 4}
_NOTICE = 5
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def entry(line: Line) -> bytes:
    """Return a line as an entry: the line itself, and what one searches by."""
    record = line.record()
    identity, request = table(record, "identity"), table(record, "request")
    fields = {
        "MESSAGE": line.text.rstrip(b"\n").decode("ascii", errors="replace"),
        "PRIORITY": str(_PRIORITIES.get(str(record.get("verdict")), _NOTICE)),
        "SYSLOG_IDENTIFIER": "dockgate",
        "DOCKGATE_SEQ": str(line.seq),
        "DOCKGATE_KIND": record.get("kind"),
        "DOCKGATE_ID": record.get("id"),
        "DOCKGATE_VERDICT": record.get("verdict"),
        "DOCKGATE_REASON": record.get("reason"),
        "DOCKGATE_SUBJECT": identity.get("subject"),
        "DOCKGATE_ACTION": request.get("action"),
    }
    return b"".join(
        f"{name}={_flat(value)}\n".encode(errors="replace")
        for name, value in fields.items()
        if value is not None
    )


def send_entry(sock: socket.socket, line: Line) -> None:
    """Send a line to the journal's socket. Raises OSError."""
    text = entry(line)
    try:
        sock.send(text)
    except OSError as error:
        if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
            raise
        _send_file(sock, text)


def _send_file(sock: socket.socket, text: bytes) -> None:
    """Send what is too long for a datagram as a file that nobody can change any more."""
    descriptor = os.memfd_create("dockgate-entry", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(text)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        rights = array.array("i", [descriptor])
        sock.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    finally:
        os.close(descriptor)


def _flat(value: object) -> str:
    return str(value).replace("\n", " ")
