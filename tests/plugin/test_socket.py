"""The socket file: its mode, what it replaces, and that it goes away."""

import os
import socket
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.plugin.socket import Listening, listen
from authz.runner import MOST_IN_FLIGHT


@pytest.fixture
def listening(request: pytest.FixtureRequest) -> Callable[[Path], Listening]:
    """Return a way to listen that cleans up behind the test."""

    def start(path: Path) -> Listening:
        made = listen(path)
        request.addfinalizer(made.sock.close)
        return made

    return start


def leave_behind(path: Path) -> None:
    """Leave a socket file as a killed process does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))


def connects(path: Path) -> bool:
    """Say whether somebody takes connections on the path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(str(path)) == 0


@pytest.mark.parametrize("name", ["dockgate.sock", "dockgate/dockgate.sock", "a/b/c/dockgate.sock"])
def test_both_paths_of_discovery_work(
    tmp_path: Path, listening: Callable[[Path], Listening], name: str
):
    """Missing folders are made for this account alone, and the socket answers."""
    path = tmp_path / "plugins" / name

    listening(path)

    assert connects(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_burst_finds_room(tmp_path: Path, listening: Callable[[Path], Listening]):
    """What is too much is refused at once; it must come in for that."""
    listening(tmp_path / "a.sock")
    with ExitStack() as clients:
        for _ in range(2 * MOST_IN_FLIGHT):
            client = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.settimeout(0)
            assert client.connect_ex(str(tmp_path / "a.sock")) == 0


def test_the_umask_is_put_back(tmp_path: Path, listening: Callable[[Path], Listening]):
    """Files made later are not affected."""
    before = os.umask(0o022)
    try:
        listening(tmp_path / "a.sock")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_the_mode_does_not_depend_on_the_umask(
    tmp_path: Path, listening: Callable[[Path], Listening]
):
    """Even a service without any umask makes a private socket."""
    before = os.umask(0)
    try:
        made = listening(tmp_path / "a.sock")
    finally:
        os.umask(before)

    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600


def test_a_stale_socket_is_replaced(tmp_path: Path, listening: Callable[[Path], Listening]):
    """What a killed process left behind does not stop the next one."""
    path = tmp_path / "a.sock"
    leave_behind(path)
    assert not connects(path)

    listening(path)

    assert connects(path)


def test_a_live_socket_is_not_replaced(tmp_path: Path, listening: Callable[[Path], Listening]):
    """A second service does not take the first one's place."""
    first = listening(tmp_path / "a.sock")

    with pytest.raises(ConfigurationError, match=r"another process listens here"):
        listen(tmp_path / "a.sock")

    assert connects(first.path)


def test_a_socket_with_a_full_queue_counts_as_live(tmp_path: Path):
    """A process that is too busy to accept is still there."""
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(str(path))
        busy.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as first:
            first.connect(str(path))
            with pytest.raises(ConfigurationError, match=r"another process listens here"):
                listen(path)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_anything_but_a_socket_is_left_alone(tmp_path: Path, kind: str):
    """A mistyped path must not cost anybody a file."""
    path = tmp_path / "a.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        leave_behind(tmp_path / "other.sock")
        path.symlink_to(tmp_path / "other.sock")

    with pytest.raises(ConfigurationError, match=r"a\.sock: is in the way; expected nothing or"):
        listen(path)

    assert os.path.lexists(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_socket_of_another_account_is_left_alone(tmp_path: Path):
    """It may be a trap, and it is not ours to remove."""
    path = tmp_path / "a.sock"
    leave_behind(path)
    os.chown(path, 12345, 12345)

    with pytest.raises(ConfigurationError, match=r"left-over socket of uid 0"):
        listen(path)

    assert path.exists()


@pytest.mark.parametrize(("mode", "fits"), [(0o755, True), (0o777, False), (0o1777, True)])
def test_a_folder_that_others_may_write_to_is_refused(
    tmp_path: Path, listening: Callable[[Path], Listening], mode: int, *, fits: bool
):
    """Who can replace the socket can answer in our place."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)

    if fits:
        assert listening(folder / "a.sock").path.exists()
    else:
        with pytest.raises(ConfigurationError, match=r"mode is 0777, so that others could replace"):
            listen(folder / "a.sock")


def test_a_path_that_is_too_long_is_explained(tmp_path: Path):
    """The kernel's limit of about 100 bytes is told with the path."""
    path = tmp_path / ("x" * 120)

    with pytest.raises(
        ConfigurationError, match=r"x: no socket can be made: AF_UNIX path too long"
    ):
        listen(path)


def test_closing_removes_the_file(tmp_path: Path):
    """A dead socket in the daemon's folder would make it wait."""
    made = listen(tmp_path / "a.sock")

    made.close()

    assert not made.path.exists()


def test_closing_twice_or_after_the_file_is_gone_is_harmless(tmp_path: Path):
    """The end of a service must not fail on what somebody tidied up."""
    made = listen(tmp_path / "a.sock")
    made.path.unlink()

    made.close()
    made.close()

    assert not made.path.exists()


def test_the_file_of_a_successor_is_not_removed(tmp_path: Path):
    """A socket that somebody else has put there in the meantime stays."""
    made = listen(tmp_path / "a.sock")
    made.path.rename(tmp_path / "moved.sock")
    leave_behind(made.path)

    made.close()

    assert made.path.exists()
