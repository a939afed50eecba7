"""Request lines, types and form bodies, written in all ways.

Knows what routers, decoders and parsers of queries differ about; does not know
which handler answers. The objects named are those that are there already.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from authz.docker.routes import Operation, load_operations

_LEFT_OUT = frozenset(
    {
        "Session",  # hijacked before anything is said
        "SwarmInit",  # would make a swarm of the daemon for all later cases
        "SwarmJoin",
        "ImageSearch",  # these wait for a registry
        "SystemAuth",
        "PluginPull",
        "GetPluginPrivileges",
        "DistributionInspect",
        "ContainerStats",  # waits a second for the second sample
    }
)
_RARE = frozenset({"ContainerPrune", "VolumePrune", "ImagePrune", "NetworkPrune", "BuildPrune"})
_NAMES: Mapping[str, tuple[str, ...]] = {
    "container": (
        "web",
        "web",
        "idle",
        "nobody",
        "web/db",
        "create",
        "json",
        "start",
        "web/json",
        "..web",
        "w:b@c",
        "/web",
    ),
    "image": (
        "busybox",
        "busybox:latest",
        "docker.io/library/busybox",
        "nobody",
        "json",
        "a/b/json",
        "busybox/get",
    ),
    "volume": ("shelf", "nobody", "create", "prune", "a/b"),
    "network": ("street", "host", "nobody", "create", "prune", "a/b", "street/connect"),
    "": ("4b", "nobody", "x/y", "json", "start"),
}
_QUERIES: Mapping[str, tuple[str, ...]] = {
    "ContainerList": (
        "all=1",
        "all=true&limit=1",
        "all=False",
        'filters={"name":["web"]}',
        "limit=x",
    ),
    "ContainerKill": ("signal=NOPE", "signal=0&signal=NOPE"),
    "ContainerRename": ("name=web", "name=idle", "name="),
    "ContainerLogs": ("", "stdout=1", "stdout=0", "stdout=1&tail=1", "stdout=true&since=x"),
    "ContainerTop": ("ps_args=-ef", "ps_args=-o+pid"),
    "ContainerArchive": ("path=/nope", "path=/etc/passwd", "path="),
    "ContainerArchiveInfo": ("path=/nope", "path=/etc/passwd"),
    "ContainerResize": ("h=x&w=1", "h=1&w=y"),
    "ContainerWait": ("condition=bogus",),
    "ContainerCreate": ("name=web", "name=idle", "name=-bad"),
    "ImageCommit": ("container=nobody", "container=nowhere&repo=UPPER"),
    "ImageTag": ("repo=UPPER", "repo=Upper2&tag=x"),
    "ImageCreate": ("fromImage=UPPER", "fromImage=Upper2&tag=x"),
    "ImageImport": ("fromSrc=UPPER&repo=UPPER", "fromSrc=-&repo=Upper2"),
    "ImageBuild": (
        "remote=nope://x",
        "t=UPPER",
        "remote=nope://x&dockerfile=a&dockerfile=../b",
        "dockerfile=../a&dockerfile=b",
    ),
    "ImageBuildKit": ("version=2&t=UPPER",),
    "SystemEvents": ("since=1&until=2", "since=x", 'filters={"x":1}&until=1'),
    "VolumeList": ('filters={"name":["shelf"]}', 'filters={"x":["y"]}'),
    "NetworkList": ('filters={"name":["street"]}', 'filters={"x":["y"]}'),
    "ImageList": ("all=1", 'filters={"reference":["busybox"]}'),
}
_BODIES: Mapping[str, bytes] = {
    "ContainerCreate": b'{"Image":"nobody"}',
    "ContainerExec": b'{"Cmd":[]}',
    "ContainerUpdate": b'{"RestartPolicy":{"Name":"bogus"}}',
    "VolumeCreate": b'{"Name":"-bad"}',
    "NetworkCreate": b'{"Name":"street","CheckDuplicate":true}',
    "NetworkConnect": b'{"Container":"nobody"}',
    "NetworkDisconnect": b'{"Container":"nobody"}',
    "ExecStart": b'{"Detach":true}',
}
_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/json; foo",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-8",
    "multipart/form-data; boundary=x",
    "application/json;charset=utf-8;charset=utf-8",
    "application/x-tar",
    "",
)
_PLAIN_VERSIONS = ("/v1.41", "/v1.40", "/v1.24", "")
_VERSIONS = (
    "/v1.41.0",
    "/v01.41",
    "/v1.041",
    "/V1.41",
    "/v1.41.",
    "/v.1.41",
    "/v1",
    "/v9.99",
    "/v1.23",
    "/v1.12",
    "/v1.41/v1.41",
    "/v1..41",
    "/v",
    "/v1.4%31",
    "/v1.45",
)
_INTO_PATH = (
    "//",
    "/./",
    "/../",
    "%2f",
    "%2F",
    "%2e",
    "%00",
    "%0a",
    "%25",
    "%",
    "%zz",
    "#",
    ";",
    "\\",
    " ",
    "é",
    "%c3%a9",
    "%ff",
    "?",
    "/",
    "%252f",
    "&",
    "=",
    "+",
    "*",
    "~",
)
_INTO_QUERY = (
    ";",
    "&",
    "&&",
    "=",
    "%",
    "%zz",
    "%3B",
    "+",
    "%20",
    "#",
    "?",
    "&a",
    "&=b",
    "%00",
    "%ff",
    "&name=evil",
    "&signal=EVIL",
    "&repo=EVIL",
    "&path=/evil",
    "é",
    "%26",
    "&all=0",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One request that is told apart by its answer."""

    method: str
    target: str
    kind: str | None
    body: bytes


