"""Bodies of the operations that make or change something, written in all ways.

Knows which members matter and what their values look like; does not know what
anybody makes of them. No driver is named that the daemon would look for: that
takes it 15 s. Every object of a case has names of its own, so that no
case sees another's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.differential import spelling
from tests.differential.settings import CONFIG, ENDPOINTS, HOST, RESOURCES, Maker, local_options

VERSIONS = ("1.24", "1.25", "1.30", "1.37", "1.39", "1.40", "1.41")
NEWER = tuple(f"1.{minor}" for minor in range(42, 56))

EXECUTE = "web"
"""The running container that gets execs."""

OTHER = "linux/386"
"""A platform that the image has, too, where the daemon can hold several."""

_PLATFORMS = 12
"""One create in so many names that platform."""

CHANGE = "idle"
"""The container that is updated."""

_NAMES = (
    "Privileged",
    "HostConfig",
    "hostconfig",
    "PidMode",
    "Binds",
    "CapAdd",
    "Memory",
    "Foo",
    "Config",
    "DriverOpts",
    "Options",
    "User",
    "Labels",
    "Driver",
    "Image",
    "CpuShares",
    "VolumeDriver",
    "Cpuset",
    "NetworkMode",
    "SecurityOpt",
    "Mounts",
    "",
)
"""Members that may turn up anywhere."""

_WEIGHTS: Mapping[str, int] = {
    "ContainerCreate": 46,
    "VolumeCreate": 22,
    "ContainerExec": 18,
    "ContainerUpdate": 10,
    "NetworkCreate": 4,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One request that makes something; ``name`` is the object's, ``volume`` one beside it."""

    operation: str
    target: str
    body: bytes
    name: str
    volume: str


def cases(seed: int, count: int, newest: str, oldest: str = VERSIONS[0]) -> Iterator[Case]:
    """Make so many cases, for an engine that takes these API versions."""
    random = Random(f"bodies {seed}")  # noqa: S311  a seed that repeats is what is wanted
    least, most = _number(oldest), _number(newest)
    versions = [each for each in (*VERSIONS, *NEWER) if least <= _number(each) <= most]
    kinds = random.choices(list(_WEIGHTS), [*_WEIGHTS.values()], k=count)
    for number, kind in enumerate(kinds):
        name, volume = f"d{seed}-{number}", f"v{seed}-{number}"
        document = spelling.tree(_DOCUMENTS[kind](random, name, volume))
        for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            spelling.disturb(document, random, _NAMES)
        if kind == "ContainerCreate" and random.random() < 0.08:
            _misplace(document, random)
        body = spelling.framed(spelling.text(document, random), random)
        version = "" if random.random() < 0.1 else f"/v{random.choice(versions)}"
        target = version + _TARGETS[kind].format(name)
        if kind == "ContainerCreate" and number % _PLATFORMS == 0:
            target += f"&platform={OTHER}"
        yield Case(kind, target, body, name, volume)


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _create(random: Random, name: str, volume: str) -> dict[str, Any]:
    host: dict[str, Any] = {}
    body: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"]}
    body |= _some(CONFIG, random, 0, 2, name, volume)
    host |= _some(HOST, random, 0, 4, name, volume)
    host |= _some(RESOURCES, random, 0, 1, name, volume)
    if host or random.random() < 0.5:
        body["HostConfig"] = host
    elif random.random() < 0.3:
        body["Runtime"] = random.choice(("runc", "io.containerd.runc.v2", "nope"))
    if random.random() < 0.1:
        body["NetworkingConfig"] = {"EndpointsConfig": ENDPOINTS(random, name, volume)}
    return body


def _volume(random: Random, name: str, volume: str) -> dict[str, Any]:
    body: dict[str, Any] = {"Name": name}
    if random.random() < 0.7:
        body["DriverOpts"] = local_options(random, name, volume)
    if random.random() < 0.5:
        body["Driver"] = random.choice(("local", "local", ""))
    if random.random() < 0.3:
        body["Labels"] = {"a": "b", "A": "c"}
    return body


