"""One request line put to our reader and to the daemon, and who answered it.

What we read is written anew in the plainest way there is. If the daemon answers
both alike, it read the first as we did: same handler, same name, same
parameters. Its own words about missing objects say which name it decoded.
"""

import json
import re
from typing import Any
from urllib.parse import quote

from authz.docker.request import ApiRequest
from tests.differential.reading import parse
from tests.differential.stage import Stage
from tests.differential.targets import Line
from tests.differential.trial import Outcome
from tests.differential.wire import Answer, glimpse, written

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_MADE = range(200, 300)
_MASKS = (
    (re.compile(r"[0-9a-f]{12,64}"), "<id>"),
    (re.compile(r"\d+\.\d+(\.\d+)*|\d{4,}"), "<number>"),
    (re.compile(r"/v1\.\d+/"), "/"),
)
_MISSING = (
    re.compile(r"^No such container: (?P<name>.*)$", re.DOTALL),
    re.compile(r"^No such image: (?P<name>.*)$", re.DOTALL),
    re.compile(r"^get (?P<name>.*): no such volume$", re.DOTALL),
    re.compile(r"^network (?P<name>.*) not found$", re.DOTALL),
    re.compile(r"^No such exec instance: (?P<name>.*)$", re.DOTALL),
)
_TELLING = ("Id", "ID", "Name", "Names", "RepoTags", "Titles", "ApiVersion")
_SHAPES: dict[str, set[str]] = {
    "ContainerInspect": {"HostConfig", "NetworkSettings"},
    "ContainerTop": {"Titles"},
    "VolumeInspect": {"Mountpoint"},
    "VolumeList": {"Volumes"},
    "NetworkInspect": {"IPAM"},
    "ImageInspect": {"RootFS"},
    "SystemInfo": {"ServerVersion"},
    "SystemVersion": {"ApiVersion"},
    "SystemDataUsage": {"LayersSize"},
    "ContainerPrune": {"ContainersDeleted"},
    "VolumePrune": {"VolumesDeleted"},
    "NetworkPrune": {"NetworksDeleted"},
    "ImagePrune": {"ImagesDeleted"},
}
"""Members that only this operation's document has."""


class Routes:
    """Puts request lines to one daemon, one after the other: they may change it."""

    connections = 1

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def run(self, line: Line) -> Outcome:
        """Read, send, send again as we read it, and compare."""
        headers = [("Content-Type", line.kind)] if line.kind is not None and line.body else []
        reading = parse(line.method, line.target, headers, line.body)
        first = self._send(line.method, line.target, line.body, line.kind)
        served = first.status not in {0, 301, 404, 405} or "page not found" not in first.message
        if reading.request is None:
            return Outcome(served and first.status in _MADE, refused=True)
        differences = self._compare(line, reading.request, first)
        if differences:  # something may have changed meanwhile: only what happens twice counts
            self._stage.restore()
            again = self._send(line.method, line.target, line.body, line.kind)
            differences = self._compare(line, reading.request, again)
        return Outcome(first.status in _MADE, refused=False, differences=tuple(differences))

    def close(self) -> None:
        """Keep nothing open."""

    def _compare(self, line: Line, request: ApiRequest, first: Answer) -> list[str]:
        plain = rewritten(request)
        second = self._send(request.operation.method, plain, line.body, line.kind)
        found = []
        if signature(first) != signature(second):
            found.append(f"{signature(first)} became {signature(second)} as {plain}")
        for pattern in _MISSING:
            missing = pattern.match(first.message)
            if missing and missing["name"] not in _named(request):
                found.append(f"the daemon misses {missing['name']!r}, we read {dict(request.path)}")
        document = first.json()
        wanted = _SHAPES.get(request.operation.name, set())
        if first.status in _MADE and isinstance(document, dict) and not wanted <= document.keys():
            found.append(f"{request.operation.name} does not answer {sorted(document)}")
        return found

    def _send(self, method: str, target: str, body: bytes, kind: str | None) -> Answer:
        request = written(method, target, body, kind)
        answer = glimpse(self._stage.daemon.socket, request, method)
        if answer.status in _MADE and method not in _READING:
            self._stage.restore()
        return answer


def rewritten(request: ApiRequest) -> str:
    """Write a request's target in the plainest way."""
    path = request.operation.path
    for name, value in request.path.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="/"))
    version = "/v{}.{}".format(*request.version) if request.version else ""
    pairs = [(name, value) for name, values in request.query.items() for value in values]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return f"{version}{path}" + (f"?{query}" if query else "")


def signature(answer: Answer) -> tuple[Any, ...]:
    """Return what stays the same when one handler answers the same request twice."""
    document = answer.json()
    if answer.message:
        return answer.status, _masked(answer.message)
    if isinstance(document, dict):
        telling = [json.dumps(document.get(name)) for name in _TELLING]
        return answer.status, *sorted(document), *telling
    if isinstance(document, list):
        names = sorted(
            json.dumps([each.get(name) for name in _TELLING]) if isinstance(each, dict) else ""
            for each in document
        )
        return answer.status, "list", *names
    return answer.status, answer.kind


def _masked(message: str) -> str:
    for pattern, mask in _MASKS:
        message = pattern.sub(mask, message)
    return message


def _named(request: ApiRequest) -> set[str]:
    """Return every name that the daemon may miss: the path's, the query's, the body's."""
    names = {value.removeprefix("/") for value in request.path.values()} | set(
        request.path.values()
    )
    for values in request.query.values():
        names |= set(values)
    body = request.body or {}
    names |= {str(body.get(member, "")) for member in ("Container", "Image")}
    names |= {name.removeprefix("docker.io/") for name in names}
    return names | {f"{name}:latest" for name in names}
