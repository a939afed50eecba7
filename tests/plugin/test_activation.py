"""Sockets handed over by systemd: matched by name, type and path, or not taken."""

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.plugin.activation import Place, activated


@pytest.fixture
def passed(tmp_path: Path) -> Iterator[socket.socket]:
    """Return a listening socket of mode 0600, as a socket unit makes it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(tmp_path / "a.sock"))
        (tmp_path / "a.sock").chmod(0o600)
        sock.listen()
        yield sock


def environment(names: str = "plugin", count: str = "1", pid: int | None = None) -> dict[str, str]:
    """Return the variables that systemd sets."""
    return {
        "LISTEN_PID": str(pid or os.getpid()),
        "LISTEN_FDS": count,
        "LISTEN_FDNAMES": names,
        "HOME": "/",
    }


ROOM = 600
"""A descriptor behind which nobody has any."""


def duplicate(*socks: socket.socket) -> int:
    """Return the first of descriptors in a row that the code under test may take over."""
    first, *others = [fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, ROOM) for sock in socks]
    assert others == [*range(first + 1, first + len(socks))]
    return first


def test_a_fitting_socket_is_taken_over(tmp_path: Path, passed: socket.socket):
    """It is used as it is, and its file belongs to systemd."""
    environ = environment()

    made = activated({"plugin": tmp_path / "a.sock"}, environ, first=duplicate(passed))["plugin"]

    assert made.sock.getsockname() == str(tmp_path / "a.sock")
    assert not made.sock.get_inheritable()
    assert environ == {"HOME": "/"}
    made.close()
    assert (tmp_path / "a.sock").exists()


def test_links_in_the_path_do_not_matter(tmp_path: Path, passed: socket.socket):
    """/var/run is a link to /run, and unit files use either."""
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)

    made = activated({"plugin": link / "a.sock"}, environment(), first=duplicate(passed))

    made["plugin"].close()
    assert list(made) == ["plugin"]


@pytest.mark.parametrize(
    "environ",
    [{}, environment(pid=1), {"LISTEN_FDS": "1"}, environment(count="0"), environment("", "0")],
)
def test_nothing_is_taken_where_nothing_is_meant_for_us(environ: dict[str, str]):
    """Variables that were inherited by mistake name another process."""
    assert activated({"plugin": Path("/a")}, environ) == {}


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        (environment(count="x"), r"LISTEN_FDS: is 'x'; expected a number"),
        (environment(count="-1"), r"LISTEN_FDS: is '-1'; expected a number"),
        (environment(count="2"), r"LISTEN_FDNAMES: names 1 descriptors; expected 2"),
        (environment("other"), r"named 'other' is not known; expected .* of: plugin"),
        (environment(""), r"named '' is not known"),
    ],
)
def test_a_descriptor_that_does_not_fit_is_a_start_failure(
    environ: dict[str, str], problem: str, passed: socket.socket
):
    """A unit file with a mistake is found at start, not when a call is lost."""
    with pytest.raises(ConfigurationError, match=problem):
        activated({"plugin": Path("/a")}, environ, first=passed.fileno())


def test_nothing_expected_is_said_so():
    """A service without sockets of this kind names none."""
    with pytest.raises(ConfigurationError, match=r"expected at most one of each of: none"):
        activated({}, environment())


def test_a_name_that_comes_twice_is_a_start_failure(tmp_path: Path, passed: socket.socket):
    """One of the two would never be answered on."""
    first = duplicate(passed)

    with pytest.raises(ConfigurationError, match=r"named 'plugin' comes twice"):
        activated({"plugin": tmp_path / "a.sock"}, environment("plugin:plugin", "2"), first=first)


def test_what_is_no_socket_is_a_start_failure(tmp_path: Path):
    """A file or a closed descriptor cannot be listened on."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(ConfigurationError, match=r"named 'plugin' is no socket"):
            activated({"plugin": tmp_path}, environment(), first=descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_DGRAM),
        (socket.AF_UNIX, socket.SOCK_STREAM),
    ],
)
def test_a_socket_of_another_type_is_a_start_failure(
    family: socket.AddressFamily, kind: socket.SocketKind
):
    """Only a unix stream socket that listens can be the plugin's."""
    with (
        socket.socket(family, kind) as sock,
        pytest.raises(
            ConfigurationError, match=rf"is {family.name} {kind.name}; expected a listening AF_UNIX"
        ),
    ):
        activated({"plugin": Path("/a")}, environment(), first=duplicate(sock))


def test_a_socket_of_another_path_is_a_start_failure(tmp_path: Path, passed: socket.socket):
    """The daemon would look elsewhere."""
    with pytest.raises(ConfigurationError, match=r"listens on '.*a\.sock'; expected '.*b\.sock'"):
        activated({"plugin": tmp_path / "b.sock"}, environment(), first=duplicate(passed))


