"""What sockets, /proc and the account database say about a peer."""

import asyncio
import errno
import os
import pwd
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from authz.errors import Reason, RefusedError
from authz.proxy import evidence
from authz.proxy.evidence import Accounts, Peer, bearer, names, read_peer, source
from authz.wire.evidence import PeerCredentials

ALICE = Peer(PeerCredentials(1000, 1000, 42), (1000, 27))
CONTAINER = "5e" * 32
HOSTS = "it lives in the namespaces of the host and in a container's cgroup"


def a_process(proc: Path, cgroup: str = "0::/user.slice\n", **namespaces: str) -> None:
    """Write what /proc has of a process."""
    for name, default in (("self", {}), (str(os.getpid()), namespaces)):
        folder = proc / name
        (folder / "ns").mkdir(parents=True, exist_ok=True)
        (folder / "stat").write_text("1 (a ) b) S " + " ".join(map(str, range(4, 52))))
        (folder / "cgroup").write_text(cgroup if name != "self" else "0::/\n")
        for kind in ("pid", "user"):
            (folder / "ns" / kind).symlink_to(default.get(kind, f"{kind}:[1]"))


def test_this_process_is_its_own_peer():
    """With all its groups."""
    left, right = socket.socketpair()
    with left, right:
        peer = read_peer(left)

    found = peer.credentials
    assert (found.uid, found.gid, found.pid) == (os.getuid(), os.getgid(), os.getpid())
    assert set(peer.gids) == {os.getgid(), *os.getgroups()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take groups")
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 5000, 65_536])
def test_all_groups_of_a_peer_are_told(tmp_path, count):
    """However many: the kernel is asked for how much room they need."""
    groups = list(range(100_000, 100_000 + count))
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"
    )
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        command = [sys.executable, "-c", script, tmp_path / "s"]
        with subprocess.Popen(command, extra_groups=groups) as process:
            accepted, _ = server.accept()
            with accepted:
                peer = read_peer(accepted)
            process.wait(10)

    assert peer.credentials.problem == ""
    assert set(peer.gids) == {os.getgid(), *groups}


def test_a_socket_without_a_peer_is_nobody():
    """The kernel says so, and it is passed on."""
    with socket.socket(socket.AF_INET) as sock:
        assert "is not known" in read_peer(sock).credentials.problem


def test_a_process_in_a_containers_cgroup_is_the_container(tmp_path):
    """On both versions of cgroups."""
    a_process(
        tmp_path, f"4:memory:/docker/{CONTAINER}\n0::/docker-{CONTAINER}.scope", pid="pid:[2]"
    )
    left, right = socket.socketpair()
    with left, right:
        assert read_peer(left, tmp_path).credentials.container == CONTAINER


def test_a_host_process_in_a_cgroup_of_that_name_is_nobody(tmp_path):
    """Who may make cgroups can give one the name of any container, and go into it."""
    a_process(tmp_path, f"0::/user.slice/user@1000.service/{CONTAINER}\n")
    left, right = socket.socketpair()
    with left, right:
        found = read_peer(left, tmp_path).credentials

    assert (found.container, found.problem) == ("", f"cannot be looked at: {HOSTS}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(("uid", "is_it"), [(0, True), (1000, False)])
def test_a_user_namespace_of_somebody_else_holds_no_container(tmp_path, uid, is_it):
    """Anybody can make one, and be in a cgroup of any name; root makes those of containers."""
    a_process(tmp_path, f"0::/{CONTAINER}\n", pid="pid:[2]", user="user:[2]")
    script = "import ctypes, sys; ctypes.CDLL(None).unshare(0x10000000) and sys.exit(1); input()"
    command = ["/usr/bin/python3", "-c", script]
    place = tmp_path / str(os.getpid()) / "ns" / "user"
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=uid, text=True
    ) as process:
        theirs = Path(f"/proc/{process.pid}/ns/user")
        until = time.monotonic() + 5
        while theirs.readlink() == Path("/proc/self/ns/user").readlink():
            if process.poll() is not None or time.monotonic() > until:
                pytest.skip("no user namespaces here")
            time.sleep(0.01)
        place.unlink()
        place.symlink_to(theirs)
        left, right = socket.socketpair()
        with left, right:
            found = read_peer(left, tmp_path).credentials
        process.communicate("\n", timeout=10)

    assert bool(found.container) is is_it
    assert bool(found.problem) is not is_it


