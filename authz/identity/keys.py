"""Public keys of a token issuer, from a key set (RFC 7517).

Only what can verify a signature and nothing else is taken: no shared secrets, no
short keys, no keys for encryption. A key verifies the algorithms that fit its
type, and if the set names one, that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWKError, PyJWTError

LASTS = 24 * 3600.0
"""Seconds for which a set is believed when no newer one can be had."""

MOST_KEYS = 64
SHORTEST_RSA = 2048
"""Bits."""

_KID = re.compile(r"[!-~]{1,256}")
_CURVES = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class KeySetError(Exception):
    """A document is no key set that can be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, and the algorithms that it verifies."""

    public: Any
    algorithms: tuple[str, ...]


def read_keys(document: bytes) -> Mapping[str, Key]:
    """Return the usable keys by their id. Raises KeySetError where there is none.

    Keys without an id, of other types or for other uses are left out: an issuer
    may publish some for somebody else.
    """
    try:
        value = json.loads(document)
        listed = value["keys"]
        if not isinstance(listed, list) or len(listed) > MOST_KEYS:
            raise KeySetError(f"keys are no list of at most {MOST_KEYS}")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeySetError("is no key set; expected a JSON object with a list of keys") from None
    found: dict[str, Key] = {}
    for each in listed:
        kid = each.get("kid") if isinstance(each, dict) else None
        if not isinstance(kid, str) or not _KID.fullmatch(kid):
            continue
        if kid in found:
            raise KeySetError(f"has the key id {kid!r} twice")
        key = _key(each)
        if key is not None:
            found[kid] = key
    if not found:
        raise KeySetError("has no key that verifies signatures")
    return found


def _key(member: Mapping[str, Any]) -> Key | None:
    algorithms = _algorithms(member)
    stated = member.get("alg")
    if stated is not None:
        algorithms = tuple(each for each in algorithms if each == stated)
    uses = member.get("key_ops", ["verify"])
    usable = member.get("use", "sig") == "sig" and isinstance(uses, list) and "verify" in uses
    if not algorithms or not usable or "d" in member:
        return None
    try:
        public = PyJWK(dict(member), algorithms[0]).key
    except (PyJWKError, PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(public, RSAPublicKey) and public.key_size < SHORTEST_RSA:
        return None
    return Key(public, algorithms)


def _algorithms(member: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the algorithms that the type of a key can verify."""
    match member.get("kty"), member.get("crv"):
        case "RSA", _:
            return _RSA
        case "EC", str(curve):
            return _CURVES.get(curve, ())
        case "OKP", "Ed25519":
            return ("EdDSA",)
    return ()


class KeyRing:
    """The keys of one issuer that are believed now."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without any key; ``clock`` in seconds."""
        self._clock = clock
        self._keys: Mapping[str, Key] = {}
        self._since: float | None = None

    def replace(self, keys: Mapping[str, Key]) -> None:
        """Believe these from now on, and none of the old ones."""
        self._keys = keys
        self._since = self._clock()

    @property
    def age(self) -> float | None:
        """Seconds since the set was fetched; None where there is none."""
        return None if self._since is None else self._clock() - self._since

    def find(self, kid: str) -> Key | None:
        """Return a key, unless the set is too old to be believed."""
        age = self.age
        return self._keys.get(kid) if age is not None and age <= LASTS else None
