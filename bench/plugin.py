"""The plugin over its socket, next to a bare aiohttp plugin: ``python -m bench.plugin [--json]``.

Each server is a process of its own, and its CPU time is what the kernel counts
for all its threads. Everything is on: every fact, look-ups, a record written
for each decision. The daemon that answers look-ups is a fake, whose work does
not count; it does not put look-ups back to the plugin, as a real one does.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.policies import a_site
from bench.process import memory
from bench.table import document, percentile, show

READY = 20.0
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


def question(method: str, target: str, body: object = None) -> bytes:
    """Return a call of the daemon as it is on the wire."""
    headers = {"User-Agent": "Docker-Client/28.5.2 (linux)"}
    asked: dict[str, object] = {"RequestMethod": method, "RequestUri": target}
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


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--requests", type=int, default=3_000, help="of each kind")
    parser.add_argument("--rows", type=int, nargs="+", default=(0, 1_000, 10_000))
    parser.add_argument("--long", type=int, default=0, help="requests before memory is read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(_measured(Path(folder), options))
    if options.json:
        document(found)
        return
    _print(found)


def _print(found: list[dict[str, object]]) -> None:
    bare = {each["asked"]: each for each in found if each["server"] == "bare" and "asked" in each}
    rows = []
    for each in found:
        if "cpu_us" not in each:
            continue
        yardstick = bare[each["asked"]]["cpu_us"]
        ratio = each["cpu_us"] / yardstick if each["server"] != "bare" else None
        keys = ("cpu_us", "p50_us", "p99_us", "p50_us_4", "p99_us_4")
        rows.append([f"{each['server']}: {each['asked']}", *(each[k] for k in keys), ratio])
    head = ("question", "CPU us", "p50 us", "p99 us", "p50 us, c=4", "p99 us, c=4", "times bare")
    show("One question (CPU of the server; latency at one and at four connections)", head, rows)
    rows = [
        [each["server"], each["start_cpu_s"], each["memory_mb"]]
        for each in found
        if "start_cpu_s" in each
    ]
    show("The process", ("server", "CPU s to the first answer", "MB afterwards"), rows)


async def _measured(root: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    daemon = root / "daemon.sock"
    found: list[dict[str, object]] = []
    with _started("bench.fakes", "daemon", str(daemon)):
        await _until(daemon)
        bare = root / "bare.sock"
        with _started("bench.fakes", "bare", str(bare)) as process:
            found += await _server("bare", bare, process.pid, options)
        for rows in options.rows:
            folder = root / str(rows)
            config = _site(folder, rows, daemon)
            with _started("authz", "serve", "--config", str(config)) as process:
                name = f"dockgate, {rows} rows"
                found += await _server(name, folder / "plugin.sock", process.pid, options)
    return found


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


@contextmanager
def _started(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", module, *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:  # noqa: S603  ourselves
        try:
            yield process
        finally:
            process.terminate()


async def _server(
    name: str, path: Path, pid: int, options: argparse.Namespace
) -> list[dict[str, object]]:
    await _until(path)
    first = await _asked(path, [PING], 1, 1)
    process: dict[str, object] = {"server": name, "start_cpu_s": _cpu(pid), "first_us": first[0]}
    found = [process]
    for asked, questions in ASKED.items():
        await _asked(path, questions, 200, 1)
        used = _cpu(pid)
        alone = await _asked(path, questions, options.requests, 1)
        cost = (_cpu(pid) - used) / options.requests * 1e6
        four = await _asked(path, questions, options.requests, 4)
        found.append(
            {
                "server": name,
                "asked": asked,
                "cpu_us": cost,
                "p50_us": percentile(alone, 0.5),
                "p99_us": percentile(alone, 0.99),
                "p50_us_4": percentile(four, 0.5),
                "p99_us_4": percentile(four, 0.99),
            }
        )
    if options.long:
        await _asked(path, ASKED["mixed"], options.long, 4)
    process["memory_mb"] = memory(pid)
    return found


async def _asked(path: Path, questions: list[bytes], count: int, connections: int) -> list[float]:
    """Put so many questions over so many connections; return microseconds of each."""
    shares = [count // connections] * connections
    taken = await asyncio.gather(*(_connection(path, questions, share) for share in shares))
    return [each for one in taken for each in one]


async def _connection(path: Path, questions: list[bytes], count: int) -> list[float]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    taken = []
    for number in range(count):
        began = time.perf_counter_ns()
        writer.write(questions[number % len(questions)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        answer = json.loads(await reader.readexactly(length))
        taken.append((time.perf_counter_ns() - began) / 1e3)
        if not answer.get("Allow"):
            raise SystemExit(f"the benchmark expects an allow: {answer}")
    writer.close()
    await writer.wait_closed()
    return taken


async def _until(path: Path) -> None:
    """Wait for a server that takes connections: a path is there a moment before that."""
    ended = time.monotonic() + READY
    while time.monotonic() < ended:
        try:
            _, writer = await asyncio.open_unix_connection(str(path))
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
    raise SystemExit(f"{path} does not answer")


def _cpu(pid: int) -> float:
    """Return seconds on a processor of all threads, to the nanosecond (proc(5), schedstat)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


if __name__ == "__main__":
    main()
