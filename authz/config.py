"""The settings: a TOML file, then environment variables over its scalars.

Only ``app`` and ``cli`` know that settings exist; every other part takes
arguments. Unknown keys are refused, relative paths start at the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from authz.errors import ConfigurationError

ENVIRONMENT_PREFIX = "DOCKGATE_"
"""``DOCKGATE_AUDIT__PATH`` sets ``path`` of ``[audit]``."""

OUTSIDE = frozenset({"DOCKGATE_CONFIG"})
"""Variables with the prefix that are not settings."""


EXPECTED = {"path_type": "expected a path, as text", "model_type": "expected a table"}
"""What to say for kinds of errors of pydantic."""


class Section(BaseModel):
    """A table of the file: frozen, and closed to keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plugin(Section):
    """``[plugin]``: the AuthZ plugin's socket."""

    socket: Path = Path("/run/docker/plugins/dockgate.sock")


class Audit(Section):
    """``[audit]``: where every decision is written, and how durably."""

    path: str = "/var/log/dockgate/audit.jsonl"
    durability: Literal["write", "fsync"] = "write"


class Admin(Section):
    """``[admin]``: health and metrics."""

    address: str = "unix:///run/dockgate/admin.sock"

    @field_validator("address")
    @classmethod
    def _is_a_socket(cls, value: str) -> str:
        return _unix_address(value)


class Settings(Section):
    """Everything that ``dockgate serve`` can be told."""

    policy: str = "builtin:developer"
    mode: Literal["enforce", "shadow"] = "enforce"
    daemon: str = "unix:///var/run/docker.sock"
    pass_key: Path | None = None
    """Key file of the look-ups' pass; without one the key lives in memory."""
    host_root: Path = Path("/")
    """Where the daemon's file system is seen from here; another folder in a container."""
    plugin: Plugin | None = None
    audit: Audit = Field(default_factory=Audit)
    admin: Admin | None = None

    @field_validator("daemon")
    @classmethod
    def _is_a_daemon(cls, value: str) -> str:
        return _unix_address(value)


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises ConfigurationError, naming every key that is wrong.

    Without a file the defaults hold, with the plugin's socket switched on: a
    service that opens no door would be a mistake.
    """
    written = _read(path) if path else {"plugin": {}, "admin": {}}
    merged = _over(written, environ)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, path, environ)) from None
    if settings.plugin is None:
        raise ConfigurationError(
            f"{path}: no door is configured; expected a [plugin] table with a socket"
        )
    start = path.resolve().parent if path else Path.cwd()
    return _absolute(settings, settings.plugin, start)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None


def _over(written: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Lay the environment's scalars over what the file says.

    Raises ConfigurationError for a variable that looks for its key in a
    scalar: what the file says there would be lost without a word.
    """
    merged = dict(written)
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in OUTSIDE:
            continue
        *tables, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        place = merged
        for table in tables:
            inner = place.get(table, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(f"{name}: {table} is {inner!r}; expected a table")
            place[table] = place = dict(inner)
        place[key] = environ[name]
    return merged


def _unix_address(value: str) -> str:
    if not value.startswith("unix:///") or value.endswith("/"):
        raise ValueError(f"is {value!r}; expected unix:///path/to.sock")
    return value


def socket_path(address: str) -> Path:
    """Return the path of a ``unix://`` address."""
    return Path(address.removeprefix("unix://"))


def _absolute(settings: Settings, plugin: Plugin, start: Path) -> Settings:
    """Let relative paths start at the file's folder."""
    update: dict[str, Any] = {}
    if not settings.policy.startswith("builtin:"):
        update["policy"] = str(start / settings.policy)
    if settings.pass_key:
        update["pass_key"] = start / settings.pass_key
    update["host_root"] = start / settings.host_root
    update["plugin"] = plugin.model_copy(update={"socket": start / plugin.socket})
    if settings.audit.path != "-":
        update["audit"] = settings.audit.model_copy(
            update={"path": str(start / settings.audit.path)}
        )
    return settings.model_copy(update=update)


def _explain(error: ValidationError, path: Path | None, environ: Mapping[str, str]) -> str:
    """Say what is wrong with each key, and whether the file or a variable says so."""
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        variable = ENVIRONMENT_PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
        where = variable if variable in environ else path or "environment"
        lines.append(f"{where}: {key} {_fault(problem)}")
    return "\n".join(lines)


def _fault(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return "is not a setting"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    # Pydantic's own words name classes of Python for these.
    expected = EXPECTED.get(problem["type"], problem["msg"][0].lower() + problem["msg"][1:])
    return f"is {problem['input']!r}; {expected}"
