"""A request target, where the daemon's reading is the only one.

The daemon decodes the path once, sends the client to the clean form of an
unclean one and takes any run of digits and dots for a version. Other readers
decode twice, clean first or stop at a ``#``. Only what all of them read alike
gets through: one spelling of the version, a clean path, and percent escapes
nowhere but in the names of objects.

Source: Go, src/net/url/url.go and src/net/http/request.go; gorilla/mux,
mux.go (cleanPath); moby, api/server/server.go (versionMatcher).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from authz.docker.gojson import quoted, refuse
from authz.docker.query import decode, parse_query
from authz.docker.routes import Operation, match
from authz.errors import Reason, RefusedError

Version = tuple[int, int]
Operations = tuple[Operation, ...]

OLDEST: Version = (1, 24)
"""Below it daemons take HostConfig in the body of start, and more."""

_QUERY = re.compile(r"[!\"$-~]*")
_PATH = re.compile(r"[A-Za-z0-9/._~!$&'()*+,=:@%-]+")
_VERSIONED = re.compile(r"/v(?P<version>[0-9.]+)(?P<path>/.*)", re.DOTALL)
_VERSION = re.compile(r"(?P<major>1)\.(?P<minor>0|[1-9][0-9]?)")
_LIBPOD = re.compile(r"(/v[^/]*)?/libpod(/.*)?", re.DOTALL)
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_MASK = "\0"
ASKING = frozenset({"GET", "HEAD"})
"""Methods whose requests have no body that the daemon reads."""

SHORT = 128
"""Characters of a target that is worth remembering, and that holds no secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target that was read.

    ``operations`` are those that the method and path may mean, at least one;
    ``path`` holds the decoded variables of the path and ``pairs`` the decoded
    query. ``version`` is None where the path names none.
    """

    version: Version | None
    operations: Operations
    path: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]


def read_target(method: str, target: str) -> Target:
    """Read the method and target of a request line.

    Clients ask the same few things again and again, so short targets without a
    body are read once, and short paths. Raises RefusedError: UNREADABLE_REQUEST
    for a target that is not canonical, LEGACY_FORM for an API version below
    OLDEST, UNKNOWN_ROUTE where the Engine API has no such operation.
    """
    if method in ASKING and len(target) <= SHORT:
        return _read_once(method, target)
    return _read(method, target)


def _read(method: str, target: str) -> Target:
    written, _, query = target.partition("?")
    if not _QUERY.fullmatch(query):
        # A parameter may be a secret, so the query is not shown.
        refuse("query", "has a character that no client needs there")
    read = _path_once if len(written) <= SHORT else _read_path
    version, operations, variables = read(method, written)
    return Target(version, operations, variables, parse_query(query))


def _read_path(method: str, written: str) -> tuple[Version | None, Operations, Mapping[str, str]]:
    if not written.startswith("/"):
        refuse("target", f"is {quoted(written)}; expected a path that starts with a slash")
    if not _PATH.fullmatch(written):
        refuse("path", f"{quoted(written)} has a character that no client needs there")
    path = _clean(written)
    version, below = _split(path)
    operations, variables = match(method, below)
    if not operations:
        _refuse_route(method, path)
    if "%" in written:
        _check_escapes(method, written, operations)
    return version, operations, MappingProxyType(variables)


@lru_cache(maxsize=512)
def _read_once(method: str, target: str) -> Target:
    return _read(method, target)


_path_once = lru_cache(maxsize=512)(_read_path)


def _clean(written: str) -> str:
    """Decode the path; refuse what the daemon would redirect and what no name can hold."""
    path = decode(written, "path")
    segments = path.split("/")[1:]
    if "" in segments[:-1] or "." in segments or ".." in segments:
        refuse("path", f"{quoted(written)} is not clean: it has an empty or a dot segment")
    if not path.isprintable():
        refuse("path", f"{quoted(written)} holds a character that cannot be printed")
    return path


def _split(path: str) -> tuple[Version | None, str]:
    """Tell the version from the path behind it."""
    if _LIBPOD.fullmatch(path):
        problem = f"path {quoted(path)} is of the libpod API; expected the Docker Engine API"
        raise RefusedError(Reason.UNKNOWN_ROUTE, problem)
    versioned = _VERSIONED.fullmatch(path)
    if versioned is None:
        return None, path
    written = versioned["version"]
    found = _VERSION.fullmatch(written)
    if found is None:
        refuse("API version", f"is {quoted(written)}; expected a form such as 1.41")
    version = int(found["major"]), int(found["minor"])
    if version < OLDEST:
        problem = f"API version {written} is too old; expected 1.{OLDEST[1]} or newer"
        raise RefusedError(Reason.LEGACY_FORM, problem)
    return version, versioned["path"]


def _refuse_route(method: str, path: str) -> None:
    problem = f"{quoted(method)} {quoted(path)} is no operation of the Docker Engine API"
    raise RefusedError(Reason.UNKNOWN_ROUTE, problem)


def _check_escapes(method: str, written: str, operations: Operations) -> None:
    """Refuse escapes outside of variables: without their characters the route is the same."""
    version = _VERSIONED.fullmatch(written)
    masked = _ESCAPE.sub(_MASK, version["path"] if version else written)
    if match(method, masked)[0] != operations:
        refuse("path", f"{quoted(written)} escapes a character that is no part of a name")
