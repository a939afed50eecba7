"""Methods of proof are tried in order, and a bad proof ends the chain."""

import pytest

from authz.errors import Reason, RefusedError
from authz.identity.chain import anonymous, identify
from authz.identity.identity import ANONYMOUS, Identity, Proof
from authz.wire.evidence import Evidence

ALICE = Identity("user:alice", proof=Proof.PEER)


def absent(evidence):
    """Find nothing of its kind."""
    del evidence


def bad(evidence):
    """Find a proof that does not hold."""
    del evidence
    raise RefusedError(Reason.BAD_CREDENTIAL, "expired")


def test_the_first_method_that_fits_decides():
    """A method that finds nothing passes on to the next."""
    assert identify(Evidence(), (absent, lambda _: ALICE, anonymous)) is ALICE


def test_a_bad_proof_is_never_followed_by_a_weaker_method():
    """Whoever offers a bad proof does not become anonymous."""
    with pytest.raises(RefusedError, match="expired"):
        identify(Evidence(), (bad, anonymous))


def test_without_any_proof_a_door_may_refuse():
    """Only a chain that ends in ``anonymous`` lets nobody in."""
    with pytest.raises(RefusedError, match="nobody proved who asks"):
        identify(Evidence(), (absent,))


def test_anonymous_is_nobody():
    """The anonymous caller has no groups, no tenant and no proof."""
    assert anonymous(Evidence()) == Identity(ANONYMOUS, (), "", Proof.NONE)


def test_an_identity_offers_its_name_and_its_domain():
    """``{name}`` is the subject without its type; no tenant is the domain ``default``."""
    assert (ALICE.name, ALICE.domain) == ("alice", "default")
    assert Identity("cert:a:b", tenant="t").domain == "t"
