"""The settings: a TOML file, then environment variables over its scalars.

Only ``app`` and ``cli`` know that settings exist; every other part takes
arguments. Unknown keys are refused, relative paths start at the file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from authz.errors import ConfigurationError

ENVIRONMENT_PREFIX = "DOCKGATE_"
"""``DOCKGATE_AUDIT__PATH`` sets ``path`` of ``[audit]``."""

OUTSIDE = frozenset({"DOCKGATE_CONFIG"})
"""Variables with the prefix that are not settings."""


TCP = re.compile(r"tcp://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
"""An address with a port."""

EXPECTED = {"path_type": "expected a path, as text", "model_type": "expected a table"}
"""What to say for kinds of errors of pydantic."""


class Section(BaseModel):
    """A table of the file: frozen, and closed to keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plugin(Section):
    """``[plugin]``: the AuthZ plugin's socket."""

    socket: Path = Path("/run/docker/plugins/dockgate.sock")


class Forwarding(Section):
    """``[[audit.forward]]``: somebody to whom the lines of the audit are sent as well."""

    to: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("has one of certificate and key; expected both, or none")
        return self


class Audit(Section):
    """``[audit]``: where every decision is written, how durably, and what is kept."""

    path: str = "/var/log/dockgate/audit.jsonl"
    durability: Literal["write", "interval", "fsync"] = "write"
    interval_ms: int = Field(default=100, ge=10, le=60_000)
    on_failure: Literal["refuse", "allow-reads"] = "refuse"
    outcomes: bool = True
    most_refusals: float = Field(default=5, ge=0)
    """A second and caller; further ones are summed up. 0: all are written."""
    digest_key: Path | None = None
    """Key file of the digests that stand for secrets; beside ``path`` without one."""
    checkpoint_key: Path | None = None
    checkpoints: Path | None = None
    checkpoint_lines: int = Field(default=1000, ge=1)
    checkpoint_seconds: float = Field(default=60, gt=0)
    rotate_mib: int = Field(default=256, ge=0)
    rotate_hours: float = Field(default=0, ge=0)
    compress: bool = True
    keep_files: int = Field(default=0, ge=0)
    keep_days: float = Field(default=0, ge=0)
    keep_mib: int = Field(default=0, ge=0)
    forward: list[Forwarding] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_a_file(self) -> Self:
        if self.path == "-" and self.forward:
            raise ValueError("has forward and no file; expected a path, from which it is sent")
        return self


class Admin(Section):
    """``[admin]``: health and metrics."""

    address: str = "unix:///run/dockgate/admin.sock"

    @field_validator("address")
    @classmethod
    def _is_a_socket(cls, value: str) -> str:
        return _unix_address(value)


class SocketFile(Section):
    """Who may connect to a unix socket: its mode, and the group that it belongs to."""

    mode: str = Field(default="0600", pattern=r"^0[0-7]{3}$")
    group: str = ""


class Tls(Section):
    """Files of a listener: its certificate, and who signs those of clients."""

    certificate: Path
    key: Path
    client_ca: list[Path] = Field(default_factory=list)
    crl: Path | None = None


class Listen(Section):
    """``[[proxy.listen]]``: one socket of the proxy, and what it demands."""

    address: str
    identity: list[Literal["peer", "certificate", "jwt"]] = Field(default_factory=list)
    policy: str = ""
    tenant: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")
    socket: SocketFile | None = None
    tls: Tls | None = None
    insecure: bool = False
    """Serve in the clear, or without any proof. Said loudly at every start."""

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return value if TCP.fullmatch(value) else _unix_address(value)

    @model_validator(mode="after")
    def _can_be_proved(self) -> Self:
        """Hold each method against what the address can show."""
        unix = self.address.startswith("unix:")
        if "peer" in self.identity and not unix:
            raise ValueError("has the identity peer; expected a unix address")
        if "certificate" in self.identity and not (self.tls and self.tls.client_ca):
            raise ValueError("has the identity certificate; expected tls with client_ca")
        if unix and self.tls:
            raise ValueError("has tls on a unix address; expected a tcp one")
        if self.socket and not unix:
            raise ValueError("has socket on a tcp address; expected a unix one")
        if not self.identity and not self.insecure:
            raise ValueError("names no identity; expected one, or insecure = true")
        if not unix and not self.tls and not self.insecure and not _is_local(self.address):
            raise ValueError("serves tcp in the clear; expected tls, or insecure = true")
        return self


class Proxy(Section):
    """``[proxy]``: the front proxy."""

    listen: list[Listen] = Field(min_length=1)
    pin_images: bool = False
    """Create containers by the image id that was judged, whatever its tag means by then."""


class DaemonTls(Section):
    """``[daemon_tls]``: how a daemon behind ``tcp://`` is known, and we to it."""

    ca: Path
    certificate: Path
    key: Path


class Jwt(Section):
    """``[identity.jwt]``: whose tokens are believed, and what they say."""

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    jwks: str
    algorithms: list[
        Literal["ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384"]
    ] = Field(min_length=1)
    type: str = "JWT"
    lifetime: int = Field(default=3600, gt=0, le=86_400)
    leeway: int = Field(default=30, ge=0, le=300)
    groups: str = "groups"
    """The claim with a list of groups."""
    tenant: str = ""
    """The claim with the tenant; without one tokens name none."""


class IdentitySettings(Section):
    """``[identity]``: proofs that need settings."""

    jwt: Jwt | None = None


class Settings(Section):
    """Everything that ``dockgate serve`` can be told."""

    policy: str = "builtin:developer"
    mode: Literal["enforce", "shadow"] = "enforce"
    daemon_tls: DaemonTls | None = None
    daemon: str = Field(default="unix:///var/run/docker.sock", validate_default=True)
    pass_key: Path | None = None
    """Key file of the look-ups' pass; without one the key lives in memory."""
    host_root: Path = Path("/")
    """Where the daemon's file system is seen from here; another folder in a container."""
    plugin: Plugin | None = None
    proxy: Proxy | None = None
    identity: IdentitySettings = Field(default_factory=IdentitySettings)
    audit: Audit = Field(default_factory=Audit)
    admin: Admin | None = None

    @field_validator("daemon")
    @classmethod
    def _is_a_daemon(cls, value: str, info: ValidationInfo) -> str:
        secure = info.data.get("daemon_tls") is not None
        if secure and not TCP.fullmatch(value):
            raise ValueError(f"is {value!r}; expected tcp://host:port, as [daemon_tls] is there")
        if value.startswith("tcp:") and not secure:
            raise ValueError(f"is {value!r}; expected unix:///path/to.sock, or also [daemon_tls]")
        return value if secure else _unix_address(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.daemon.startswith("tcp:") is (self.daemon_tls is None):
            raise ValueError(
                "daemon and [daemon_tls] do not fit: tcp:// needs it, unix:// has none"
            )
        listens = self.proxy.listen if self.proxy else []
        if any("jwt" in each.identity for each in listens) and self.identity.jwt is None:
            raise ValueError("proxy.listen has the identity jwt; expected [identity.jwt]")
        return self


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


def is_file(jwks: str) -> bool:
    """Say whether keys come from a file; else it is a URL."""
    return "://" not in jwks


def _is_local(address: str) -> bool:
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


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
    if settings.pass_key:
        update["pass_key"] = start / settings.pass_key
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
    return reference if reference.startswith("builtin:") else str(start / reference)


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