def _exec(random: Random, _name: str, _volume: str) -> dict[str, Any]:
    body: dict[str, Any] = {"Cmd": random.choice((["id"], ["sh", "-c", "id"], "id", []))}
    for member, values in (
        ("Privileged", (True, False)),
        ("User", ("0", "root", "nobody", "1000:0", "", "+0")),
        ("Tty", (True, False)),
        ("Env", (["A=b"], [])),
        ("WorkingDir", ("/tmp", "")),  # noqa: S108  a folder of the container
        ("AttachStdout", (True,)),
        ("Detach", (True,)),
        ("DetachKeys", ("ctrl-a", "")),
        ("ConsoleSize", ([24, 80],)),
        ("Container", ("idle",)),
    ):
        if random.random() < 0.3:
            body[member] = random.choice(values)
    return body


def _update(random: Random, name: str, volume: str) -> dict[str, Any]:
    body = _some(RESOURCES, random, 1, 3, name, volume)
    if random.random() < 0.3:
        body |= _some(HOST, random, 1, 1, name, volume)
    if random.random() < 0.3:
        body["RestartPolicy"] = HOST["RestartPolicy"](random, name, volume)
    return body


def _network(random: Random, name: str, _volume: str) -> dict[str, Any]:
    body: dict[str, Any] = {"Name": name}
    for member, values in (
        ("Driver", ("bridge", "", "macvlan", "null", "host", "ipvlan", "overlay")),
        ("Internal", (True, False)),
        ("Attachable", (True, False)),
        ("Ingress", (True, False)),
        ("ConfigOnly", (True, True, False)),
        ("EnableIPv6", (True, False)),
        ("CheckDuplicate", (True, False)),
        ("Scope", ("local", "swarm", "global", "")),
        ("Options", ({"parent": "lo"}, {"com.docker.network.bridge.enable_icc": "false"}, {})),
        ("Labels", ({"a": "b"}, None)),
        (
            "IPAM",
            (
                {
                    "Config": [
                        {"Subnet": f"10.{random.randrange(256)}.{random.randrange(256)}.0/24"}
                    ]
                },
                {"Driver": "null"},
                {"Options": {"a": "b"}},
            ),
        ),
        ("ConfigFrom", ({"Network": "street"}, {"Network": ""})),
    ):
        if random.random() < 0.25:
            body[member] = random.choice(values)
    return body


def _some(  # noqa: PLR0913, PLR0917  what a maker takes, and how many are wanted
    makers: Mapping[str, Maker], random: Random, least: int, most: int, name: str, volume: str
) -> dict[str, Any]:
    wanted = random.sample(sorted(makers), random.randint(least, most))
    return {member: makers[member](random, name, volume) for member in wanted}


def _misplace(document: spelling.Members, random: Random) -> None:
    """Put members of HostConfig where old engines take them, or where nobody does."""
    host = next((part for name, part in document.pairs if name == "HostConfig"), None)
    if not isinstance(host, spelling.Members):
        return
    way = random.randrange(4)
    document.pairs += random.sample(host.pairs, min(len(host.pairs), 2))
    if way == 0:
        document.pairs = [pair for pair in document.pairs if pair[0] != "HostConfig"]
    elif way == 1:
        document.pairs = [
            (name, None if name == "HostConfig" else part) for name, part in document.pairs
        ]
    elif way == 2:
        host.pairs.clear()


_DOCUMENTS: Mapping[str, Callable[[Random, str, str], dict[str, Any]]] = {
    "ContainerCreate": _create,
    "VolumeCreate": _volume,
    "ContainerExec": _exec,
    "ContainerUpdate": _update,
    "NetworkCreate": _network,
}
_TARGETS = {
    "ContainerCreate": "/containers/create?name={}",
    "VolumeCreate": "/volumes/create",
    "ContainerExec": f"/containers/{EXECUTE}/exec",
    "ContainerUpdate": f"/containers/{CHANGE}/update",
    "NetworkCreate": "/networks/create",
}
