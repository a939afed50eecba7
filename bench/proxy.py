"""The proxy next to HAProxy and to a bare relay, in one run: ``python -m bench.proxy [--json]``.

All three stand before the same scripted daemon, which answers at once. A list is measured by the
CPU time of the proxy's process for one request, a stream of a gigabyte by its throughput as well,
both ways: an image that is saved, and one that is loaded. Everything is on in ours: the peer's
identity, every fact, a policy, a record for each decision. HAProxy is Debian's
(``apt-get install haproxy``), in its http mode with one thread and without a log; ``--haproxy``
names another program, and ``--other`` the command of one more. A stream goes over TLS with a
client's certificate as well, which the bare relay and the other do not speak. They take turns, and
what is shown is the best of the rounds: what else the machine does makes some of them slower, and
none faster.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import shutil
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from bench.policies import a_site
from bench.process import await_socket, cpu, memory, module, peak, started
from bench.table import document, percentile, show
from bench.upstream import LAST, MEGABYTE, chunked

LIST = b"GET /v1.47/containers/json?all=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.5.2 (linux)\r\n\r\n"  # noqa: E501  one head
SAVE = (
    "GET /v1.47/images/get?names=zeros{} HTTP/1.1\r\nHost: docker\r\n"
    "User-Agent: Docker-Client/28.5.2 (linux)\r\n\r\n"
)
LOAD = (
    b"POST /v1.47/images/load?quiet=1 HTTP/1.1\r\nHost: docker\r\n"
    b"User-Agent: Docker-Client/28.5.2 (linux)\r\nContent-Type: application/x-tar\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
OURS, THEIRS, BARE, OTHER = "dockgate", "haproxy", "relay", "other"
HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
frontend door
    bind unix@{listen}
{secured}
    default_backend docker
backend docker
    http-reuse always
    server docker unix@{upstream}
"""
WARM = 300
PATIENCE = 20.0
"""Seconds in which some bytes of a stream have to go."""


