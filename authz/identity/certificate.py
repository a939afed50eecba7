"""A client certificate to an identity: from the daemon's word, or from our own handshake.

The daemon verifies the chain when it runs with ``tlsverify``, and tells a
plugin the common name of the leaf (moby pkg/authorization/authz.go: ``User``
and ``UserAuthNMethod``), and the certificates themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from authz.errors import Reason, RefusedError
from authz.identity.identity import Identity, Proof
from authz.lazy import later
from authz.wire.evidence import Evidence

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
else:
    x509 = later("cryptography.x509")
    hashes = later("cryptography.hazmat.primitives.hashes")

METHOD = "TLS"
"""The only value of ``UserAuthNMethod`` that the daemon has."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@ +=/-]{0,254}[A-Za-z0-9_]|[A-Za-z0-9_]")
"""Names that can stand in a policy: no comma, quote or sign that reads differently there."""

SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]{1,128}){1,16}")
"""An identity of SPIFFE: a trust domain and a path. No common name has its colon."""

_LIST = re.compile(rb"-----BEGIN X509 CRL-----")

RESERVED = re.compile(r"(user|group|role|pack|cert|token|container):", re.IGNORECASE)


def _now() -> datetime:
    return datetime.now(UTC)


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


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revocation list: whose it is, which serial numbers are on it, until when it holds.

    ``further`` are those of other authorities.
    """

    issuer: bytes
    serials: frozenset[int]
    until: datetime | None
    further: tuple[Revoked, ...] = ()

    def check(self, issuer: bytes, serial: int, now: datetime) -> None:
        """Raise RefusedError(BAD_CREDENTIAL) for a certificate on one, and when one is too old."""
        if self.until is not None and now > self.until:
            raise _bad("the revocation list has expired")
        if issuer == self.issuer and serial in self.serials:
            raise _bad("the client's certificate is revoked")
        for each in self.further:
            each.check(issuer, serial, now)


def read_revoked(pem: bytes) -> Revoked:
    """Read a file of revocation lists, one for each authority. Raises ValueError."""
    begins = [found.start() for found in _LIST.finditer(pem)] or [0]
    first, *further = (_revoked(pem[begin:end]) for begin, end in zip_longest(begins, begins[1:]))
    return replace(first, further=tuple(further))


def _revoked(pem: bytes) -> Revoked:
    found = x509.load_pem_x509_crl(pem)
    serials = frozenset(each.serial_number for each in found)
    return Revoked(found.issuer.public_bytes(), serials, found.next_update_utc)


def _nothing() -> None:
    """Know of no revocation list."""


class Certificate:
    """The method of a listener whose TLS handshake verified the certificate.

    ``clock`` tells the time: a connection can outlive its certificate.
    ``revoked`` returns the revocation list of now, if there is one: the
    handshake checked the one of then.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = _now,
        revoked: Callable[[], Revoked | None] = _nothing,
    ) -> None:
        self._clock = clock
        self._revoked = revoked

    def __call__(self, evidence: Evidence) -> Identity | None:
        """Return ``cert:<common name>``, its organisational units as ``group:cert/...``.

        A certificate without a common name is its one SPIFFE URI. None where
        there is no certificate. Raises RefusedError(BAD_CREDENTIAL) on names
        that are not one plain name, and on a certificate whose time is over.
        """
        if not evidence.certificates:
            return None
        leaf = _leaf(evidence.certificates[0])
        if not leaf.begins <= self._clock() <= leaf.ends:
            raise _bad("the client's certificate is out of its time")
        revoked = self._revoked()
        if revoked is not None:
            revoked.check(leaf.issuer, leaf.serial, self._clock())
        groups = (f"group:cert/{unit}" for unit in leaf.units if _plain(unit))
        return Identity(
            f"cert:{_subject(leaf)}",
            tuple(dict.fromkeys(groups)),
            proof=Proof.CERTIFICATE,
            certificate=leaf.fingerprint,
        )


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of a certificate in hex. Raises RefusedError(BAD_CREDENTIAL)."""
    return _leaf(pem).fingerprint


@dataclass(frozen=True, slots=True)
class _Leaf:
    """What counts of a certificate."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    uris: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: str
    issuer: bytes
    serial: int


@lru_cache(maxsize=1024)
def _leaf(pem: str) -> _Leaf:
    """Read a certificate; each connection shows the same one with every request."""
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        return _Leaf(
            _texts(found.subject, x509.oid.NameOID.COMMON_NAME),
            _texts(found.subject, x509.oid.NameOID.ORGANIZATIONAL_UNIT_NAME),
            _uris(found),
            found.not_valid_before_utc,
            found.not_valid_after_utc,
            found.fingerprint(hashes.SHA256()).hex(),
            found.issuer.public_bytes(),
            found.serial_number,
        )
    except ValueError:
        raise _bad("the client's certificate cannot be read") from None


def _texts(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    values = (attribute.value for attribute in name.get_attributes_for_oid(oid))
    return tuple(value if isinstance(value, str) else "" for value in values)


def _uris(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.UnsupportedGeneralNameType, x509.DuplicateExtension):
        return ()
    return tuple(names.get_values_for_type(x509.UniformResourceIdentifier))


def _subject(leaf: _Leaf) -> str:
    if not leaf.names and len(leaf.uris) == 1 and SPIFFE.fullmatch(leaf.uris[0]):
        return leaf.uris[0]
    if len(leaf.names) != 1 or not _plain(leaf.names[0]):
        raise _bad(f"the certificate has the common names {list(leaf.names)!r}; expected one plain")
    return leaf.names[0]


def _plain(name: str) -> bool:
    return bool(NAME.fullmatch(name)) and not RESERVED.match(name)


def _fingerprint(pem: str, name: str) -> str:
    """Return the leaf's SHA-256 in hex, after comparing its only common name."""
    try:
        leaf = x509.load_pem_x509_certificate(pem.encode())
        names = [a.value for a in leaf.subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)]
    except ValueError:
        raise _bad("the client's certificate cannot be read") from None
    if names != [name]:
        raise _bad(f"the certificate has the common names {names!r}; expected {name!r} alone")
    return leaf.fingerprint(hashes.SHA256()).hex()


def _bad(detail: str) -> RefusedError:
    return RefusedError(Reason.BAD_CREDENTIAL, detail)
