"""Who somebody is to the policy; which names nobody can have is tested with the snapshot."""

from __future__ import annotations

import pytest

from authz.errors import Location, RefusedError
from authz.identity.identity import Identity, Proof
from authz.policy.caller import Callers
from authz.policy.links import Link
from authz.policy.roles import CACHED, Roles

PLACE = Location("people.csv", 1, 1)
LINKS = [Link("user:ann", "role:dev", "*", PLACE), Link("role:dev", "pack:p", "acme", PLACE)]


def test_a_caller_is_made_once():
    """With roles, tenant and words of his own."""
    callers = Callers(Roles(LINKS))
    ann = Identity("user:ann", tenant="acme", uid=7, proof=Proof.PEER, pid=1)

    held, domain, fill = callers.caller(ann)

    assert held == {"user:ann", "role:dev", "pack:p"}
    assert domain == "acme"
    assert fill.values == {"name": "ann", "tenant": "acme", "uid": "7"}
    assert callers.caller(Identity("user:ann", tenant="acme", uid=7, pid=2)).fill is fill


def test_whoever_differs_is_another_caller():
    """In anything that a policy can see."""
    callers = Callers(Roles(LINKS))
    identities = [
        Identity("user:ann"),
        Identity("user:ann", uid=7),
        Identity("user:ann", tenant="acme"),
        Identity("user:ann", ("group:os/a",)),
        Identity("cert:ann"),
    ]

    assert len({id(callers.caller(identity)) for identity in identities}) == len(identities)


def test_a_lent_role_stays_with_the_rehearsal():
    """What was assumed once proves nothing later."""
    callers = Callers(Roles(LINKS))
    callers.caller(Identity("user:ann", ("role:ops",), proof=Proof.ASSUMED))

    with pytest.raises(RefusedError, match="role:ops"):
        callers.caller(Identity("user:ann", ("role:ops",), proof=Proof.CERTIFICATE))


def test_callers_are_kept_within_bounds():
    """A stranger leaves nothing behind for long."""
    callers = Callers(Roles(LINKS))
    for number in range(CACHED + 10):
        callers.caller(Identity(f"user:{number}"))

    assert callers._cached.cache_info().currsize == CACHED
