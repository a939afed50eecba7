"""The long form of test_proxy.py: what goes through the proxy again and again, and by the gigabyte.

    python -m tests.e2e.transparency [--engine 26.1] [--repetitions 100] [--megabytes 1024]

As root, with the engines of engines.py. Over a unix socket, over TLS with a client's certificate
and over TLS with a token: `echo hi | docker run -i` and an exec with three megabytes both ways, so
many times without a loss; an image of so many megabytes, of which what is saved directly and
through the proxy has the same files, and which is the same once it was removed and loaded through
the proxy; `save | load` with the proxy at both ends. Prints a line for each, and ends with 1 at the
first difference.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import trustme

from tests.e2e import engines, images
from tests.e2e.conftest import Certificates, short_folder
from tests.e2e.daemon import Dockerd
from tests.e2e.proxy import WAYS, Front

MEGABYTES = bytes(range(256)) * 12_288
"""Three of them."""

BIG = "big:latest"
LINE = 1024 * 1024


class DifferenceError(Exception):
    """Something came out otherwise than it does directly."""


def typed(front: Front, way: str, number: int) -> None:
    """`echo hi | docker run -i busybox cat`."""
    done = front.docker(way, "run", "--rm", "-i", "busybox", "cat", stdin=b"hi\n")
    if done.stdout != "hi\n":
        raise DifferenceError(f"{way}: run -i {number} printed {done.stdout!r}")


def both_ways(front: Front, way: str, number: int) -> None:
    """Send three megabytes through an exec and take them back."""
    command = [front.daemon.engine.docker, "exec", "-i", "sleeper", "cat"]
    done = subprocess.run(
        command, input=MEGABYTES, env=_environment(front, way), capture_output=True, check=False,
        timeout=60,
    )  # fmt: skip
    if done.returncode != 0 or done.stdout != MEGABYTES:
        raise DifferenceError(
            f"{way}: exec {number} ended with {done.returncode} and gave {len(done.stdout)} of "
            f"{len(MEGABYTES)} bytes; {done.stderr.decode()}"
        )


def saved(front: Front, way: str) -> str:
    """Return a digest of the files that `docker save` prints; times in its folders vary."""
    digests = []
    command = [front.daemon.engine.docker, "save", BIG]
    with subprocess.Popen(command, env=_environment(front, way), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for entry in archive:
                if (file := archive.extractfile(entry)) is not None:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    digests.append(f"{entry.name} {entry.size} {digest}\n")
        process.stdout.read()
    if process.returncode != 0:
        raise DifferenceError(f"{way}: save ended with {process.returncode}")
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def image(front: Front, way: str, archive: Path) -> str:
    """Save an image both ways, load it through the proxy, and pipe one into the other."""
    direct = saved(front, "direct")
    if saved(front, way) != direct:
        raise DifferenceError(f"{way}: the image that is saved is another one")
    before = _contents(front)
    front.docker("direct", "rmi", BIG, timeout=120)
    front.docker(way, "load", "-i", archive, timeout=300)
    if _contents(front) != before:
        raise DifferenceError(f"{way}: the image that was loaded is another one")
    docker = front.daemon.engine.docker
    pipe = f"set -e; {docker} save {BIG} | {docker} load"
    done = subprocess.run(
        ["sh", "-c", pipe], env=_environment(front, way), capture_output=True, check=False,
        timeout=300,
    )  # fmt: skip
    if done.returncode != 0 or b"Loaded image" not in done.stdout:
        raise DifferenceError(f"{way}: save | load: {done.stdout!r} {done.stderr!r}")
    return direct


def _contents(front: Front) -> tuple[str, str]:
    """Return the image's id, and the digest of what is in it."""
    found = front.docker("direct", "image", "inspect", "-f", "{{.Id}}", BIG).stdout
    digest = front.docker("direct", "run", "--rm", BIG, "sha256sum", "/data", timeout=120).stdout
    return found, digest


def _environment(front: Front, way: str) -> dict[str, str]:
    client = str(front.daemon.root / "client")
    usual = {"PATH": front.daemon.engine.path, "HOME": client, "DOCKER_CONFIG": client}
    return usual | {"DOCKER_HOST": f"unix://{front.daemon.socket}"} | dict(front.way(way))


def make(daemon: Dockerd, megabytes: int, folder: Path) -> Path:
    """Make an image of random bytes, and an archive of it; return the archive."""
    (folder / "Dockerfile").write_text("FROM busybox\nCOPY data /data\n")
    with (folder / "data").open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(LINE))
    environment = {"DOCKER_BUILDKIT": "0"}
    daemon.docker("build", "-t", BIG, folder, env=environment, timeout=300)
    (folder / "data").unlink()
    archive = folder / "big.tar"
    daemon.docker("save", "-o", archive, BIG, timeout=300)
    return archive


def main(arguments: Sequence[str]) -> int:
    """Do it all, for each way."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.transparency")
    parser.add_argument("--engine", default=engines.NAMES[-1], choices=engines.survey()[0])
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--megabytes", type=int, default=1024)
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        daemon = stack.enter_context(Dockerd(engines.survey()[0][given.engine], short_folder()))
        images.load(daemon)
        daemon.docker("run", "-d", "--init", "--name", "sleeper", "busybox", "sleep", "90000")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        archive = make(daemon, given.megabytes, folder)
        front = stack.enter_context(Front(daemon, Certificates(trustme.CA(), short_folder())))
        try:
            for way in WAYS:
                for work in (typed, both_ways):
                    _repeat(work, front, way, given.repetitions)
                began = time.monotonic()
                digest = image(front, way, archive)
                said = f"{given.megabytes} MB saved and loaded, sha256 {digest[:12]}"
                _say(f"{way}: {said}, {time.monotonic() - began:.0f} s")
        except DifferenceError as error:
            _say(f"DIFFERENT: {error}")
            return 1
    return 0


def _repeat(work: Callable[[Front, str, int], None], front: Front, way: str, times: int) -> None:
    began = time.monotonic()
    for number in range(times):
        work(front, way, number)
    _say(f"{way}: {times} times {work.__name__}, {time.monotonic() - began:.0f} s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
