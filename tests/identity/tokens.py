"""An issuer of tokens with keys of its own."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from authz.identity.bearer import Bearer, Rules
from authz.identity.keys import KeyRing, read_keys

NOW = 1_800_000_000.0
RULES = Rules(
    issuer="https://issuer.example",
    audience="dockgate",
    algorithms=frozenset({"ES256", "RS256", "EdDSA"}),
    tenant="tenant",
)
EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505  it has to be refused
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def a_jwk(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    """Return the public half of a key as a member of a set."""
    maker = {
        ec.EllipticCurvePrivateKey: ECAlgorithm,
        rsa.RSAPrivateKey: RSAAlgorithm,
        ed25519.Ed25519PrivateKey: OKPAlgorithm,
    }
    algorithm = next(found for kind, found in maker.items() if isinstance(key, kind))
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **members}


def a_set(*keys: dict[str, Any]) -> bytes:
    """Return a key set."""
    return json.dumps({"keys": list(keys)}).encode()


USUAL = a_set(a_jwk(EC, "ec", alg="ES256", use="sig"), a_jwk(RSA, "rsa"), a_jwk(EDWARDS, "ed"))


def a_token(
    key: Any = EC,
    algorithm: str = "ES256",
    *,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """Sign a token that is good for ten minutes; a claim of None is left out."""
    usual = {
        "iss": RULES.issuer,
        "aud": RULES.audience,
        "sub": "alice",
        "iat": int(NOW),
        "exp": int(NOW) + 600,
    }
    said = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm, headers={"kid": "ec", **(header or {})})


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"x") -> str:
    """Write a token by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@dataclass
class Issuer:
    """A method with a clock that tests can move."""

    now: float = NOW
    rules: Rules = RULES
    ring: KeyRing = field(init=False)
    bearer: Bearer = field(init=False)

    def __post_init__(self) -> None:
        """Believe the usual keys."""
        self.ring = KeyRing(lambda: self.now)
        self.ring.replace(read_keys(USUAL))
        self.bearer = Bearer(self.rules, self.ring, lambda: self.now)
