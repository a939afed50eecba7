"""The unix socket that the daemon finds a plugin by.

It knows paths, owners and modes, and nothing of what is spoken. The daemon
looks for ``/run/docker/plugins/NAME.sock`` first and then for
``/run/docker/plugins/NAME/NAME.sock`` (moby pkg/plugins/discovery.go); both are
ordinary paths here. A socket file that nobody answers on costs every volume
operation 15 s, so it is removed on exit.
"""

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from authz.errors import ConfigurationError

BACKLOG = 1024
"""Connections that may wait to be accepted: more than are answered at a time, because the daemon
keeps few and makes one for each question of a burst. One that finds no room costs it a second."""

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that takes connections, and whose file it is.

    ``own`` is the device and inode of the file that was made here, or None
    where somebody else (systemd) made it and removes it.
    """

    sock: socket.socket
    path: Path
    own: tuple[int, int] | None = None

    def close(self) -> None:
        """Stop listening and remove the file, if it is still the one made here."""
        self.sock.close()
        if self.own is None:
            return
        try:
            if _file(self.path.lstat()) == self.own:
                self.path.unlink()
        except FileNotFoundError:
            pass


PRIVATE = 0o600


def listen(path: Path, *, mode: int = PRIVATE, group: int | None = None) -> Listening:
    """Make the socket, for this account only or for those that ``mode`` and ``group`` say.

    A file left over by a process that is gone is replaced; folders that are
    missing are made, mode 0700, as the daemon makes them, or 0755 where others
    may connect. Raises
    ConfigurationError where another process listens on the path, where the
    file there is no socket of this account, or where others may write to the
    folder and so put their own socket in its place.
    """
    try:
        _prepare_folder(path.parent, 0o700 if mode == PRIVATE else 0o755)
        _remove_stale(path)
        sock = _bind(path, mode, group)
    except OSError as error:
        raise ConfigurationError(f"{path}: no socket can be made: {error}") from None
    return Listening(sock, path, _file(path.lstat()))


def _prepare_folder(folder: Path, new: int) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
        parent.chmod(new)  # whatever the umask
    mode = folder.stat().st_mode
    if mode & _OTHERS_MAY_WRITE and not mode & stat.S_ISVTX:
        raise ConfigurationError(
            f"{folder}: mode is {stat.S_IMODE(mode):04o}, so that others could replace the socket; "
            "expected a folder that only its owner may write to"
        )


def _remove_stale(path: Path) -> None:
    """Make way for a new socket, or refuse where that would take something away."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{path}: is in the way; expected nothing or a left-over socket of uid {os.geteuid()}"
        )
    if _answers(path):
        raise ConfigurationError(f"{path}: another process listens here; expected a free path")
    path.unlink()


def _answers(path: Path) -> bool:
    """Say whether a process listens on the socket; one that is too busy to accept does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # noqa: FBT003  the name of the method says what
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True
    return True


def _bind(path: Path, mode: int, group: int | None) -> socket.socket:
    """Bind and listen. The file is private from its first moment, by the umask.

    If another process is quicker, bind finds the path taken and raises.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(os.fspath(path))
        if group is not None:
            os.chown(path, -1, group)
        if mode != PRIVATE:
            path.chmod(mode)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _file(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
