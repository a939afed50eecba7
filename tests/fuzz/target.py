"""Any text as a request line: what is accepted is what a router sees that decodes once.

Knows what must hold of ``authz.docker.target`` for every input; knows no fuzzer.
"""
# ruff: noqa: PT017  a fuzzer has no pytest

import posixpath
import re
from urllib.parse import quote, unquote_to_bytes

from authz.docker.target import OLDEST, Target, read_target
from authz.errors import Reason, RefusedError

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "GRPC", "post", "")
REASONS = {Reason.UNREADABLE_REQUEST, Reason.UNKNOWN_ROUTE, Reason.LEGACY_FORM}

_VERSION = re.compile(r"/v([0-9.]+)(/.*)", re.DOTALL)
"""The daemon's own grammar (moby api/server/server.go)."""


def check(data: bytes) -> None:
    """Read a method (the first byte) and a target (the others)."""
    method = METHODS[data[0] % len(METHODS)] if data else ""
    target = data[1:].decode("utf-8", "surrogateescape")
    try:
        read = read_target(method, target)
    except RefusedError as refusal:
        assert refusal.reason in REASONS
        assert refusal.detail.isprintable()
        return
    _check_route(method, target, read)
    assert read_target(method, rewritten(read)) == read


def _check_route(method: str, target: str, read: Target) -> None:
    """Compare with a reading that knows nothing but Go's rules."""
    path = unquote_to_bytes(target.partition("?")[0]).decode()
    trailing = "/" if path.endswith("/") and path != "/" else ""
    assert posixpath.normpath(path) + trailing == path
    found = _VERSION.fullmatch(path)
    below = found[2] if found else path
    assert read.operations
    assert all(operation.method == method for operation in read.operations)
    if found:
        assert read.version is not None
        assert read.version >= OLDEST
        assert found[1] == "{}.{}".format(*read.version)
    assert _filled(read, read.path) == below


def rewritten(read: Target) -> str:
    """Write a target that was read in the one spelling of all its parts."""
    path = _filled(read, {name: quote(value, safe="/") for name, value in read.path.items()})
    version = "/v{}.{}".format(*read.version) if read.version else ""
    query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in read.pairs
    )
    return f"{version}{path}?{query}"


def _filled(read: Target, values: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: values[found[1]], read.operations[0].path)
