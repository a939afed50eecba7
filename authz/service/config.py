"""The settings: a TOML file, then environment variables over its scalars.

Only ``app`` and ``cli`` know that settings exist; every other part takes
arguments. Unknown keys are refused, relative paths start at the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from authz.errors import ConfigurationError
from authz.policy.bundle import BUILTIN
from authz.service.sections import Audit, DaemonTls, Listen, Settings, Tls

ENVIRONMENT_PREFIX = "DOCKGATE_"
"""``DOCKGATE_AUDIT__PATH`` sets ``path`` of ``[audit]``."""

OUTSIDE = frozenset({"DOCKGATE_CONFIG"})
"""Variables with the prefix that are not settings."""


EXPECTED = {"path_type": "expected a path, as text", "model_type": "expected a table"}
"""What to say for kinds of errors of pydantic."""


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
    if settings.plugin is None and settings.proxy is None:
        raise ConfigurationError(
            f"{path}: no door is configured; expected a [plugin] table with a socket, "
            "or a [[proxy.listen]]"
        )
    start = path.resolve().parent if path else Path.cwd()
    return _absolute(settings, start)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: not TOML: the tables are nested too deeply") from None


def _over(written: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Lay the environment's scalars over what the file says.

    Raises ConfigurationError for a variable in other than capital letters, and for one
    that looks for its key in a scalar: what the file says there would be lost without a word.
    """
    merged = dict(written)
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in OUTSIDE:
            continue
        if name != name.upper():  # two spellings of one setting, and one would win unseen
            raise ConfigurationError(f"{name}: is not a setting; expected {name.upper()}")
        *tables, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        place = merged
        for table in tables:
            inner = place.get(table, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(f"{name}: {table} is {inner!r}; expected a table")
            place[table] = place = dict(inner)
        place[key] = environ[name]
    return merged


def socket_path(address: str) -> Path:
    """Return the path of a ``unix://`` address."""
    return Path(address.removeprefix("unix://"))


def is_file(jwks: str) -> bool:
    """Say whether keys come from a file; else it is a URL."""
    return "://" not in jwks


def _absolute(settings: Settings, start: Path) -> Settings:
    """Let relative paths start at the file's folder."""
    update: dict[str, Any] = {"policy": _bundle(settings.policy, start)}
    if settings.proxy:
        listens = [_absolute_listen(each, start) for each in settings.proxy.listen]
        update["proxy"] = settings.proxy.model_copy(update={"listen": listens})
    if settings.daemon_tls:
        update["daemon_tls"] = DaemonTls(
            **{name: start / path for name, path in settings.daemon_tls}
        )
    if settings.identity.jwt and is_file(settings.identity.jwt.jwks):
        keys = str(start / settings.identity.jwt.jwks)
        jwt = settings.identity.jwt.model_copy(update={"jwks": keys})
        update["identity"] = settings.identity.model_copy(update={"jwt": jwt})
    if settings.plugin:
        socket = start / settings.plugin.socket
        update["plugin"] = settings.plugin.model_copy(update={"socket": socket})
    for name in ("pass_key", "grants"):
        if path := getattr(settings, name):
            update[name] = start / path
    update["host_root"] = start / settings.host_root
    update["audit"] = _absolute_audit(settings.audit, start)
    return settings.model_copy(update=update)


def _absolute_audit(audit: Audit, start: Path) -> Audit:
    update: dict[str, Any] = {
        name: start / path
        for name in ("digest_key", "checkpoint_key", "checkpoints")
        if (path := getattr(audit, name)) is not None
    }
    if audit.path != "-":
        update["path"] = str(start / audit.path)
    update["forward"] = [
        each.model_copy(
            update={
                name: start / path
                for name in ("ca", "certificate", "key")
                if (path := getattr(each, name)) is not None
            }
        )
        for each in audit.forward
    ]
    return audit.model_copy(update=update)


def _absolute_listen(listen: Listen, start: Path) -> Listen:
    update: dict[str, Any] = {"policy": _bundle(listen.policy, start) if listen.policy else ""}
    if listen.tls:
        tls = listen.tls
        update["tls"] = Tls(
            certificate=start / tls.certificate,
            key=start / tls.key,
            client_ca=[start / each for each in tls.client_ca],
            crl=start / tls.crl if tls.crl else None,
        )
    return listen.model_copy(update=update)


def _bundle(reference: str, start: Path) -> str:
    return reference if reference.startswith(BUILTIN) else str(start / reference)


def _explain(error: ValidationError, path: Path | None, environ: Mapping[str, str]) -> str:
    """Say what is wrong with each key, and whether the file or a variable says so."""
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        variable = ENVIRONMENT_PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
        where = variable if variable in environ else path or "environment"
        said = f"{key or repr(key)} {_fault(problem)}" if problem["loc"] else _fault(problem)
        lines.append(f"{where}: {said}")
    return "\n".join(lines)


def _fault(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return "is not a setting"
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    # Pydantic's own words name classes of Python for these.
    expected = EXPECTED.get(problem["type"], problem["msg"][0].lower() + problem["msg"][1:])
    return f"is {_written(problem['input'])}; {expected}"


def _written(value: object) -> str:
    """Quote a value as a file has it, where Python would write it otherwise."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | time) else repr(value)
