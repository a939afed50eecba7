"""The plugin over its socket, next to a bare aiohttp plugin: ``python -m bench.plugin [--json]``.

``bare`` is an aiohttp application that reads a question and allows it, ``lean`` the
least that aiohttp's server can do; both run on uvloop, as Dockgate does.
``--other`` is the command of one more plugin, in which ``{folder}`` is where it
makes its socket. Each server is a process of its own, and its CPU time is what the
kernel counts for all its threads. They are asked in turns, so that the load of others
falls on all alike, and figures are medians over the turns. Everything is on: every
fact, look-ups, a record written for each decision. The daemon that answers look-ups is a
fake, whose work does not count; it does not put look-ups back to the plugin, as a real one does.
"""

from __future__ import annotations

import argparse
import base64
import json
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.asking import ask
from bench.policies import a_site
from bench.process import READY, await_socket, cpu, memory, module, started
from bench.table import document, percentile, show

REQUEST = "/AuthZPlugin.AuthZReq"
HOST = {
    "NetworkMode": "default", "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": True, "ConsoleSize": [0, 0], "CapAdd": None, "CapDrop": ["ALL"],
    "CgroupnsMode": "", "Dns": [], "IpcMode": "", "PidMode": "", "Privileged": False,
    "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, "ReadonlyRootfs": False,
    "SecurityOpt": None, "UTSMode": "", "UsernsMode": "", "ShmSize": 0, "CpuShares": 0,
    "Memory": 536870912, "NanoCpus": 1000000000, "PidsLimit": 100, "Ulimits": [], "Devices": [],
    "MaskedPaths": None, "ReadonlyPaths": None, "ContainerIDFile": "", "VolumeDriver": "",
    "LogConfig": {"Type": "", "Config": {}}, "GroupAdd": None, "OomScoreAdj": 0,
}  # fmt: skip
"""What the Docker CLI sends for an ordinary ``docker run``."""

CREATE = {
    "Hostname": "", "Domainname": "", "User": "1000", "AttachStdin": False, "AttachStdout": True,
    "AttachStderr": True, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": ["A=b"],
    "Cmd": ["sleep", "60"], "Image": "nginx:1.25", "Volumes": {}, "WorkingDir": "",
    "Entrypoint": None, "OnBuild": None, "Labels": {}, "HostConfig": HOST,
    "NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": None, "Aliases": None}}},
}  # fmt: skip
BOUND = {**CREATE, "User": "", "HostConfig": {**HOST, "Binds": ["/home/anonymous/src:/src:ro"]}}
PEOPLE = "\ng, user:anonymous, role:developer, *\n"


def question(method: str, target: str, body: object = None, *, user: str = "") -> bytes:
    """Return a call of the daemon as it is on the wire; ``user`` has a certificate."""
    headers = {"User-Agent": "Docker-Client/28.5.2 (linux)"}
    asked: dict[str, object] = {"RequestMethod": method, "RequestUri": target}
    if user:
        asked |= {"User": user, "UserAuthNMethod": "TLS"}
    if body is not None:
        text = json.dumps(body).encode()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(text))}
        asked["RequestBody"] = base64.b64encode(text).decode()
    written = json.dumps(asked | {"RequestHeaders": headers}).encode()
    head = f"POST {REQUEST} HTTP/1.1\r\nHost: \r\nContent-Length: {len(written)}\r\n\r\n"
    return head.encode() + written


DIFFERENT = 500
"""Creates of which none is like another: more than are remembered."""


def another(number: int) -> dict[str, object]:
    """Return a create with an image and limits of its own."""
    host = {**HOST, "Memory": (512 << 20) + number}
    return {**CREATE, "Image": f"nginx:1.{number}", "Env": [f"A={number}"], "HostConfig": host}


LIST = question("GET", "/v1.47/containers/json?all=1")
PING = question("GET", "/_ping")
ASKED = {
    "create": [question("POST", "/v1.47/containers/create?name=web", CREATE)],
    "create, each another": [
        question("POST", f"/v1.47/containers/create?name=web{n}", another(n))
        for n in range(DIFFERENT)
    ],
    "create, look-ups": [question("POST", "/v1.47/containers/create?name=web", BOUND)],
    "list": [LIST],
    "ping": [PING],
    "mixed": [question("POST", "/v1.47/containers/create", CREATE), *[LIST] * 4, *[PING] * 5],
}


