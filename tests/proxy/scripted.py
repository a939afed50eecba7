"""A proxy on real sockets before a daemon that does what its script says."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from authz.audit.record import Mode
from authz.identity.chain import Method, anonymous
from authz.lookups.lookup_pass import KEY_BYTES, Passes
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.proxy.evidence import Accounts
from authz.proxy.listener import Listener, ProxyServer, Shared
from authz.proxy.outcome import Outcome
from authz.proxy.upstream import Daemon
from authz.runner import Entrance, Parts, Runner
from tests.fakes import ScriptedLookups, ScriptedSink
from tests.policies import a_bundle

ROWS = (
    "p, *, *, *, **, *, allow\n"
    "p, *, *, *, body.opaque:**|on:unknown|image.name:unknown, *, allow\n"
    "p, *, *, *, privileged:true, *, deny\n"
    "p, user:root, *, system.version, on:host, *, deny\n"
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ScriptedDaemon:
    """Remembers every byte of every connection, and runs a script for each."""

    script: Script
    path: Path
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self.writers.append(writer)
        try:
            await self.script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        """Read one head."""
        found = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(found)
        return found


@dataclass
class Stage:
    """A proxy, the daemon behind it, and what was recorded."""

    daemon: ScriptedDaemon
    server: ProxyServer
    address: Path | tuple[str, int]
    sink: ScriptedSink
    metrics: Metrics
    policy: CurrentPolicy
    bundle: Path
    outcomes: list[Outcome]
    shared: Shared

    async def connect(self, tls: ssl.SSLContext | None = None) -> Stream:
        """Connect as a client."""
        if isinstance(self.address, Path):
            return await asyncio.open_unix_connection(str(self.address))
        host, port = self.address
        name = "localhost" if tls else None
        return await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)

    async def ask(self, request: bytes) -> bytes:
        """Send these bytes, and return all that comes back until the proxy closes."""
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer


def answering(answer: bytes = OK) -> Callable[[ScriptedDaemon], Script]:
    """Return a script that answers every request without a body."""

    def made(daemon: ScriptedDaemon) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await daemon.head(reader)
                writer.write(answer)

        return script

    return made


@asynccontextmanager
async def a_stage(  # noqa: PLR0913  one keyword for each part
    folder: Path,
    script: Callable[[ScriptedDaemon], Script] | None = None,
    *,
    methods: tuple[Method, ...] = (anonymous,),
    tls: ssl.SSLContext | None = None,
    tcp: bool = False,
    lookups: ScriptedLookups | None = None,
    max_body: int = 1000,
    filters: bool = False,
    rows: str = ROWS,
    mode: Mode = Mode.ENFORCE,
):
    """Run it."""

    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer

    async with AsyncExitStack() as stack:
        daemon = ScriptedDaemon(nothing, folder / "d.sock")
        daemon.script = (script or answering())(daemon)
        upstream = await asyncio.start_unix_server(daemon.serve, daemon.path)
        stack.push_async_callback(_close, upstream, daemon)
        bundle = a_bundle(folder / "policy", policy=rows, people="")
        policy = CurrentPolicy(str(bundle))
        sink, metrics = ScriptedSink(), Metrics()
        runner = Runner(
            Parts(
                methods=(),
                policy=policy,
                lookups=lookups or ScriptedLookups(),
                passes=Passes(b"k" * KEY_BYTES),
                sink=sink,
                metrics=metrics,
                mode=mode,
            )
        )
        stack.callback(runner.close)
        sock, address = _listening(folder, tcp=tcp)
        stack.callback(sock.close)
        link = Daemon(f"unix://{daemon.path}")
        stack.callback(link.close)
        outcomes: list[Outcome] = []
        shared = Shared(
            runner, link, metrics, Accounts(), max_body, lambda _: (), ended=outcomes.append
        )
        secured = (lambda: tls) if tls else None
        listener = Listener(sock, "test", Entrance(methods, policy), secured, filters)
        server = ProxyServer(listener, shared)
        await server.start()
        stack.push_async_callback(server.close)
        yield Stage(daemon, server, address, sink, metrics, policy, bundle, outcomes, shared)


def _listening(folder: Path, *, tcp: bool) -> tuple[socket.socket, Path | tuple[str, int]]:
    if tcp:
        sock = socket.create_server(("127.0.0.1", 0))
        return sock, sock.getsockname()
    sock = socket.socket(socket.AF_UNIX)
    path = folder / "p.sock"
    sock.bind(os.fspath(path))
    sock.listen()
    return sock, path


async def _close(server: asyncio.Server, daemon: ScriptedDaemon) -> None:
    server.close()
    for writer in daemon.writers:
        writer.close()
    await asyncio.sleep(0)