@pytest.mark.parametrize("kind", ["pid", "user"])
def test_a_process_of_another_world_is_nobody(tmp_path, kind):
    """Its numbers mean something else there."""
    a_process(tmp_path, **{kind: f"{kind}:[2]"})
    left, right = socket.socketpair()
    with left, right:
        assert f"another {kind} namespace" in read_peer(left, tmp_path).credentials.problem


def test_a_process_that_cannot_be_looked_at_is_nobody(tmp_path):
    """Nothing is guessed."""
    left, right = socket.socketpair()
    with left, right:
        assert "cannot be looked at" in read_peer(left, tmp_path).credentials.problem


def test_a_process_that_has_ended_is_nobody(tmp_path):
    """Its number may be another's by now."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"
        subprocess.run([sys.executable, "-c", script, path], check=True)
        accepted, _ = server.accept()
        with accepted:
            assert read_peer(accepted).credentials.problem


def test_a_tcp_socket_has_no_peer():
    """The kernel knows nothing about it."""
    with socket.socket(socket.AF_INET) as sock:
        assert read_peer(sock).credentials.problem


def test_names_are_those_of_this_host():
    """A number without a name stays a number."""
    assert names(0, (0, 4_000_000)) == (pwd.getpwuid(0).pw_name, ("root", "#4000000"))
    assert names(4_000_000, ()) == (None, ())


async def test_names_are_believed_for_a_minute():
    """For the same numbers, whatever the process."""
    now = [0.0]
    asked = []

    def look_up(uid, gids):
        asked.append(uid)
        return f"u{len(asked)}", tuple(map(str, gids))

    accounts = Accounts(look_up, lambda: now[0])
    first = await accounts.resolve(ALICE)
    second = await accounts.resolve(Peer(replace(ALICE.credentials, pid=43), ALICE.gids))
    now[0] = 61
    third = await accounts.resolve(ALICE)

    assert (first.account, first.groups, first.pid) == ("u1", ("1000", "27"), 42)
    assert (second.account, second.pid) == ("u1", 43)
    assert third.account == "u2"


async def test_who_is_nobody_is_not_looked_up():
    """Nor is a container."""
    accounts = Accounts(lambda *_: pytest.fail("asked"))
    for change in ({"problem": "x"}, {"container": CONTAINER}):
        found = replace(ALICE.credentials, **change)
        assert await accounts.resolve(Peer(found)) == found


async def test_a_slow_directory_refuses():
    """Within the time, and without a queue behind it."""
    accounts = Accounts(lambda *_: time.sleep(0.3), time_limit=0.05)
    with pytest.raises(RefusedError, match="in time") as refused:
        await accounts.resolve(ALICE)
    assert refused.value.reason is Reason.LOOKUP_FAILED
    await asyncio.gather(*(accounts.resolve(ALICE) for _ in range(7)), return_exceptions=True)
    with pytest.raises(RefusedError, match="too many"):
        await accounts.resolve(ALICE)
    await asyncio.sleep(0.4)


async def test_a_broken_directory_refuses():
    """It is no "no such account"."""

    def look_up(*_):
        raise OSError("gone")

    with pytest.raises(RefusedError, match="gone"):
        await Accounts(look_up).resolve(ALICE)


@pytest.mark.parametrize(
    ("value", "token"),
    [("Bearer abc", "abc"), ("bearer abc", "abc"), ("Basic abc", ""), ("Bearer", ""), ("", "")],
)
def test_a_token_is_told_from_other_credentials(value, token):
    """Another scheme is a credential that does not hold, not none."""
    assert bearer((("authorization", value),)) == token


def test_without_the_header_there_is_no_token():
    """Another method may know."""
    assert bearer((("Host", "x"),)) is None


class FakeSocket:
    """A socket of whose peer a test decides."""

    def __init__(self, pid: int, uid: int, gid: int, *, handle: int = 0) -> None:
        self.said = struct.pack("iII", pid, uid, gid)
        self.handle = handle
        self.opened = 0

    def getsockopt(self, _level, option, size=0):
        """Answer as the kernel does."""
        if option == socket.SO_PEERCRED:
            return self.said
        if size:
            return struct.pack("I", 27)
        if self.handle:
            raise OSError(self.handle, os.strerror(self.handle))
        return self.opened or os.pidfd_open(os.getpid())


@pytest.mark.parametrize(
    ("pid", "uid", "gid", "problem"),
    [
        (0, 1000, 1000, "no process id"),
        (1, 65_534, 1000, "account has no number"),
        (1, 1000, 65_534, "account has no number"),
    ],
)
def test_what_the_kernel_cannot_name_is_nobody(pid, uid, gid, problem):
    """A peer outside of our own namespaces."""
    assert problem in read_peer(FakeSocket(pid, uid, gid)).credentials.problem


def test_an_old_kernel_has_no_handle(tmp_path):
    """The start time, compared around the reading, is enough then."""
    a_process(tmp_path)
    found = read_peer(FakeSocket(os.getpid(), 1000, 1000, handle=errno.ENOPROTOOPT), tmp_path)

    assert found.credentials == PeerCredentials(1000, 1000, os.getpid())
    assert found.gids == (1000, 27)


def test_a_number_that_was_used_again_is_nobody(tmp_path, monkeypatch):
    """Another process has begun under it while it was looked at."""
    a_process(tmp_path)
    starts = iter("12")
    monkeypatch.setattr(evidence, "_started", lambda _folder: next(starts))

    peer = read_peer(FakeSocket(os.getpid(), 1000, 1000, handle=errno.ENOPROTOOPT), tmp_path)
    assert "it has ended" in peer.credentials.problem


@pytest.mark.parametrize("said", [errno.ESRCH, errno.EINVAL, errno.ENODATA])
def test_a_kernel_that_knows_handles_and_gives_none_is_believed(tmp_path, said):
    """Before 6.16 that is how it says that the process has ended: another has its number now."""
    a_process(tmp_path)

    peer = read_peer(FakeSocket(os.getpid(), 1000, 1000, handle=said), tmp_path)
    assert "cannot be looked at" in peer.credentials.problem


def test_a_number_that_was_used_again_has_a_dead_handle(tmp_path):
    """What is read of the number is that of another process."""
    a_process(tmp_path)
    with subprocess.Popen(["true"]) as ended:
        handle = os.pidfd_open(ended.pid)
        ended.wait()
        fake = FakeSocket(os.getpid(), 1000, 1000)
        fake.opened = handle
        assert "it has ended" in read_peer(fake, tmp_path).credentials.problem


async def test_only_so_many_names_are_remembered(monkeypatch):
    """The oldest are forgotten."""
    monkeypatch.setattr(evidence, "MOST_NAMES", 2)
    asked = []

    def look_up(uid, _gids):
        asked.append(uid)
        return f"u{uid}", ()

    accounts = Accounts(look_up)
    for uid in (1, 2, 3, 1):
        await accounts.resolve(Peer(replace(ALICE.credentials, uid=uid)))
    assert asked == [1, 2, 3, 1]


async def test_a_thread_that_cannot_begin_is_a_failure(monkeypatch):
    """The system has no room for another one."""

    class Full(threading.Thread):
        def start(self):
            """Fail."""
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(evidence.threading, "Thread", Full)
    with pytest.raises(RefusedError, match="can't start"):
        await Accounts(lambda *_: ("a", ())).resolve(ALICE)


@pytest.mark.parametrize(
    ("peername", "address"),
    [
        (("192.0.2.1", 4000), "192.0.2.1"),
        (("2001:db8::1", 4000, 0, 0), "2001:db8::1"),
        (("::ffff:192.0.2.1", 4000, 0, 0), "192.0.2.1"),
        (None, None),
    ],
)
def test_an_address_is_told_without_its_port(peername, address):
    """As rows write it, whichever kind of socket it came to."""
    assert source(peername) == address
