"""Says where a host path really leads, symbolic links resolved.

This is only meaningful in the daemon's own view of the file system: a Dockgate
in a container sees another one. Looking at a path can hang for good (a network
file system that is gone), so it happens in a thread that nobody waits for
longer than a moment, and of which there are only so many.
"""

import asyncio
import contextlib
import os
import threading

from authz.errors import LookupFailedError
from authz.facts.questions import MISSING, Answer, Question

TIME_LIMIT = 1.0
"""Seconds for one path."""

MOST_AT_ONCE = 16
"""Threads that may be looking, hung ones included."""


class PathLookups:
    """Resolves paths in threads of its own, which do not hold up the end of the process."""

    def __init__(self, *, time_limit: float = TIME_LIMIT, most_at_once: int = MOST_AT_ONCE) -> None:
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
        threading.Thread(
            target=self._resolve, args=(question.key, loop, result), name="paths", daemon=True
        ).start()
        try:
            async with asyncio.timeout(self._time_limit):
                return await result
        except TimeoutError:
            raise LookupFailedError(f"path {question.key!r}: not resolved in time") from None

    def _resolve(
        self, path: str, loop: asyncio.AbstractEventLoop, result: asyncio.Future[Answer]
    ) -> None:
        try:
            answer: Answer | LookupFailedError = real_path(path)
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


def real_path(path: str) -> Answer:
    """Resolve a path as far as it exists; the rest is taken as written.

    The daemon makes a missing folder at the end of the links, so that links
    before the missing part count. Raises LookupFailedError where a folder on
    the way cannot be looked into: what is behind it is not known.
    """
    if not path.startswith("/") or "\0" in path:
        raise LookupFailedError(f"path {path!r} is not absolute")
    try:
        return {"path": os.path.realpath(path, strict=True)}
    except (FileNotFoundError, NotADirectoryError):
        real = os.path.realpath(path)
        return MISSING if real == os.path.normpath(path) else {"path": real}
    except (OSError, ValueError) as error:
        raise LookupFailedError(f"path {path!r}: {error}") from error
