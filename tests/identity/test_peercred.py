"""Who the other end of a unix socket is."""

from dataclasses import replace

import pytest

from authz.errors import Reason, RefusedError
from authz.identity.identity import Proof
from authz.identity.peercred import peer
from authz.wire.evidence import Evidence, PeerCredentials

ALICE = PeerCredentials(1000, 1000, 42, "alice", ("alice", "docker", "#1234"))


def test_without_a_unix_socket_there_is_no_peer():
    """Another method may know."""
    assert peer(Evidence()) is None


def test_an_account_is_a_user_with_groups():
    """By the names of this host; the record has the numbers."""
    identity = peer(Evidence(peer=ALICE))

    assert identity.subject == "user:alice"
    assert identity.groups == ("group:os/alice", "group:os/docker", "group:os/#1234")
    assert identity.proof is Proof.PEER
    assert (identity.uid, identity.gid, identity.pid) == (1000, 1000, 42)


def test_an_account_without_a_name_is_its_number():
    """It cannot be taken for a name."""
    assert peer(Evidence(peer=replace(ALICE, account=None))).subject == "user:#1000"


def test_a_container_is_no_user():
    """Whatever account it runs as; it has no groups."""
    identity = peer(Evidence(peer=replace(ALICE, container="ab" * 32)))

    assert identity.subject == "container:" + "ab" * 32
    assert identity.groups == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"problem": "has no process"}, "the peer has no process"),
        ({"container": "web"}, "no id"),
        ({"account": "anonymous"}, "called like nobody"),
        ({"account": "user:bob"}, "expected one plain name"),
        ({"account": "a,b"}, "expected one plain name"),
        ({"account": ""}, "expected one plain name"),
    ],
)
def test_what_is_nobody_is_refused(change, problem):
    """And never tried as something weaker."""
    with pytest.raises(RefusedError, match=problem) as refused:
        peer(Evidence(peer=replace(ALICE, **change)))

    assert refused.value.reason is Reason.BAD_CREDENTIAL


def test_groups_that_cannot_be_written_give_nothing():
    """A comma would end a cell of a policy."""
    assert peer(Evidence(peer=replace(ALICE, groups=("a,b", "role:admin", "ok")))).groups == (
        "group:os/ok",
    )
