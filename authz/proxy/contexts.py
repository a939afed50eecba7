"""TLS settings to contexts: who is trusted, and what is never done.

A context is made anew when files change; connections that stand keep theirs, unless
an authority that it trusted is gone.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from authz.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Files of a listener. ``required`` turns away who has no certificate."""

    certificate: Path
    key: Path
    client_ca: Sequence[Path] = ()
    crl: Path | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """Files for the way to the daemon."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


def server_context(files: ServerFiles) -> ssl.SSLContext:
    """Return a listener's context: TLS 1.2 or newer, no tickets, HTTP/1.1 alone.

    A ticket would carry a certificate into the context of later files. What TLS 1.2
    remembers without one ends with the context, and each request looks at the
    certificate again. With a revocation list an expired one refuses everybody. Raises
    ConfigurationError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    _load(context, files.certificate, files.key)
    for authority in files.client_ca:
        _trust(context, authority)
    if files.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED if files.required else ssl.CERT_OPTIONAL
    if files.crl:
        _trust(context, files.crl)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


def trusts(context: ssl.SSLContext, earlier: ssl.SSLContext) -> bool:
    """Say whether a context still trusts every authority that an earlier one did."""
    now, before = (set(each.get_ca_certs(binary_form=True)) for each in (context, earlier))
    return before <= now


def client_context(files: ClientFiles) -> ssl.SSLContext:
    """Return the context for the daemon, whose name is verified. Raises ConfigurationError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _trust(context, files.ca)
    if files.certificate:
        _load(context, files.certificate, files.key or files.certificate)
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except FileNotFoundError:
        raise ConfigurationError(f"{certificate}, {key}: one of them does not exist") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{certificate}, {key}: no certificate with its key: {error}"
        ) from None


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: the file does not exist") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be used: {error}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted; expected one without a password")
