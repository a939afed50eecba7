"""Every rule about tokens, each broken once."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authz.errors import Reason, RefusedError
from authz.identity.identity import Proof
from authz.wire.evidence import Evidence
from tests.identity.test_certificate import a_certificate
from tests.identity.tokens import EC, EDWARDS, NOW, RSA, RULES, Issuer, a_token, forged

CLAIMS = {
    "iss": RULES.issuer,
    "aud": RULES.audience,
    "sub": "alice",
    "iat": int(NOW),
    "exp": int(NOW) + 600,
}


def proved(token: str, issuer: Issuer | None = None, *certificates: str):
    """Return who a token is."""
    evidence = Evidence(bearer=token, certificates=certificates)
    return (issuer or Issuer()).bearer(evidence)


def test_a_token_names_its_subject():
    """With groups and tenant from verified claims."""
    identity = proved(a_token(groups=["ops", "dev", "ops"], tenant="ci"))

    assert identity.subject == "token:alice"
    assert identity.groups == ("group:token/ops", "group:token/dev")
    assert identity.tenant == "ci"
    assert identity.proof is Proof.JWT


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(EC, "ES256", "ec"), (RSA, "RS256", "rsa"), (EDWARDS, "EdDSA", "ed")],
)
def test_each_algorithm_verifies(key, algorithm, kid):
    """By a key of its type."""
    assert proved(a_token(key, algorithm, header={"kid": kid})).subject == "token:alice"


def test_without_a_credential_another_method_may_know():
    """None, not a refusal."""
    assert Issuer().bearer(Evidence()) is None


def test_the_edges_of_time():
    """Clocks differ by half a minute."""
    issuer = Issuer()
    for now in (NOW - 30, NOW + 629):
        issuer.now = now
        assert proved(a_token(), issuer)
    assert Issuer(rules=replace(RULES, tenant="")).bearer(
        Evidence(bearer=a_token(tenant=5, nbf=NOW + 0.5, aud=["other", "dockgate"]))
    )


def confused() -> str:
    """Sign with the public key as if it were a shared secret."""
    public = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = forged({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, CLAIMS).rpartition(".")[0]
    mac = hmac.digest(public, unsigned.encode(), hashlib.sha256)
    return f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


BROKEN = {
    "another scheme": ("", "not a bearer token"),
    "two parts": ("a.b", "not a bearer token"),
    "too long": (a_token(x="y" * 8192), "not a bearer token"),
    "no header": ("AAAA.AAAA.AAAA", "header cannot be read"),
    "a header that is a list": (forged([], {}), "header cannot be read"),
    "alg none": (forged({"alg": "none", "typ": "JWT", "kid": "ec"}, CLAIMS), "algorithm is none"),
    "alg missing": (forged({"typ": "JWT", "kid": "ec"}, CLAIMS), "algorithm is none"),
    "alg a list": (forged({"typ": "JWT", "kid": "ec", "alg": ["ES256"]}, CLAIMS), "algorithm is"),
    "alg an object": (forged({"typ": "JWT", "kid": "ec", "alg": {}}, CLAIMS), "algorithm is none"),
    "public key as a secret": (confused(), "algorithm is none"),
    "another algorithm than the key's": (
        a_token(RSA, "RS256", header={"kid": "ec"}),
        "does not fit its key",
    ),
    "another type": (a_token(header={"typ": "at+jwt"}), "type is not JWT"),
    "no type": (forged({"alg": "ES256", "kid": "ec"}, CLAIMS), "type is not JWT"),
    "no key": (forged({"alg": "ES256", "typ": "JWT"}, CLAIMS), "names no key"),
    "an unknown key": (a_token(header={"kid": "gone"}), "key is not known"),
    "another key": (a_token(ec.generate_private_key(ec.SECP256R1())), "signature is not"),
    "a broken signature": (a_token()[:-8] + "AAAAAAAA", "signature is not"),
    "critical members": (a_token(header={"crit": ["x"], "x": 1}), "has crit"),
    "its own key": (a_token(header={"jwk": {}}), "has jwk"),
    "a place of keys": (a_token(header={"jku": "https://x"}), "has jku"),
    "a chain": (a_token(header={"x5c": []}), "has x5c"),
    "a place of a chain": (a_token(header={"x5u": "https://x"}), "has x5u"),
    "claims that are a list": (
        jwt.api_jws.encode(b"[]", EC, "ES256", headers={"kid": "ec"}),
        "the token cannot be read",
    ),
    "another issuer": (a_token(iss="https://other"), "iss is another one; expected 'https:"),
    "another audience": (a_token(aud="other"), "aud is another one; expected 'dockgate'"),
    "no issuer": (a_token(iss=None), "has no iss"),
    "no audience": (a_token(aud=None), "has no aud"),
    "no subject": (a_token(sub=None), "has no sub"),
    "no expiry": (a_token(exp=None), "has no exp"),
    "no issue time": (a_token(iat=None), "has no iat"),
    "expired": (a_token(iat=NOW - 900, exp=NOW - 31), "expired"),
    "not yet issued": (a_token(iat=NOW + 60, exp=NOW + 90), "not valid yet"),
    "not yet valid": (a_token(nbf=NOW + 60), "not valid yet"),
    "good for too long": (a_token(exp=NOW + 3601), "more than 3600"),
    "expired before it was issued": (a_token(exp=NOW - 1), "more than 3600"),
    "a time that is text": (a_token(nbf="now"), "time that is no number"),
    "a time without end": (a_token(exp=10**400), "time that is no number"),
    "a role for a name": (a_token(sub="role:admin"), "sub is or has no plain"),
    "a user for a name": (a_token(sub="USER:root"), "sub is or has no plain"),
    "a name with a comma": (a_token(sub="a,b"), "sub is or has no plain"),
    "a role among groups": (a_token(groups=["ok", "role:admin"]), "groups is or has no plain"),
    "groups that are text": (a_token(groups="ops"), "groups is no list"),
    "groups that are numbers": (a_token(groups=[1]), "groups is or has no plain"),
    "too many groups": (a_token(groups=["a"] * 257), "groups is no list"),
    "a tenant that is no name": (a_token(tenant="*"), "tenant is no name"),
    "bound to a key": (a_token(cnf={"jkt": "x"}), "not known here"),
    "bound to a certificate that is not shown": (a_token(cnf={"x5t#S256": "x"}), "to show it"),
}


@pytest.mark.parametrize("form", BROKEN)
def test_what_is_not_exactly_a_token_is_refused(form):
    """And never tried as something weaker."""
    token, problem = BROKEN[form]

    with pytest.raises(RefusedError, match=problem) as refused:
        proved(token)

    assert refused.value.reason is Reason.BAD_CREDENTIAL


def test_a_bound_token_needs_its_certificate():
    """The thumbprint of the one that the handshake showed."""
    mine, other = a_certificate("alice"), a_certificate("bob")
    der = base64.b64decode("".join(mine.splitlines()[1:-1]))
    thumb = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    token = a_token(cnf={"x5t#S256": thumb})

    assert proved(token, None, mine).subject == "token:alice"
    with pytest.raises(RefusedError, match="another certificate"):
        proved(token, None, other)


def test_a_refusal_shows_nothing_of_the_token():
    """It is a credential, even a broken one."""
    with pytest.raises(RefusedError) as refused:
        proved(a_token(sub="a,secret"))

    assert "secret" not in refused.value.detail
    assert json.dumps(refused.value.detail)
