"""A bearer token (JWT, RFC 7519) to an identity.

PyJWT verifies the signature; every rule about what a token may be is stated
here, because its defaults leave most of them open. Keys come from a ring that
somebody else fills: nothing here waits.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import (
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from authz.errors import Reason, RefusedError
from authz.identity.certificate import NAME, RESERVED, fingerprint
from authz.identity.identity import Identity, Proof
from authz.identity.keys import KeyRing
from authz.wire.evidence import Evidence

LONGEST = 8 * 1024
MOST_GROUPS = 256

_FORBIDDEN = frozenset({"crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64"})
"""Members of a header that would let the token say how it is to be verified."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must be. Times in seconds; ``groups`` and ``tenant`` name claims."""

    issuer: str
    audience: str
    algorithms: frozenset[str]
    type: str = "JWT"
    lifetime: int = 3600
    leeway: int = 30
    groups: str = "groups"
    tenant: str = ""


class Bearer:
    """The method of a listener that takes tokens of one issuer. ``clock`` is seconds since 1970."""

    def __init__(self, rules: Rules, ring: KeyRing, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._ring = ring
        self._clock = clock

    def __call__(self, evidence: Evidence) -> Identity | None:
        """Return ``token:<sub>`` with its groups; None where no credential was sent.

        Raises RefusedError(BAD_CREDENTIAL) for whatever is not exactly a token
        of the issuer for this audience, now.
        """
        if evidence.bearer is None:
            return None
        header = self.header(evidence.bearer)
        claims = self._verified(evidence.bearer, header)
        self._check_times(claims)
        self._check_binding(claims, evidence)
        subject = _plain(claims["sub"], "sub")
        return Identity(
            f"token:{subject}",
            self._groups(claims),
            self._tenant(claims),
            proof=Proof.JWT,
        )

    def header(self, token: str) -> Mapping[str, str]:
        """Return ``alg`` and ``kid`` of a token that may be verified. Raises RefusedError."""
        if len(token) > LONGEST or not _TOKEN.fullmatch(token):
            raise _bad("the credential is not a bearer token of three parts")
        try:
            part = token.partition(".")[0]
            header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, binascii.Error, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise _bad("the token's header cannot be read")
        if forbidden := _FORBIDDEN & header.keys():
            raise _bad(f"the token's header has {min(forbidden)}, which is not taken")
        if header.get("typ") != self._rules.type:
            raise _bad(f"the token's type is not {self._rules.type}")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._rules.algorithms:
            raise _bad("the token's algorithm is none of those that are taken here")
        if not isinstance(kid, str):
            raise _bad("the token names no key")
        return {"alg": algorithm, "kid": kid}

    def _verified(self, token: str, header: Mapping[str, str]) -> dict[str, Any]:
        key = self._ring.find(header["kid"])
        if key is None:
            raise _bad("the token's key is not known")
        if header["alg"] not in key.algorithms:
            raise _bad("the token's algorithm does not fit its key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[header["alg"]],
                audience=self._rules.audience,
                issuer=self._rules.issuer,
                options={
                    "require": _REQUIRED,
                    # The times are checked below, by a clock that tests can hold.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise _bad(self._problem(error)) from None
        return claims

    def _problem(self, error: Exception) -> str:
        match error:
            case MissingRequiredClaimError():
                return f"the token has no {error.claim}"
            case InvalidIssuerError():
                return f"the token's iss is another one; expected {self._rules.issuer!r}"
            case InvalidAudienceError():
                return f"the token's aud is another one; expected {self._rules.audience!r}"
            case InvalidSignatureError():
                return "the token's signature is not one of its key"
        return "the token cannot be read"

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        times = [claims["exp"], claims["iat"], claims.get("nbf", claims["iat"])]
        if not all(type(each) in {int, float} and abs(each) < 1 << 53 for each in times):
            raise _bad("the token has a time that is no number")
        expires, issued, begins = times
        now, leeway = self._clock(), self._rules.leeway
        if now >= expires + leeway:
            raise _bad("the token has expired")
        if issued > now + leeway or begins > now + leeway:
            raise _bad("the token is not valid yet")
        if not 0 < expires - issued <= self._rules.lifetime:
            raise _bad(f"the token is good for more than {self._rules.lifetime} seconds")

    def _check_binding(self, claims: Mapping[str, Any], evidence: Evidence) -> None:
        """Hold a token that is bound to a certificate to it (RFC 8705)."""
        if "cnf" not in claims:
            return
        bound = claims["cnf"]
        if not isinstance(bound, dict) or set(bound) != {"x5t#S256"}:
            raise _bad("the token is bound to something that is not known here")
        if not evidence.certificates:
            raise _bad("the token is bound to a certificate; expected the client to show it")
        digest = bytes.fromhex(fingerprint(evidence.certificates[0]))
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if bound["x5t#S256"] != shown:
            raise _bad("the token is bound to another certificate")

    def _groups(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        listed = claims.get(self._rules.groups, [])
        if not isinstance(listed, list) or len(listed) > MOST_GROUPS:
            raise _bad(f"the token's {self._rules.groups} is no list of at most {MOST_GROUPS}")
        named = (_plain(each, self._rules.groups) for each in listed)
        return tuple(dict.fromkeys(f"group:token/{each}" for each in named))

    def _tenant(self, claims: Mapping[str, Any]) -> str:
        claim = self._rules.tenant
        if not claim or claim not in claims:
            return ""
        tenant = claims[claim]
        if not isinstance(tenant, str) or not _WORD.fullmatch(tenant):
            raise _bad(f"the token's {claim} is no name of a tenant")
        return tenant


def _plain(value: object, claim: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value) or RESERVED.match(value):
        raise _bad(
            f"the token's {claim} is or has no plain name; expected letters, digits and "
            "_.@ +=/-, so no colon as in user: or repo:"
        )
    return value


def _bad(detail: str) -> RefusedError:
    return RefusedError(Reason.BAD_CREDENTIAL, detail)
