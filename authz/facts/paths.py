"""Host paths: their one spelling, and what reaching one means.

It knows which paths are protected, and that symbolic links lead elsewhere. It
does not know how a path came into a request.
"""

from collections.abc import Iterator

from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, malformed, text, unreadable
from authz.facts.questions import Topic


def clean(path: str) -> str:
    """Return the spelling that policies use: absolute, without dots and double slashes.

    As Go's path.Clean, which the daemon applies to mount sources; and
    ``/var/run`` is ``/run``, which it is on every host that runs the daemon.
    """
    cleaned = _without_dots(path)
    if cleaned == "/var/run" or cleaned.startswith("/var/run/"):
        return cleaned.removeprefix("/var")
    return cleaned


def _without_dots(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def real_paths(path: str, known: Known, *, raw: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield the path as written and, where links lead elsewhere, the real one.

    Each comes cleaned, with whether only a look-up could tell it. ``raw`` is a
    path that the daemon hands on as it is: for the kernel the folder above a
    link is the one above the link's end. Raises RefusedError for a path that
    is not absolute: it would count from the daemon's working directory, which
    is not known.
    """
    if not path.startswith("/"):
        raise unreadable(f"host path {path!r} is not absolute")
    written = clean(path)
    yield written, False
    climbs = raw and ".." in path.split("/")
    answer = known.document(Topic.PATH, path if climbs else _without_dots(path))
    real = written if answer is None else _told(answer)
    if real != written:
        yield real, True


def _told(answer: Document) -> str:
    """Return where a path leads. Raises RefusedError where the answer does not tell."""
    real = text(answer, "path")
    if not real.startswith("/"):
        raise malformed("path is not absolute")
    return clean(real)


def host_path_facts(
    path: str, known: Known, *, writable: bool, raw: bool = False
) -> Iterator[Fact]:
    """Yield what mounting a host path means: bind, bind.rw and bind.over.

    ``writable`` also holds where only submounts can be written; ``raw`` is as
    for :func:`real_paths`.
    """
    for reached, found in real_paths(path, known, raw=raw):
        yield Fact("bind", reached, found)
        if writable:
            yield Fact("bind.rw", reached, found)
        for protected in known.settings.protected:
            if _is_within(reached, protected) or _is_within(protected, reached):
                yield Fact("bind.over", protected, found)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