def test_an_abstract_socket_is_a_start_failure(tmp_path: Path):
    """It has no file and so no mode that could keep others out."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(f"\0{tmp_path}")
        sock.listen()
        with pytest.raises(ConfigurationError, match=r"socket 'plugin' listens on b'"):
            activated({"plugin": tmp_path}, environment(), first=duplicate(sock))


def test_a_socket_open_to_others_is_a_start_failure(tmp_path: Path, passed: socket.socket):
    """The default of socket units is 0666."""
    (tmp_path / "a.sock").chmod(0o666)

    with pytest.raises(ConfigurationError, match=r"mode is 0666; expected 0600 \(SocketMode="):
        activated({"plugin": tmp_path / "a.sock"}, environment(), first=duplicate(passed))


def test_several_sockets_of_a_name_are_told_apart_by_address(passed: socket.socket, tmp_path: Path):
    """Paths, hosts and ports, whatever the order; one that is not passed is made by others."""
    places = (
        Place("tcp://[::1]:1"),
        Place("tcp://localhost:2"),
        Place(f"unix://{tmp_path / 'a.sock'}", 0o660, os.getgid()),
    )
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        port = tcp.getsockname()[1]
        places = (*places, Place(f"tcp://127.0.0.1:{port}"))
        first = duplicate(passed, tcp)
        made = activated(
            {}, environment("proxy:proxy", "2"), several={"proxy": places}, first=first
        )
        try:
            assert sorted(made) == [f"tcp://127.0.0.1:{port}", f"unix://{tmp_path / 'a.sock'}"]
            assert made[f"tcp://127.0.0.1:{port}"].sock.getsockname() == ("127.0.0.1", port)
        finally:
            for listening in made.values():
                listening.close()
    assert (tmp_path / "a.sock").exists()


@pytest.mark.parametrize(
    ("places", "names", "problem"),
    [
        ([], "proxy", r"socket 'proxy' listens on '.*a\.sock'; expected one of: none"),
        (["unix:///b.sock", "tcp://[::1]:1"], "proxy", "one of: unix:///b.sock, tcp://"),
        (["unix://{}"], "proxy:proxy", r"named 'proxy' comes twice"),
        (["tcp://a..b:1"], "proxy", r"tcp://a\.\.b:1: cannot be resolved"),
    ],
)
def test_a_socket_that_nobody_configured_is_a_start_failure(
    places: list[str], names: str, problem: str, passed: socket.socket, tmp_path: Path
):
    """Nobody would answer on it."""
    family = socket.AF_INET if "resolved" in problem else socket.AF_UNIX
    with socket.socket(family) as other:
        if family is socket.AF_INET:
            other.bind(("127.0.0.1", 0))
            other.listen()
        first = duplicate(other if family is socket.AF_INET else passed, passed)
        try:
            with pytest.raises(ConfigurationError, match=problem):
                activated(
                    {},
                    environment(names, str(names.count(":") + 1)),
                    several={
                        "proxy": [Place(each.format(tmp_path / "a.sock"), 0o660) for each in places]
                    },
                    first=first,
                )
        finally:
            close(first + 1)


def close(descriptor: int) -> None:
    """Close what the code under test may have closed."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


@pytest.mark.parametrize(
    ("mode", "group", "problem"),
    [
        (0o666, None, r"mode is 0666; expected 0660 \(SocketMode="),
        (0o660, 4242, r"group is \d+; expected 4242 \(SocketGroup="),
    ],
)
def test_a_file_is_as_open_as_the_settings_say(
    mode: int, group: int | None, problem: str, passed: socket.socket, tmp_path: Path
):
    """The unit file and the settings say the same, or somebody is mistaken."""
    path = tmp_path / "a.sock"
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=problem):
        activated(
            {},
            environment("proxy"),
            several={"proxy": [Place(f"unix://{path}", 0o660, group)]},
            first=duplicate(passed),
        )


def test_a_proxys_socket_listens():
    """Datagrams, and what only was bound, are none."""
    several = {"proxy": [Place("tcp://127.0.0.1:1")]}
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        pytest.raises(ConfigurationError, match="AF_INET SOCK_DGRAM; expected a listening SOCK_"),
    ):
        activated({}, environment("proxy"), several=several, first=duplicate(sock))


def test_the_third_descriptor_of_a_real_process(tmp_path: Path, passed: socket.socket):
    """A process that is started as systemd does it answers on the socket."""
    program = (
        "import os, sys, pathlib\n"
        "os.dup2(int(sys.argv[1]), 3)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='plugin')\n"
        "from authz.plugin.activation import activated\n"
        "made = activated({'plugin': pathlib.Path(sys.argv[2])})['plugin']\n"
        "made.sock.accept()[0].sendall(b'hello')\n"
    )
    command = [sys.executable, "-c", program, str(passed.fileno()), str(tmp_path / "a.sock")]
    with (
        subprocess.Popen(command, pass_fds=[passed.fileno()]),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client,
    ):
        client.connect(str(tmp_path / "a.sock"))
        assert client.recv(5) == b"hello"
