"""Which keys of a set are believed, and for how long."""

import json

import pytest

from authz.identity.keys import LASTS, KeyRing, KeySetError, read_keys
from tests.identity.tokens import EC, EDWARDS, RSA, SHORT, USUAL, a_jwk, a_set


def test_keys_verify_what_fits_their_type():
    """And only what the set says, if it says so."""
    keys = read_keys(USUAL)

    assert keys["ec"].algorithms == ("ES256",)
    assert keys["ed"].algorithms == ("EdDSA",)
    assert "RS256" in keys["rsa"].algorithms
    assert not any(each.startswith("HS") for key in keys.values() for each in key.algorithms)


@pytest.mark.parametrize(
    "member",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        a_jwk(SHORT, "a"),
        a_jwk(RSA, "a", use="enc"),
        a_jwk(RSA, "a", key_ops=["sign"]),
        a_jwk(RSA, "a", key_ops=None),
        a_jwk(RSA, "a", key_ops=1),
        a_jwk(RSA, "a", alg="HS256"),
        a_jwk(EC, "a", alg="RS256"),
        a_jwk(EC, "a", crv="P-999"),
        a_jwk(EC, "a", x="!"),
        a_jwk(EC, "a") | {"kid": 5},
        a_jwk(EC, "a") | {"kid": "a b"},
        a_jwk(EC, "a", d="AAAA"),
        "text",
    ],
    ids=str,
)
def test_other_keys_are_left_out(member):
    """Shared secrets, short keys, keys for encryption, private halves."""
    assert set(read_keys(a_set(member, a_jwk(EDWARDS, "ed")))) == {"ed"}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b"[" * 100_000,
        json.dumps({"keys": [{}] * 65}).encode(),
        a_set(a_jwk(EC, "a"), a_jwk(EDWARDS, "a")),
    ],
    ids=lambda document: document[:20].decode(),
)
def test_what_is_no_set_is_an_error(document):
    """The last good one stays in force."""
    with pytest.raises(KeySetError):
        read_keys(document)


def test_a_set_is_believed_for_a_day():
    """And a new one replaces all of the old."""
    now = [0.0]
    ring = KeyRing(lambda: now[0])
    assert (ring.find("ec"), ring.age) == (None, None)

    ring.replace(read_keys(USUAL))
    now[0] = LASTS
    assert ring.find("ec")
    assert ring.find("other") is None
    now[0] = LASTS + 1
    assert ring.find("ec") is None
    ring.replace(read_keys(a_set(a_jwk(EC, "new"))))
    assert ring.find("new")
    assert ring.find("ec") is None
