"""A daemon that does what a benchmark of the proxy needs, as fast as it can: on a unix socket.

``python -m bench.upstream SOCKET``. It lists containers, saves an image of ``size`` bytes in
chunks, and swallows one that is loaded. A thread for each connection, and few system calls: its
own work must not be what limits a stream.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from contextlib import suppress

MEGABYTE = 1024 * 1024
CHUNK = 32 * 1024
"""What the daemon writes at once: the buffer of Go's ``io.Copy``."""

CONTAINERS = 8
LINES = 20
PAUSE = 0.05
JSON = "application/json"
HEAD = (
    "HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\nContent-Type: {media}\r\n"
    "Docker-Experimental: false\r\nOstype: linux\r\nServer: Docker/28.5.2 (linux)\r\n"
    "Date: Sat, 01 Aug 2026 12:00:00 GMT\r\n{framing}\r\n\r\n"
)
LAST = b"0\r\n\r\n"
_SIZE = re.compile(rb"zeros(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


def chunked(size: int) -> bytes:
    """Return so many zero bytes in chunks, without the last one."""
    whole, rest = divmod(size, CHUNK)
    one = b"%x\r\n" % CHUNK + bytes(CHUNK) + b"\r\n"
    return one * whole + (b"%x\r\n" % rest + bytes(rest) + b"\r\n" if rest else b"")


def listed() -> bytes:
    """Return the answer to ``GET /containers/json`` as the daemon writes it: in one chunk."""
    body = json.dumps([_container(number) for number in range(CONTAINERS)]).encode()
    head = HEAD.format(media=JSON, framing="Transfer-Encoding: chunked")
    return head.encode() + b"%x\r\n%b\r\n" % (len(body), body) + LAST


def _container(number: int) -> dict[str, object]:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": f"service{number}",
        "com.docker.compose.config-hash": f"{number:064x}",
        "com.docker.compose.version": "2.39.1",
    }
    network = {"NetworkID": "9" * 64, "EndpointID": f"{number:064x}", "Gateway": "172.18.0.1",
               "IPAddress": f"172.18.0.{number + 2}", "IPPrefixLen": 16, "Aliases": None,
               "MacAddress": f"02:42:ac:12:00:{number + 2:02x}"}  # fmt: skip
    return {
        "Id": f"{number:064x}", "Names": [f"/shop-service{number}-1"],
        "Image": f"registry.example/shop/service{number}:1.4", "ImageID": "sha256:" + "a" * 64,
        "Command": "/usr/local/bin/entrypoint serve --port 8080", "Created": 1785600000 + number,
        "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],  # noqa: S104  an answer's text
        "Labels": labels, "State": "running", "Status": "Up 3 hours",
        "HostConfig": {"NetworkMode": "shop_default"},
        "NetworkSettings": {"Networks": {"shop_default": network}},
        "Mounts": [{"Type": "volume", "Name": f"data{number}", "Destination": "/data", "RW": True}],
    }  # fmt: skip


def answered(found: object) -> bytes:
    """Return an answer of one document."""
    body = json.dumps(found).encode()
    return HEAD.format(media=JSON, framing=f"Content-Length: {len(body)}").encode() + body


LIST = listed()
LOADED = answered({})
IMAGE = answered({"Id": "sha256:" + "a" * 64, "RepoTags": ["zeros:latest"], "Config": {}})
_SAVING = HEAD.format(media="application/x-tar", framing="Transfer-Encoding: chunked").encode()
_MEGABYTE = chunked(MEGABYTE)
_LOG = HEAD.format(
    media="application/vnd.docker.multiplexed-stream", framing="Transfer-Encoding: chunked"
).encode()
_ASKED = re.compile(rb"(^GET (/v[0-9.]+)?)|((/zeros[0-9]+)?/json.*$)|( HTTP/1.1$)")
_ANSWERS = {
    b"/_ping": HEAD.format(media="text/plain", framing="Content-Length: 2").encode() + b"OK",
    b"/containers": LIST,
    b"/images": IMAGE,
    b"/containers/web": answered(
        {
            "Id": "c" * 64,
            "Name": "/web",
            "Image": "sha256:" + "a" * 64,
            "Config": {"Image": "web:1", "Labels": {}, "Tty": False, "User": "", "Volumes": None},
            "HostConfig": {"NetworkMode": "default", "Privileged": False, "Binds": None},
            "Mounts": [],
            "State": {"Running": True},
        }
    ),
}
"""Documents, by what was asked without method, version and `/json`."""


def serve(connection: socket.socket) -> None:
    """Answer requests, one after the other, until the client goes."""
    waiting = b""
    with connection, suppress(ConnectionError):
        while True:
            while b"\r\n\r\n" not in waiting:
                data = connection.recv(65536)
                if not data:
                    return
                waiting += data
            head, _, waiting = waiting.partition(b"\r\n\r\n")
            if head.startswith(b"POST"):
                _load(connection, head, waiting)
                waiting = b""
            elif answer := _ANSWERS.get(_ASKED.sub(b"", head.partition(b"\r\n")[0])):
                connection.sendall(answer)
            elif b"/logs?" in head:
                _follow(connection)
            else:
                _save(connection, int((_SIZE.search(head) or [b"", b"0"])[1]))


def _follow(connection: socket.socket) -> None:
    """Write a log until nobody reads it: a line of its number after the other."""
    connection.sendall(_LOG)
    number = 0
    while True:
        # As many as there are between two looks of a person, in the frames of a log.
        lines = [b"%011d\n" % each for each in range(number, number + LINES)]
        framed = b"".join(b"\1\0\0\0\0\0\0\x0c" + line for line in lines)
        connection.sendall(b"%x\r\n%b\r\n" % (len(framed), framed))
        number += LINES
        time.sleep(PAUSE)


def _save(connection: socket.socket, size: int) -> None:
    connection.sendall(_SAVING)
    whole, rest = divmod(size, MEGABYTE)
    for _ in range(whole):
        connection.sendall(_MEGABYTE)
    connection.sendall(chunked(rest) + LAST)


def _load(connection: socket.socket, head: bytes, begun: bytes) -> None:
    """Take a body of zeros to its end."""
    room = bytearray(MEGABYTE)
    view = memoryview(room)
    length = _LENGTH.search(head)
    left = int(length[1]) - len(begun) if length else 0
    tail = begun[-len(LAST) :]
    while left > 0 if length else tail != LAST:
        count = connection.recv_into(view)
        if not count:
            return
        left -= count
        tail = (tail + bytes(view[max(0, count - len(LAST)) : count]))[-len(LAST) :]
    connection.sendall(LOADED)


def main(path: str) -> None:
    """Listen for ever."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(1024)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