BARE, LEAN, OTHER = "bare", "lean", "other"
AT_ONCE = (1, 4)
"""Connections that ask at once."""


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=300, help="of each kind in a turn")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--rows", type=int, nargs="+", default=(0, 1_000, 10_000))
    parser.add_argument("--long", type=int, default=0, help="requests before memory is read")
    parser.add_argument("--other", help="a command that serves a socket in {folder}, and allows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = _measured(Path(folder), options)
    if options.json:
        document(found)
        return
    _print(found)


def _print(found: list[dict[str, object]]) -> None:
    asked = [each for each in found if "asked" in each]
    yardsticks = {(each["server"], each["asked"]): each for each in asked}
    costs, times = [], []
    for each in asked:
        name = f"{each['server']}: {each['asked']}"
        row: list[object] = [name]
        for many in AT_ONCE:
            key = f"cpu_us_{many}"
            row.append(each[key])
            row += [each[key] / yardsticks[other, each["asked"]][key] for other in (BARE, LEAN)]
        costs.append(row)
        times.append([name, *(each[f"p{part}_us_{many}"] for many in AT_ONCE for part in (50, 99))])
    each_cost = ("CPU us", "times bare", "times lean")
    head = ("question", *(f"{name}, c={many}" for many in AT_ONCE for name in each_cost))
    show("CPU of the server for one question, at one and at four connections", head, costs)
    head = ("question", *(f"p{part} us, c={many}" for many in AT_ONCE for part in (50, 99)))
    show("How long an answer takes", head, times)
    rows = [
        [each["server"], each["start_cpu_s"], each["memory_mb"]]
        for each in found
        if "start_cpu_s" in each
    ]
    show("The process", ("server", "CPU s to the first answer", "MB afterwards"), rows)


def _measured(root: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    daemon = root / "daemon.sock"
    found: list[dict[str, object]] = []
    with ExitStack() as servers:
        fake = servers.enter_context(started(module("bench.fakes", "daemon", daemon)))
        await_socket(daemon, fake)
        doors: dict[str, tuple[Path, int]] = {}
        for name, path, command in _commands(root, daemon, options):
            process = servers.enter_context(started(command))
            socket = path if path.suffix else _socket_in(path)
            await_socket(socket, process)
            doors[name] = socket, process.pid
            ask(socket, [PING], 1, 1)
            found.append({"server": name, "start_cpu_s": cpu(process.pid)})
        for asked, questions in ASKED.items():
            found += _in_turns(doors, asked, questions, options)
        for process in found[: len(doors)]:
            path, pid = doors[str(process["server"])]
            if options.long:
                ask(path, ASKED["mixed"], options.long, 4)
            process["memory_mb"] = memory(pid)
    return found


def _commands(
    root: Path, daemon: Path, options: argparse.Namespace
) -> Iterator[tuple[str, Path, Sequence[str | Path]]]:
    """Give for each server its name, its socket or the folder of that, and its command."""
    for name in (BARE, LEAN):
        path = root / f"{name}.sock"
        yield name, path, module("bench.fakes", name, path)
    for rows in options.rows:
        config = _site(root / str(rows), rows, daemon)
        command = module("authz", "serve", "--config", config)
        yield f"dockgate, {rows} rows", config.parent / "plugin.sock", command
    if options.other:
        folder = root / OTHER
        folder.mkdir()
        command = [each.format(folder=folder) for each in shlex.split(options.other)]
        yield OTHER, folder, command


def _in_turns(
    doors: dict[str, tuple[Path, int]],
    asked: str,
    questions: list[bytes],
    options: argparse.Namespace,
) -> Iterator[dict[str, object]]:
    taken: dict[tuple[str, int], list[float]] = {}
    costs: dict[tuple[str, int], list[float]] = {}
    for name, (path, _) in doors.items():
        ask(path, questions, max(options.requests, len(questions)), 1)  # warms up
        for many in AT_ONCE:
            taken[name, many], costs[name, many] = [], []
    for _ in range(options.turns):
        for many in AT_ONCE:
            for name, (path, pid) in doors.items():
                used = cpu(pid)
                taken[name, many] += ask(path, questions, options.requests, many)
                costs[name, many].append((cpu(pid) - used) / options.requests * 1e6)
            # Goes on where it stopped: what was asked longest ago is no longer remembered.
            gone = options.requests % len(questions)
            questions = questions[gone:] + questions[:gone]
    for name in doors:
        one: dict[str, object] = {"server": name, "asked": asked}
        for many in AT_ONCE:
            one[f"cpu_us_{many}"] = percentile(costs[name, many], 0.5)
            one[f"p50_us_{many}"] = percentile(taken[name, many], 0.5)
            one[f"p99_us_{many}"] = percentile(taken[name, many], 0.99)
        yield one


def _site(folder: Path, rows: int, daemon: Path) -> Path:
    """Write settings and a policy: developers, and as many rows of other roles."""
    a_site(folder / "policy", rows)
    shipped = Path("policies/developer")
    with (folder / "policy" / "policy.csv").open("a") as stream:
        stream.write((shipped / "policy.csv").read_text())
        stream.write("p, role:developer, *, *, on:unknown, *, allow\n")
    with (folder / "policy" / "people.csv").open("a") as stream:
        stream.write(PEOPLE)
    config = folder / "dockgate.toml"
    config.write_text(
        f'policy = "policy"\ndaemon = "unix://{daemon}"\n'
        '[plugin]\nsocket = "plugin.sock"\n[audit]\npath = "audit.jsonl"\n'
    )
    return config


def _socket_in(folder: Path) -> Path:
    """Wait for the socket that a program makes under a name of its own."""
    ended = time.monotonic() + READY
    while time.monotonic() < ended:
        for found in folder.glob("*.sock"):
            return found
        time.sleep(0.01)
    raise SystemExit(f"nobody made a socket in {folder}")


if __name__ == "__main__":
    main()
