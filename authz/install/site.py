"""Where things are put, and whether they are put there at all.

It knows files and systemd's commands, and nothing of what is installed.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from authz.errors import ConfigurationError

SYSTEMD = Path("/run/systemd/system")
"""The folder that is there where systemd runs (sd_booted(3))."""

COMMAND_TIME = 120
"""Seconds for one command of systemd; the start of a service has its own limit."""


@dataclass(frozen=True, slots=True)
class Site:
    """A file system, which may be one below a folder, and who is told of each step.

    With ``dry`` every step is told and none is made.
    """

    root: Path = Path("/")
    dry: bool = False
    say: Callable[[str], None] = field(default=lambda _: None)
    systemd: Path = SYSTEMD

    @property
    def living(self) -> bool:
        """Whether this is the system that runs, and not a folder with an image of one."""
        return self.root == Path("/")

    @property
    def managed(self) -> bool:
        """Whether systemd runs here."""
        return self.living and self.systemd.is_dir()

    def path(self, place: str | Path) -> Path:
        """Return where a path lies here."""
        return self.root / Path(place).relative_to("/")

    def write(self, place: Path, text: str, mode: int = 0o644) -> None:
        """Write a file as one, and make the folders that are missing, closed to others."""
        self.say(f"write {place}")
        if self.dry:
            return
        _make_folders(place.parent)
        replace(place, text, mode)

    def copy(self, source: Path, place: Path) -> None:
        """Copy a folder as one; what lies in it is root's alone to change."""
        self.say(f"copy {source} to {place}")
        if self.dry:
            return
        _make_folders(place.parent)
        aside = _aside(place)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            with _told(place):
                shutil.copytree(source, aside)
            for path in (aside, *aside.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            aside.rename(place)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            raise

    def remove(self, place: Path) -> None:
        """Remove a file, if it is there."""
        if place.exists():
            self.say(f"remove {place}")
            if not self.dry:
                place.unlink()

    def manage(self, *words: str) -> None:
        """Have systemd do something; where it does not run it is only told what to do.

        Raises ConfigurationError with what systemd says.
        """
        if not self.managed:
            self.say(f"without systemd, not done: systemctl {' '.join(words)}")
            return
        self.say(f"run systemctl {' '.join(words)}")
        if not self.dry:
            _run(["systemctl", *words])


def replace(place: Path, text: str | bytes, mode: int) -> None:
    """Write a file under another name and put it in the place of the old one.

    Whoever reads it sees the one or the other. Owner and mode of an old one stay. Raises OSError,
    with the name of the file, and leaves nothing beside it.
    """
    aside = _aside(place)
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with _told(place), os.fdopen(descriptor, "wb") as file:
            if place.exists():
                status = place.stat()
                os.fchown(descriptor, status.st_uid, status.st_gid)
                mode = status.st_mode & 0o7777
            os.fchmod(descriptor, mode)
            file.write(text if isinstance(text, bytes) else text.encode())
            file.flush()
            os.fsync(descriptor)
        aside.replace(place)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def _aside(place: Path) -> Path:
    return place.with_name(f".{place.name}.new")


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """Name the file in an error that does not: one of writing, and that of a copied folder."""
    try:
        yield
    except shutil.Error as error:
        source, _, why = error.args[0][0]  # "[Errno 28] No space left on device: ..."
        cause = why.partition("] ")[2].partition(": ")[0] or why
        raise OSError(errno.EIO, f"{source} cannot be copied: {cause}", str(place)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or str(place)) from error


def _make_folders(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o755, exist_ok=True)


def _run(words: Sequence[str]) -> None:
    line = " ".join(words)
    try:
        done = subprocess.run(  # noqa: S603  words of our own
            words, capture_output=True, text=True, check=False, timeout=COMMAND_TIME
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"{line}: {error}") from None
    if done.returncode != 0:
        raise ConfigurationError(f"{line}: {done.stderr.strip() or done.returncode}")
