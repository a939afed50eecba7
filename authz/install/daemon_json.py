"""The daemon's settings with one plugin more, or one less.

What else is in the file stays as it is, in its order. It knows the file and
the daemon's own check of it.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authz.errors import ConfigurationError
from authz.install.site import replace

KEY = "authorization-plugins"

UNKNOWN = re.compile(r"unknown flag: --validate")
"""What daemons before 23.0 say."""

_TIME = 30
_INDENTED = re.compile(r"\n([ \t]+)\"")


def with_plugin(text: str, name: str, where: Path) -> str:
    """Return the settings with a plugin as the last that is asked.

    An empty text is a file that is not there. Settings that say so already are
    returned as they are. Raises ConfigurationError where the daemon could not
    read what is there.
    """
    settings = _read(text, where)
    before = _names(settings, where)
    names = [*(each for each in before if each != name), name]
    return text if names == before else _written(text, {**settings, KEY: names})


def without_plugin(text: str, name: str, where: Path) -> str:
    """Return the settings without a plugin, and without the list where it was alone."""
    settings = _read(text, where)
    before = _names(settings, where)
    names = [each for each in before if each != name]
    if names == before:
        return text
    if names:
        return _written(text, {**settings, KEY: names})
    return _written(text, {key: value for key, value in settings.items() if key != KEY})


def text_of(content: bytes, where: Path) -> str:
    """Decode a file as the daemon does. Raises ConfigurationError."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{where}: is not UTF-8; nothing was changed") from None


def back_up(file: Path) -> Path | None:
    """Copy the file beside itself, and return the copy; None where there is no file."""
    if not file.exists():
        return None
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    copy = file.with_name(f"{file.name}.before-dockgate-{now}")
    replace(copy, file.read_bytes(), file.stat().st_mode & 0o777)
    return copy


def complaint(text: str, program: Sequence[str]) -> str | None:
    """Let the daemon's program read settings, and return what is wrong; nothing where all is well.

    None where it cannot check, as before 23.0. ``program`` is its command line.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            done = subprocess.run(  # noqa: S603  the daemon's own program
                [*program, "--validate", "--config-file", file.name],
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIME,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    said = (done.stderr + done.stdout).strip()
    if UNKNOWN.search(said):
        return None
    return "" if done.returncode == 0 else said


def _read(text: str, where: Path) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where}: is not JSON: {error}; nothing was changed") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{where}: is no JSON object; nothing was changed")
    return found


def _names(settings: dict[str, Any], where: Path) -> list[str]:
    names = settings.get(KEY) or []
    if isinstance(names, list) and all(isinstance(each, str) for each in names):
        return names
    raise ConfigurationError(
        f"{where}: {KEY} is {json.dumps(names)}; expected a list of names; nothing was changed"
    )


def _written(before: str, settings: dict[str, Any]) -> str:
    """Write it as it was indented before."""
    found = _INDENTED.search(before)
    return json.dumps(settings, indent=found[1] if found else 2, ensure_ascii=False) + "\n"
