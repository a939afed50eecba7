"""Owners of other containers."""

import pytest

from authz.errors import RefusedError
from authz.facts.known import Known
from authz.facts.neighbours import whose_container
from authz.facts.questions import MISSING, Question, Topic
from authz.identity.identity import Identity

ALICE = Identity("user:alice", tenant="red")


@pytest.mark.parametrize(
    ("labels", "whose"),
    [
        ({"dockgate.owner": "user:alice"}, "own"),
        ({"dockgate.owner": "user:bob", "dockgate.tenant": "red"}, "tenant"),
        ({"dockgate.owner": "user:bob"}, "foreign"),
        ({}, "unowned"),
        (None, "unowned"),
    ],
)
@pytest.mark.parametrize("name", ["db", "/db"])
def test_labels_tell_whose_it_is(name, labels, whose):
    """The owner's label decides; a leading slash is part of the stored name."""
    answers = {Question(Topic.CONTAINER, "db"): {"Config": {"Labels": labels}}}

    assert whose_container(name, Known(answers, ALICE)) == whose


@pytest.mark.parametrize("answers", [{}, {Question(Topic.CONTAINER, "db"): MISSING}])
def test_a_container_that_is_not_known_is_unknown(answers):
    """Neither an open question nor a missing container has an owner."""
    assert whose_container("db", Known(answers)) == "unknown"


@pytest.mark.parametrize("name", ["", "/"])
def test_no_name_is_refused(name):
    """There is no container without a name."""
    with pytest.raises(RefusedError, match="expected a name or an id"):
        whose_container(name, Known())
