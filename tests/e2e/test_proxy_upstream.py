"""A daemon behind TCP and TLS: the proxy gets there as to one on a unix socket."""

import hashlib
import threading
import time
from collections.abc import Iterator

import pytest
import trustme

from tests.e2e import engines
from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.proxy import Front
from tests.e2e.sandbox import wait_for

MEGABYTES = bytes(range(256)) * 12_288


class Far(Front):
    """A proxy in the daemon's network, with a unix socket to come in by."""

    def __init__(self, daemon: Dockerd, certificates: Certificates) -> None:
        self.files = certificates.client("dockgate")
        super().__init__(daemon, certificates)

    @property
    def command(self) -> list[str]:
        """The command line, within the daemon's network."""
        return [*map(str, self.daemon._inside().entry("--net")), *super().command]

    def _write_settings(self, mode: str) -> None:
        self.settings = self.folder / "dockgate.toml"
        self.settings.write_text(
            f'policy = "policy"\nmode = "{mode}"\ndaemon = "tcp://127.0.0.1:2376"\n'
            f'[daemon_tls]\nca = "{self.files}/ca.pem"\ncertificate = "{self.files}/cert.pem"\n'
            f'key = "{self.files}/key.pem"\n'
            f'[[proxy.listen]]\naddress = "unix://{self.front}"\nidentity = ["peer"]\n'
            'socket = { mode = "0666" }\n'
            f'[audit]\npath = "{self.audit}"\n[admin]\naddress = "unix://{self.admin}"\n'
        )


@pytest.fixture(scope="module")
def far(module_daemons: Daemons, certificates: Certificates) -> Iterator[Far]:
    """Run a daemon that listens on TLS, and the proxy before it."""
    if module_daemons.engine.name != engines.NAMES[-1]:
        pytest.skip("the way to the daemon is the same for every engine")
    daemon = module_daemons(**certificates.server())
    daemon.start()
    daemon.docker("run", "-d", "--init", "--name", "sleeper", "busybox", "sleep", "900")
    with Far(daemon, certificates) as far:
        yield far


def test_what_is_typed_arrives(far):
    """The end of the input is passed on over TLS, and what comes behind it is not lost."""
    for _ in range(5):
        done = far.docker("unix", "run", "--rm", "-i", "busybox", "cat", stdin=b"hi\n")
        assert done.stdout == "hi\n"
    done = far.docker("unix", "run", "--rm", "busybox", "sh", "-c", "exit 7", check=False)
    assert done.returncode == 7


def test_three_megabytes_go_both_ways(far):
    """Through an exec, byte by byte the same; the answer begins when the input has ended."""
    count = "md5sum; head -c 3145728 /dev/zero | md5sum"
    done = far.docker("unix", "exec", "-i", "sleeper", "sh", "-c", count, stdin=MEGABYTES)
    expected = [
        hashlib.md5(data, usedforsecurity=False).hexdigest()
        for data in (MEGABYTES, bytes(3_145_728))
    ]
    assert [line.split()[0] for line in done.stdout.splitlines()] == expected


def test_streams_and_archives_pass(far, tmp_path):
    """A followed log to its end, files in and out, an image out and in."""
    talk = "for i in 1 2 3; do echo $i; sleep 0.1; done"
    far.docker("unix", "run", "-d", "--name", "talker", "busybox", "sh", "-c", talk)
    assert far.docker("unix", "logs", "-f", "talker").stdout == "1\n2\n3\n"
    far.docker("unix", "rm", "-f", "talker")
    (tmp_path / "a").write_bytes(MEGABYTES)
    far.docker("unix", "cp", tmp_path / "a", "sleeper:/tmp/a")
    far.docker("unix", "cp", "sleeper:/tmp/a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == MEGABYTES
    far.docker("unix", "save", "-o", tmp_path / "c.tar", "busybox")
    assert "Loaded image" in far.docker("unix", "load", "-i", tmp_path / "c.tar").stdout


def test_a_daemon_of_another_authority_is_not_talked_to(far):
    """Neither look-ups nor requests; with the right one again, after a reload, they are."""
    right = (far.files / "ca.pem").read_bytes()
    trustme.CA().cert_pem.write_to_path(far.files / "ca.pem")
    try:
        assert far.ask("POST", "/reload").status == 200
        asked = far.docker("unix", "inspect", "sleeper", check=False)
        assert "a look-up failed" in asked.stderr
        listed = far.docker("unix", "ps", check=False)
        assert "the daemon cannot be reached" in listed.stderr
    finally:
        (far.files / "ca.pem").write_bytes(right)
    assert far.ask("POST", "/reload").status == 200
    assert far.docker("unix", "ps", "-q").stdout
    assert far.docker("unix", "inspect", "-f", "{{.Name}}", "sleeper").stdout == "/sleeper\n"


def test_a_daemon_that_goes_ends_its_streams(far):
    """And one that comes again is talked to."""
    ends: list[int] = []

    def follow() -> None:
        ends.append(far.docker("unix", "logs", "-f", "sleeper", check=False).returncode)

    following = threading.Thread(target=follow)
    following.start()
    time.sleep(0.5)
    far.daemon.kill()
    following.join(10)
    assert ends == [1]
    assert "a look-up failed" in far.docker("unix", "inspect", "sleeper", check=False).stderr
    far.daemon.start()
    assert wait_for(
        lambda: far.docker("unix", "inspect", "sleeper", check=False).returncode == 0, 10
    )
