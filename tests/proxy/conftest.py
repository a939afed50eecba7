"""Everything on sockets is tested on both event loops: asyncio's own, and the one that serves."""

import asyncio

import uvloop


def pytest_asyncio_loop_factories():
    """Name the makers of loops; each asynchronous test runs once on each."""
    return {"own": asyncio.new_event_loop, "uv": uvloop.new_event_loop}
