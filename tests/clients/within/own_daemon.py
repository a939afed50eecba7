"""A pytest plugin for other people's suites that think that a registry is near.

Loaded by name (`-p own_daemon`) into a pytest that knows nothing of Dockgate. Before each test the
images that earlier ones removed are put back, over the daemon's own socket; a fixture that would
start Docker inside of Docker gives the daemon itself.

DOCKGATE_SOCKET names the daemon's own socket, DOCKGATE_IMAGES the images, each as NAME=KEPT.
"""

import http.client
import os
import socket
from typing import Any
from urllib.parse import urlencode

import pytest

_SOCKET = os.environ["DOCKGATE_SOCKET"]
_IMAGES = [pair.split("=") for pair in os.environ["DOCKGATE_IMAGES"].split()]
_HOST = os.environ["DOCKER_HOST"]


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> object:
    """Answer for the fixture that starts another daemon."""
    if fixturedef.argname != "dind_docker_host":
        return None
    fixturedef.cached_result = (_HOST, fixturedef.cache_key(request), None)
    return _HOST


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Put the images back."""
    for name, kept in _IMAGES:
        repository, _, tag = name.partition(":")
        query = urlencode({"repo": repository, "tag": tag})
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(_SOCKET)
        connection.request("POST", f"/images/{kept}/tag?{query}")
        connection.getresponse().read()
        connection.close()
