"""What stands in for look-ups: the file behind ``--given``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from authz.errors import ConfigurationError
from authz.facts.questions import Answers
from authz.tools.rehearse import answers_from


def read_given(path: Path | None) -> Answers:
    """Return the answers in a TOML file; none without one.

    The tables are those of a policy test: ``[container.web]``, ``[image.nginx]``,
    ``[daemon]``, with or without ``given.`` or ``case.given.`` before them. Raises
    ConfigurationError where the file cannot be read or says something else.
    """
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: not TOML: the tables are nested too deeply") from None
    for name in ("case", "given"):
        inner = tables.get(name)
        if len(tables) == 1 and isinstance(inner, dict):
            tables = inner
    try:
        return answers_from(tables)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
