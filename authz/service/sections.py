"""The tables of the settings file: what each key holds, and which fit together.

It knows no file and no environment; ``authz.service.config`` reads those. Every table is
closed to keys that nobody knows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

TCP = re.compile(r"tcp://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
"""An address with a port."""


class Section(BaseModel):
    """A table of the file: frozen, and closed to keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_no_null(cls, table: object) -> object:
        """Refuse what no path and no name can hold, before a system call stumbles over it."""
        for key, value in table.items() if isinstance(table, dict) else ():
            texts = value if isinstance(value, list) else [value]
            if any(isinstance(text, str) and "\0" in text for text in texts):
                raise ValueError(f"{key} has a null character; expected a text without one")
        return table


class Plugin(Section):
    """``[plugin]``: the AuthZ plugin's socket."""

    socket: Path = Path("/run/docker/plugins/dockgate.sock")

    @field_validator("socket", mode="before")
    @classmethod
    def _is_a_path(cls, value: object) -> object:
        return _no_address(value)


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

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if (self.ca or self.certificate) and not self.to.startswith(("syslog+tls:", "otlp+https:")):
            raise ValueError(
                f"has TLS files, and to is {self.to!r}; expected syslog+tls: or otlp+https:"
            )
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

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: str) -> object:
        return _no_address(value)

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

    mode: str = "0600"
    group: str = ""

    @field_validator("mode")
    @classmethod
    def _is_a_mode(cls, value: str) -> str:
        if not re.fullmatch(r"0[0-7]{3}", value):
            raise ValueError(f"is {value!r}; expected four octal digits such as 0660")
        return value


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
    filter: bool = False
    """Leave out of lists what the caller could not inspect."""
    insecure: bool = False
    """Serve in the clear, or without any proof. Said loudly at every start."""

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return value if TCP.fullmatch(value) else _unix_address(value, " or tcp://host:port")

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
    cache: bool = True
    """Keep answers of the daemon for as long as its events allow."""
    pin_images: bool = False
    """Create containers by the image id that was judged, whatever its tag means by then."""
    owner_labels: bool = False
    """Write into what is created whose it is, so that ``on:own`` can be told later."""


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
    grants: Path | None = None
    """File that keeps grants for a while over a restart; without one they end with the process."""
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
        listens = self.proxy.listen if self.proxy else []
        if any("jwt" in each.identity for each in listens) and self.identity.jwt is None:
            raise ValueError("proxy.listen has the identity jwt; expected [identity.jwt]")
        return self


def _unix_address(value: str, other: str = "") -> str:
    if not value.startswith("unix:///") or value.endswith("/"):
        raise ValueError(f"is {value!r}; expected unix:///path/to.sock{other}")
    return value


def _no_address(value: object) -> object:
    """Refuse what other settings take: as a path it would be one below the file's folder."""
    if isinstance(value, str) and "://" in value:
        raise ValueError(f"is {value!r}; expected a path, without unix:// or the like")
    return value


def _is_local(address: str) -> bool:
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")
