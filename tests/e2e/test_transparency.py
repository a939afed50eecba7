"""What goes through the proxy is what comes out: a slice of `python -m tests.e2e.transparency`."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import transparency
from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.proxy import WAYS, Front
from tests.e2e.test_proxy import read_until

MEGABYTES = 8


@pytest.fixture(scope="module")
def front(module_daemons: Daemons, certificates: Certificates) -> Iterator[Front]:
    """Run a daemon, and the proxy before it."""
    daemon = module_daemons()
    daemon.start()
    daemon.docker("run", "-d", "--init", "--name", "sleeper", "busybox", "sleep", "900")
    front = Front(daemon, certificates)
    with front:
        yield front


@pytest.fixture(scope="module")
def archive(front: Front, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image, and an archive of it."""
    return transparency.make(front.daemon, MEGABYTES, tmp_path_factory.mktemp("image"))


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_on_the_way(front, archive, way):
    """Not of what is typed, of what goes both ways, or of an image."""
    transparency.typed(front, way, 0)
    transparency.both_ways(front, way, 0)
    assert transparency.image(front, way, archive)


@pytest.mark.parametrize("way", WAYS)
def test_events_are_those_of_the_daemon(front, way):
    """Letter by letter, for a time that is over."""
    began = time.time()
    front.docker(way, "run", "--rm", "busybox", "true")
    span = ("--since", f"{began:.3f}", "--until", f"{time.time():.3f}")
    direct = front.docker("direct", "events", *span, "--format", "{{json .}}").stdout

    assert '"destroy"' in direct
    assert front.docker(way, "events", *span, "--format", "{{json .}}").stdout == direct


@pytest.mark.parametrize("way", WAYS)
def test_an_attach_takes_what_is_typed_and_can_be_left(front, way):
    """The keys of the client's own choice end it alone, as they do direct."""
    assert left(front, way) == left(front, "direct")


def left(front: Front, way: str) -> tuple[int, str]:
    """Attach, type, and leave; return the exit status, and whether the container runs on."""
    name = f"typing-{way}"
    script = 'read -r line; echo "got $line"; exec head -n 1'
    front.docker("direct", "run", "-dit", "--name", name, "busybox", "sh", "-c", script)
    words = ("attach", "--detach-keys", "ctrl-a", name)
    terminal, process = front.at_terminal(way, *words, size=(24, 80))
    try:
        os.write(terminal, b"one\r")
        read_until(terminal, b"got one")
        os.write(terminal, b"\x01")
        status = process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    running = front.docker("direct", "inspect", "-f", "{{.State.Running}}", name).stdout
    front.docker("direct", "rm", "-f", name)
    assert running == "true\n"
    return status, running
