"""Whether the files of a policy have changed, by looking at them.

Not told by the kernel: a look from time to time needs no library and no thread
of its own, and it sees what notifications miss or tell by halves: renames over
a file, a folder behind a symbolic link that now leads elsewhere, a volume that
an orchestrator swaps as a whole, a network file system. It knows names and
times of files, and nothing of what is in them.
"""

from __future__ import annotations

from pathlib import Path

from authz.policy.bundle import BUILTIN

SUFFIXES = (".csv", ".toml", ".conf")
FOLDERS = ("", "packs")

Sight = tuple[tuple[object, ...], ...]
"""What there was to see: each file with what tells it from another."""


def look(reference: str) -> Sight:
    """Look at the files of a bundle; what cannot be seen is part of the sight. Raises nothing.

    Those of a shipped bundle change with the program only.
    """
    if reference.startswith(BUILTIN):
        return ()
    return tuple(seen for folder in FOLDERS for seen in _folder(Path(reference) / folder))


def _folder(folder: Path) -> list[tuple[object, ...]]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    except OSError as error:
        return [(str(folder), error.errno)]
    return [_file(path) for path in files]


def _file(path: Path) -> tuple[object, ...]:
    try:
        status = path.stat()
    except OSError as error:
        return str(path), error.errno
    identity = status.st_dev, status.st_ino, status.st_uid, status.st_mode
    return str(path), *identity, status.st_size, status.st_mtime_ns, status.st_ctime_ns