@dataclass(frozen=True, slots=True)
class Door:
    """One of them, as it runs. ``port`` is where it speaks TLS, 0 for nowhere."""

    name: str
    path: Path
    pid: int
    port: int = 0


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=4_000, help="lists of each round")
    parser.add_argument("--megabytes", type=int, default=1024, help="of a stream")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=0, help="further rows of the policy")
    parser.add_argument("--haproxy", default=shutil.which("haproxy"), help="the program")
    parser.add_argument(
        "--other", help="a command that serves {listen} before {daemon}, to be measured as well"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dgb-") as folder, ExitStack() as stack:
        root = Path(folder)
        files = Files(root)
        doors = list(_doors(root, options, stack, files))
        found = {
            "list": asyncio.run(_lists(doors, options)),
            "streams": _streams(doors, options, files.client),
        }
    if options.json:
        document(found)
        return
    _print(found)


def _print(found: dict[str, list[dict[str, object]]]) -> None:
    for title, keys in (("list", ("cpu_us", "p50_us", "p99_us")), ("streams", _STREAM_KEYS)):
        rows = []
        for each in found[title]:
            numbers = [each[key] for key in keys]
            rows.append([each["asked"], each["door"], *numbers, *_ratios(found[title], each, keys)])
        head = ("asked", "door", *keys, f"{keys[0]} to haproxy", f"{keys[0]} to relay")
        show(title, head, rows)


_STREAM_KEYS = ("mb_s", "cpu_s_gb", "mb", "peak_mb")


def _ratios(
    found: list[dict[str, object]], one: dict[str, object], keys: tuple[str, ...]
) -> list[float | None]:
    """Return the first figure of one door as times those of the other two."""
    same = {each["door"]: each[keys[0]] for each in found if each["asked"] == one["asked"]}
    return [one[keys[0]] / same[name] if name in same else None for name in (THEIRS, BARE)]


class Files:
    """An authority, and what a server and a client need of it."""

    def __init__(self, root: Path) -> None:
        authority = trustme.CA()
        self.ca, self.pair, self.key = (root / name for name in ("ca.pem", "pair.pem", "key.pem"))
        authority.cert_pem.write_to_path(self.ca)
        server = authority.issue_cert("localhost")
        server.private_key_and_cert_chain_pem.write_to_path(self.pair)
        server.private_key_pem.write_to_path(self.key)
        mine = root / "mine.pem"
        issued = authority.issue_cert("client@example.com", common_name="root")
        issued.private_key_and_cert_chain_pem.write_to_path(mine)
        self.client = ssl.create_default_context(cafile=str(self.ca))
        self.client.load_cert_chain(mine)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _doors(
    root: Path, options: argparse.Namespace, stack: ExitStack, files: Files
) -> Iterator[Door]:
    daemon = root / "daemon.sock"
    await_socket(daemon, stack.enter_context(started(module("bench.upstream", daemon))))
    commands = {BARE: module("bench.relay", root / BARE, daemon)}
    ports = {BARE: 0, THEIRS: _free_port(), OURS: _free_port()}
    if options.haproxy:
        settings = root / "haproxy.cfg"
        tls = f"    bind 127.0.0.1:{ports[THEIRS]} ssl crt {files.pair} ca-file {files.ca}"
        settings.write_text(
            HAPROXY.format(listen=root / THEIRS, upstream=daemon, secured=f"{tls} verify required")
        )
        commands[THEIRS] = [options.haproxy, "-db", "-f", settings]
    if options.other:
        wanted = {"listen": root / OTHER, "daemon": daemon}
        commands[OTHER] = [each.format(**wanted) for each in shlex.split(options.other)]
    site = a_gate(root, daemon, root / OURS, options.rows)
    with site.open("a") as stream:
        stream.write(
            f'[[proxy.listen]]\naddress = "tcp://127.0.0.1:{ports[OURS]}"\n'
            f'identity = ["certificate"]\ntls = {{ certificate = "{files.pair}", '
            f'key = "{files.key}", client_ca = ["{files.ca}"] }}\n'
        )
    commands[OURS] = module("authz", "serve", "--config", site)
    for name, command in commands.items():
        process = stack.enter_context(started(command))
        await_socket(root / name, process)
        yield Door(name, root / name, process.pid, ports.get(name, 0))


def a_gate(root: Path, daemon: Path, listen: Path, rows: int = 0) -> Path:
    """Write settings and a policy for the proxy: root may do everything. Returns the settings."""
    a_site(root / "policy", rows)
    shipped = Path("policies/admin/policy.csv").read_text().splitlines()
    with (root / "policy" / "policy.csv").open("a") as stream:
        stream.writelines(f"{row}\n" for row in shipped if row.startswith("p, role:admin,"))
    with (root / "policy" / "people.csv").open("a") as stream:
        stream.write("\ng, user:root, role:admin, *\ng, cert:root, role:admin, *\n")
    settings = root / "dockgate.toml"
    settings.write_text(
        f'policy = "policy"\ndaemon = "unix://{daemon}"\n'
        f'[[proxy.listen]]\naddress = "unix://{listen}"\nidentity = ["peer"]\n'
        f'[audit]\npath = "audit.jsonl"\n'
    )
    return settings


async def _lists(doors: list[Door], options: argparse.Namespace) -> list[dict[str, object]]:
    found: dict[tuple[str, int], list[tuple[float, list[float]]]] = {}
    for door in doors:
        await _asked(door.path, WARM, 4)
    for _ in range(options.rounds):
        for connections in (1, 4):
            for door in doors:
                used = cpu(door.pid)
                taken = await _asked(door.path, options.requests, connections)
                cost = (cpu(door.pid) - used) / options.requests * 1e6
                found.setdefault((door.name, connections), []).append((cost, taken))
    return [
        {
            "door": name,
            "asked": f"list, c={connections}",
            "cpu_us": min(cost for cost, _ in rounds),
            "p50_us": min(percentile(taken, 0.5) for _, taken in rounds),
            "p99_us": min(percentile(taken, 0.99) for _, taken in rounds),
        }
        for (name, connections), rounds in found.items()
    ]


async def _asked(path: Path, count: int, connections: int) -> list[float]:
    """Ask for so many lists over so many connections; return microseconds of each."""
    shares = [count // connections] * connections
    taken = await asyncio.gather(*(_connection(path, share) for share in shares))
    return [each for one in taken for each in one]


async def _connection(path: Path, count: int) -> list[float]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    taken = []
    for _ in range(count):
        began = time.perf_counter_ns()
        writer.write(LIST)
        answer = await reader.readuntil(LAST)
        taken.append((time.perf_counter_ns() - began) / 1e3)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"the benchmark expects a list: {answer[:300]!r}")
    writer.close()
    await writer.wait_closed()
    return taken


def _streams(
    doors: list[Door], options: argparse.Namespace, client: ssl.SSLContext
) -> list[dict[str, object]]:
    size = options.megabytes * MEGABYTE
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    before = {door.name: memory(door.pid) for door in doors}
    kinds = [
        (asked, stream, tls)
        for tls in (None, client)
        for asked, stream in (("save", save), ("load", load))
    ]
    for _ in range(options.rounds):
        for asked, stream, tls in kinds:
            for door in doors:
                if tls is None or door.port:
                    name = f"{asked}, TLS" if tls else asked
                    if (taken := _timed(door, stream, size, tls)) is not None:
                        found.setdefault((door.name, name), []).append(taken)
    peaks = {door.name: peak(door.pid) for door in doors}
    return [
        {
            "door": name,
            "asked": asked,
            "mb_s": size / 1e6 / min(seconds for seconds, _ in rounds),
            "cpu_s_gb": min(used for _, used in rounds) / (size / 1e9),
            "mb": before[name],
            "peak_mb": peaks[name],
        }
        for (name, asked), rounds in found.items()
    ]


def _timed(
    door: Door,
    stream: Callable[[socket.socket, int], None],
    size: int,
    tls: ssl.SSLContext | None,
) -> tuple[float, float] | None:
    """Return seconds and CPU seconds; None for a stream of another's that stopped midway.

    HAProxy 2.6 was seen to: a load over TLS, one in some dozens.
    """
    with secured(door.port, tls) if tls else connected(door.path) as connection:
        began, used = time.perf_counter(), cpu(door.pid)
        try:
            stream(connection, size)
        except TimeoutError:
            if door.name == OURS:
                raise
            print(f"{door.name}: a stream stopped midway, and is left out", file=sys.stderr)
            return None
        return time.perf_counter() - began, cpu(door.pid) - used


@contextmanager
def secured(port: int, tls: ssl.SSLContext) -> Iterator[socket.socket]:
    """Connect to a door over TLS."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """Connect to a door."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        yield connection


def save(connection: socket.socket, size: int, *, wait: float = 0) -> None:
    """Take an image of so many bytes, beginning after a wait."""
    connection.sendall(SAVE.format(size).encode())
    time.sleep(wait)
    room = bytearray(MEGABYTE)
    view = memoryview(room)
    count, tail = 0, b""
    while tail != LAST:
        got = connection.recv_into(view)
        if not got or (not count and not room.startswith(b"HTTP/1.1 200 ")):
            raise SystemExit(f"the benchmark expects an image: {bytes(room[:300])!r}")
        count += got
        tail = (tail + bytes(view[max(0, got - len(LAST)) : got]))[-len(LAST) :]
    if count < size:
        raise SystemExit(f"the image has {count} bytes; expected {size} and more")


def load(connection: socket.socket, size: int) -> None:
    """Send an image of so many bytes."""
    connection.sendall(LOAD)
    megabyte = chunked(MEGABYTE)
    for _ in range(size // MEGABYTE):
        connection.sendall(megabyte)
    connection.sendall(LAST)
    answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"the benchmark expects an answer: {answer[:300]!r}")


if __name__ == "__main__":
    main()
