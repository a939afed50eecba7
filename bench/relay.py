"""A relay that passes bytes on and looks at none: what a door in Python costs at the least.

``python -m bench.relay SOCKET UPSTREAM``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One of two connections; what arrives here is written there."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember it."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        if self.other:
            self.other.write(data)

    def eof_received(self) -> bool:
        """Pass on; the other direction stays open."""
        if self.other:
            self.other.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side as well."""
        del exc
        if self.other:
            self.other.close()

    def pause_writing(self) -> None:
        """Take no more for this side."""
        if self.other:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        if self.other:
            self.other.resume_reading()


class Client(Side):
    """A client's connection, which gets one of its own to the daemon."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = upstream
        self._early = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect on."""
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def data_received(self, data: bytes) -> None:
        """Pass on, or wait for somebody to pass it to."""
        if self.other:
            self.other.write(data)
            return
        self._early += data
        if self.transport:
            self.transport.pause_reading()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_unix_connection(Side, self._upstream)
        protocol.other, self.other = self.transport, transport
        transport.write(self._early)
        if self.transport:
            self.transport.resume_reading()


async def _serve(path: str, upstream: str) -> None:
    server = await asyncio.get_running_loop().create_unix_server(lambda: Client(upstream), path)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], sys.argv[2]))
