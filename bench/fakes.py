"""What the plugin's benchmark needs around it: a bare plugin, and a daemon that answers look-ups.

``python -m bench.fakes bare SOCKET`` and ``python -m bench.fakes daemon SOCKET``.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop
from aiohttp import web

from authz.plugin.protocol import ACTIVATION, ALLOWED

TYPE = "application/vnd.docker.plugins.v1.2+json"
INFO = {
    "ServerVersion": "28.5.2",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "DefaultRuntime": "runc",
    "LoggingDriver": "json-file",
}
IMAGE = {"Id": "sha256:" + "a" * 64, "RepoTags": ["nginx:1.25"], "Config": {"User": ""}}


async def bare(request: web.BaseRequest) -> web.Response:
    """Answer like a plugin that reads the question and allows everything."""
    if request.path == "/Plugin.Activate":
        return web.Response(body=ACTIVATION, content_type=TYPE)
    question = json.loads(await request.read())
    allowed = bool(question["RequestMethod"] and question["RequestUri"])
    return web.Response(body=ALLOWED if allowed else b"{}", content_type=TYPE)


async def daemon(request: web.BaseRequest) -> web.Response:
    """Answer like a daemon that has every image, and neither volumes nor containers."""
    if request.path.endswith("/info"):
        return web.json_response(INFO)
    if "/images/" in request.path:
        return web.json_response(IMAGE)
    return web.json_response({"message": "no such object"}, status=404)


async def _serve(what: str, path: str) -> None:
    server = web.Server({"bare": bare, "daemon": daemon}[what], access_log=None)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], sys.argv[2]))
