"""A client certificate, as the daemon passes it to a plugin, to an identity.

The daemon verifies the chain when it runs with ``tlsverify``, and tells a
plugin the common name of the leaf (moby pkg/authorization/authz.go: ``User``
and ``UserAuthNMethod``), and the certificates themselves.
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from authz.errors import Reason, RefusedError
from authz.identity.identity import Identity, Proof
from authz.wire.evidence import Evidence

METHOD = "TLS"
"""The only value of ``UserAuthNMethod`` that the daemon has."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@ +=/-]{0,254}[A-Za-z0-9_]|[A-Za-z0-9_]")
"""Names that can stand in a policy: no comma, quote or sign that reads differently there."""

RESERVED = re.compile(r"(user|group|role|pack|cert|token|container):", re.IGNORECASE)


def daemon_certificate(evidence: Evidence) -> Identity | None:
    """Return ``cert:<common name>`` of the certificate that the daemon verified.

    None when the daemon names nobody. Raises RefusedError(BAD_CREDENTIAL) on a
    name that is not one plain name, on a certificate that says something else,
    and on a method of proof that the daemon does not have.
    """
    if not evidence.daemon_user and not evidence.daemon_method:
        return None
    if evidence.daemon_method != METHOD:
        raise _bad(f"the daemon's method of proof is {evidence.daemon_method!r}; expected 'TLS'")
    name = evidence.daemon_user
    if RESERVED.match(name):
        raise _bad(f"the certificate's common name {name!r} begins with a type prefix")
    if not NAME.fullmatch(name):
        raise _bad(f"the certificate's common name is {name!r}; expected one plain name")
    fingerprint = _fingerprint(evidence.certificates[0], name) if evidence.certificates else ""
    return Identity(f"cert:{name}", proof=Proof.CERTIFICATE, certificate=fingerprint)


def _fingerprint(pem: str, name: str) -> str:
    """Return the leaf's SHA-256 in hex, after comparing its only common name."""
    try:
        leaf = x509.load_pem_x509_certificate(pem.encode())
        names = [a.value for a in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except ValueError:
        raise _bad("the client's certificate cannot be read") from None
    if names != [name]:
        raise _bad(f"the certificate has the common names {names!r}; expected {name!r} alone")
    return leaf.fingerprint(SHA256()).hex()


def _bad(detail: str) -> RefusedError:
    return RefusedError(Reason.BAD_CREDENTIAL, detail)
