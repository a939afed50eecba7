"""Who could change a file of a policy: only root and the account of the service may.

It knows modes and owners, and nothing of what is in a file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

ROOT = 0
"""The uid of root."""

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def exposed(status: os.stat_result, *, uid: int | None = None) -> str:
    """Say who else could write a file or a folder; nothing where nobody could.

    ``uid`` is the account of the service, by default that of the process. In a
    folder with the sticky bit nobody can replace what belongs to another.
    """
    own = os.geteuid() if uid is None else uid
    if status.st_uid not in (ROOT, own):
        return f"belongs to uid {status.st_uid}"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & _OTHERS and not sticky:
        return f"can be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""


def exposed_folder(path: Path) -> str:
    """Say who else could replace a file, through the folder that it really lies in.

    Raises OSError where that cannot be told.
    """
    return exposed(path.resolve(strict=True).parent.stat())
