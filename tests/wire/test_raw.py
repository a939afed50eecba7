"""What a door hands over."""

import pytest

from authz.wire.evidence import Evidence, PeerCredentials
from authz.wire.raw import BodyState, Door, RawRequest


def test_a_request_brings_no_proof_of_its_own_accord():
    """Whatever a door does not say is nothing: no user, no certificate, no token."""
    evidence = RawRequest("GET", "/info").evidence

    assert evidence == Evidence()
    assert not any((evidence.daemon_user, evidence.certificates, evidence.bearer, evidence.peer))
    assert evidence.tls == "none"


def test_a_peer_has_no_account_or_groups_until_the_door_found_them():
    """A number alone names nobody."""
    peer = PeerCredentials(uid=1000, gid=1000, pid=1)

    assert (peer.account, peer.groups) == (None, ())


def test_a_request_is_not_changed_on_its_way():
    """What was judged is what arrived."""
    with pytest.raises(AttributeError):
        RawRequest("GET", "/info").target = "/version"


def test_doors_and_states_are_written_as_words():
    """They stand in audit records."""
    assert (str(Door.PLUGIN), str(Door.PROXY)) == ("plugin", "proxy")
    assert [str(state) for state in BodyState] == ["complete", "unseen", "too_large"]
