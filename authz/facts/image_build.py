"""What a build is told by its query: names, networks, arguments, options.

The Dockerfile and the context are in a body that is not read here; that
says ``body.opaque``. Parameters are read as moby
api/server/router/build/build_routes.go (newImageBuildOptions) reads them.
"""

from collections.abc import Iterator, Mapping

from authz.docker.gojson import Json, Number, fold, loads
from authz.docker.gotypes import decimal
from authz.docker.request import ApiRequest
from authz.facts.endpoints import net_value
from authz.facts.facts import Fact
from authz.facts.images import image_name, written_name
from authz.facts.known import Known
from authz.facts.labels import check_labels
from authz.facts.members import table, text, unreadable
from authz.facts.namespaces import CONTAINER
from authz.facts.questions import Topic

FRONTEND = "BUILDKIT_SYNTAX"
"""The build argument that chooses the program which reads the Dockerfile."""

FALSE = frozenset({"", "0", "no", "false", "none"})
"""What the daemon's BoolValue takes for false; anything else is true."""

_BLANKS = " \t\n\v\f\r"
"""Go trims more than these, which only makes more values false."""

_PRESENT = ("cachefrom", "outputs", "session", "buildid")
"""Parameters of which it only counts whether they are there."""


def build_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Yield what the query of a build asks for."""
    for name in request.query.get("t", ()):
        yield from written_name(name, "t") if name else ()
    if request.parameter("remote"):
        yield Fact("build.remote", request.parameter("remote"))
    yield from _networks(request.parameter("networkmode"), known)
    for entry in request.query.get("extrahosts", ()):
        yield from (Fact("host.extra", part) for part in entry.split(",") if part)
    if request.parameter("cgroupparent"):
        yield Fact("build.cgroup", request.parameter("cgroupparent"))
        yield Fact("cgroup.parent", request.parameter("cgroupparent"))
    if request.parameter("shmsize"):
        yield from _shared_memory(int(request.parameter("shmsize")))
    yield from _arguments(request)
    yield from _ulimits(request)
    yield from _options(request)
    check_labels(_texts(request, "labels"), "labels")


def _networks(mode: str, known: Known) -> Iterator[Fact]:
    """Yield the network of build steps, and the one behind it where it is a container's."""
    network = net_value(mode, known)
    yield Fact("build.net", network.value, network.looked_up)
    if mode.startswith(CONTAINER):
        name = mode.removeprefix(CONTAINER).removeprefix("/")
        container = known.document(Topic.CONTAINER, name) or {}
        behind = text(table(container, "HostConfig"), "NetworkMode")
        if behind:
            yield Fact("build.net", net_value(behind, known).value, looked_up=True)


def _shared_memory(size: int) -> Iterator[Fact]:
    """Yield the size of /dev/shm that is asked for; the daemon refuses a negative one."""
    if size < 0:
        raise unreadable(f"shmsize is {size}; expected a size in bytes")
    if size:
        yield Fact("shm.size", str(size))


def _arguments(request: ApiRequest) -> Iterator[Fact]:
    """Yield build arguments by name: their values may be secrets."""
    for name, value in _table(request, "buildargs").items():
        yield Fact("build.arg", name)
        if name == FRONTEND and isinstance(value, str) and value:
            yield Fact("build.frontend", image_name(value, FRONTEND).image)


def _ulimits(request: ApiRequest) -> Iterator[Fact]:
    for limit in _list(request, "ulimits"):
        if not isinstance(limit, dict):
            raise unreadable("ulimits holds something else than objects")
        members = {fold(name): value for name, value in limit.items()}
        if len(members) < len(limit):
            raise unreadable("ulimits has members that differ in case only")
        name = members.get("name")
        if not isinstance(name, str):
            raise unreadable("ulimits has a limit without a name")
        soft, hard = (_digits(members.get(name)) for name in ("soft", "hard"))
        yield Fact("ulimit", f"{name}={soft}:{hard}")


def _options(request: ApiRequest) -> Iterator[Fact]:
    if request.parameter("squash").strip(_BLANKS).lower() not in FALSE:
        yield Fact("build.opt", "squash")
    for option in request.query.get("securityopt", ()):
        yield Fact("build.opt", f"securityopt={option}")
    for name in _PRESENT:
        if request.parameter(name) not in {"", "null", "[]"}:
            yield Fact("build.opt", name)


def _digits(value: Json) -> str:
    """Return a limit; nothing and null are 0, as in Go."""
    if value is None:
        return "0"
    if isinstance(value, Number) and decimal(value.text):
        return str(int(value.text))
    raise unreadable("ulimits has a limit that is no whole number")


def _texts(request: ApiRequest, name: str) -> Mapping[str, str]:
    return {key: value for key, value in _table(request, name).items() if isinstance(value, str)}


def _table(request: ApiRequest, name: str) -> Mapping[str, Json]:
    value = _value(request, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise unreadable(f"{name} is not a JSON object")
    return value


def _list(request: ApiRequest, name: str) -> list[Json]:
    value = _value(request, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise unreadable(f"{name} is not a JSON list")
    return value


def _value(request: ApiRequest, name: str) -> Json:
    written = request.parameter(name)
    return loads(written.encode("utf-8", "surrogatepass"), f"query.{name}") if written else None