def cases(seed: int, count: int, newest: str) -> Iterator[Line]:
    """Make so many request lines; ``newest`` is the engine's API version."""
    random = Random(f"targets {seed}")  # noqa: S311  a seed that repeats is what is wanted
    rows = [
        row
        for row in load_operations()
        if row.method != "GRPC" and row.path != "*" and row.name not in _LEFT_OUT
    ]
    weights = [0.2 if row.name in _RARE else 3 if row.name in _QUERIES else 1 for row in rows]
    for row in random.choices(rows, weights, k=count):
        yield _line(row, random, newest)


def _line(row: Operation, random: Random, newest: str) -> Line:
    odd = random.random() < 0.15
    version = random.choice(_VERSIONS if odd else (*_PLAIN_VERSIONS, f"/v{newest}"))
    if row.name == "ContainerWait":  # below 1.30 the daemon waits, whatever the condition
        version = f"/v{newest}"
    path, query = version + _path(row, random), _query(row, random)
    if random.random() < 0.2:
        path = _disturbed(path, _INTO_PATH, random)
    if random.random() < 0.2:
        path = _escaped(path, random)
    if random.random() < 0.25:
        query = _disturbed(query, _INTO_QUERY, random)
    target = f"{path}?{query}" if query or random.random() < 0.1 else path
    if random.random() < 0.02:
        target = random.choice(("http://docker", "docker", "", "//docker")) + target
    method = row.method
    if random.random() < 0.04:
        method = random.choice(("GET", "POST", "PUT", "HEAD", "DELETE", "post", "OPTIONS", "PATCH"))
    return Line(method, target, *_content(row, random))


def _path(row: Operation, random: Random) -> str:
    names = _NAMES.get(row.object, _NAMES[""])
    return re.sub(r"{\w+}", lambda _: _written(random.choice(names), random), row.path)


def _written(name: str, random: Random) -> str:
    """Write a name as clients do, or as only an attacker would."""
    way = random.randrange(8)
    if way == 0:
        return quote(name, safe="")
    if way == 1:
        return "".join(f"%{ord(letter):02x}" for letter in name)
    if way == 2:
        return quote(quote(name, safe=""), safe="")
    return name


def _query(row: Operation, random: Random) -> str:
    query = random.choice(_QUERIES.get(row.name, ("",)))
    if row.variant and row.variant.partition("=")[0] not in query:
        query = row.variant if "=" in row.variant else f"{row.variant}=x"
    if "{" in query and random.random() < 0.7:
        query = quote(query, safe="=&")
    return query


def _disturbed(text: str, pieces: tuple[str, ...], random: Random) -> str:
    for _ in range(random.choice((1, 1, 2))):
        place = random.randrange(len(text) + 1)
        text = text[:place] + random.choice(pieces) + text[place:]
    return text


def _escaped(path: str, random: Random) -> str:
    place = random.randrange(len(path))
    if path[place] == "%":
        return path
    escape = "".join(f"%{byte:02x}" for byte in path[place].encode())
    return path[:place] + (escape if random.random() < 0.5 else escape.upper()) + path[place + 1 :]


def _content(row: Operation, random: Random) -> tuple[str | None, bytes]:
    """Make a type and a body: the operation's own, a form, or none."""
    body = _BODIES.get(row.name, random.choice((b"", b"", b"", b"{}", b"null")))
    if row.method not in {"POST", "PUT"} or random.random() < 0.1:
        return None, b""
    if random.random() < 0.1:
        form = random.choice(
            (b"name=evil&signal=EVIL&repo=EVIL&fromImage=EVIL&t=EVIL", b"a=b", b";")
        )
        return random.choice(_TYPES), form
    return ("application/json" if random.random() < 0.85 else random.choice(_TYPES)), body
