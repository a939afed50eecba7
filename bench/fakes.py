"""What the plugin's benchmark needs around it: bare plugins, and a daemon that answers look-ups.

``python -m bench.fakes bare|lean|daemon SOCKET``.
"""

from __future__ import annotations

import asyncio
import base64
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


async def activate(_request: web.Request) -> web.Response:
    """Say what the plugin is for."""
    return web.json_response({"Implements": ["authz"]})


async def bare(request: web.Request) -> web.Response:
    """Answer like a plugin that reads the question and its body, and allows everything.

    It is what aiohttp's documentation leads to: an application with routes.
    """
    question = await request.json()
    body = question.get("RequestBody")
    asked = json.loads(base64.b64decode(body)) if body else {}
    allowed = bool(question["RequestMethod"] and isinstance(asked, dict))
    return web.json_response({"Allow": allowed})


async def lean(request: web.BaseRequest) -> web.Response:
    """Answer with the least that aiohttp can: no application, no routes, the body left alone."""
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
    runner: web.BaseRunner[web.Request] | web.BaseRunner[web.BaseRequest]
    if what == "bare":
        application = web.Application()
        application.router.add_post("/Plugin.Activate", activate)
        application.router.add_post("/AuthZPlugin.AuthZReq", bare)
        runner = web.AppRunner(application, access_log=None)
    else:
        server = web.Server({"lean": lean, "daemon": daemon}[what], access_log=None)
        runner = web.ServerRunner(server)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], sys.argv[2]))
