"""Says where a host path really leads, symbolic links resolved.

This is only meaningful in the daemon's own view of the file system; where
Dockgate runs in a container, that view is mounted in a folder. Looking at a
path can hang for good (a network file system that is gone), so it happens in a
thread that nobody waits for longer than a moment, and of which there are only
so many.
"""

import asyncio
import contextlib
import errno
import os
import stat
import threading
from pathlib import Path

from authz.errors import LookupFailedError
from authz.facts.questions import MISSING, Answer, Question

TIME_LIMIT = 1.0
"""Seconds for one path."""

MOST_AT_ONCE = 16
"""Threads that may be looking, hung ones included."""

MOST_LINKS = 40
"""Links that the kernel follows for one path (path_resolution(7)); it makes no use of more."""


class PathLookups:
    """Resolves paths in threads of its own, which do not hold up the end of the process."""

    def __init__(
        self,
        *,
        host_root: Path,
        time_limit: float = TIME_LIMIT,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        """Take note of the folder in which the daemon's file system is seen."""
        self._host_root = host_root
        self._time_limit = time_limit
        self._room = threading.BoundedSemaphore(most_at_once)

    async def answer(self, question: Question) -> Answer:
        """Return ``{"path": real}``, or MISSING for a path that does not exist and has no links.

        Raises LookupFailedError where the path cannot be resolved, or not in time.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Answer] = loop.create_future()
        if not self._room.acquire(blocking=False):
            raise LookupFailedError(f"path {question.key!r}: too many paths are being looked at")
        thread = threading.Thread(
            target=self._resolve, args=(question.key, loop, result), name="paths", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the system has no room for another thread
            self._room.release()
            raise LookupFailedError(f"path {question.key!r}: {error}") from error
        try:
            async with asyncio.timeout(self._time_limit):
                return await result
        except TimeoutError:
            raise LookupFailedError(f"path {question.key!r}: not resolved in time") from None

    def _resolve(
        self, path: str, loop: asyncio.AbstractEventLoop, result: asyncio.Future[Answer]
    ) -> None:
        try:
            answer: Answer | LookupFailedError = real_path(path, self._host_root)
        except LookupFailedError as error:
            answer = error
        finally:
            self._room.release()
        with contextlib.suppress(RuntimeError):  # the loop has ended in the meantime
            loop.call_soon_threadsafe(_settle, result, answer)


def _settle(result: asyncio.Future[Answer], answer: Answer | LookupFailedError) -> None:
    if result.done():  # given up
        return
    if isinstance(answer, LookupFailedError):
        result.set_exception(answer)
    else:
        result.set_result(answer)


def real_path(path: str, host_root: Path) -> Answer:
    """Resolve a path as far as it exists; the rest is taken as written.

    The daemon makes a missing folder at the end of the links, so that links
    before the missing part count. Raises LookupFailedError where a folder on
    the way cannot be looked into: what is behind it is not known.
    """
    if not path.startswith("/") or "\0" in path:
        raise LookupFailedError(f"path {path!r} is not absolute")
    try:
        # In bytes of UTF-8, as the daemon has them, whatever the locale of this process.
        real, exists = _follow(path.encode(), os.fsencode(host_root).rstrip(b"/"))
        found = real.decode()
    except (OSError, ValueError) as error:
        raise LookupFailedError(f"path {path!r}: {error}") from error
    return {"path": found} if exists or found != os.path.normpath(path) else MISSING


def _follow(path: bytes, host_root: bytes) -> tuple[bytes, bool]:
    """Walk a path as the kernel would under this root; say where it ends and whether that exists.

    Not ``os.path.realpath``: it knows no root, takes more links than the
    kernel, and each of them as one more level of recursion.
    """
    todo = path.split(b"/")[::-1]
    done: list[bytes] = []
    links = 0
    exists = True
    while todo:
        part = todo.pop()
        if part in {b"", b"."}:
            continue
        if part == b"..":
            del done[-1:]
            continue
        done.append(part)
        target = _link(b"/".join((host_root, *done)))
        if target is None:
            exists = False
        elif target:
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            del done[0 if target.startswith(b"/") else -1 :]
            todo += target.split(b"/")[::-1]
    return b"/" + b"/".join(done), exists


def _link(place: bytes) -> bytes | None:
    """Return where a link leads; nothing where this is no link, None where there is nothing."""
    try:
        if not stat.S_ISLNK(os.lstat(place).st_mode):
            return b""
        return os.readlink(place)  # noqa: PTH115  Path knows text only
    except (FileNotFoundError, NotADirectoryError):
        return None
