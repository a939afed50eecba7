"""What is known beyond a request, and what would have to be asked."""

import pytest

from authz.facts.known import PROTECTED, Known
from authz.facts.paths import clean
from authz.facts.questions import MISSING, Question, Topic
from authz.identity.identity import Identity
from tests.builders import ALICE

WEB = Question(Topic.CONTAINER, "web")


def test_an_answer_is_returned():
    """Nothing is pending then."""
    known = Known({WEB: {"Id": "1"}})

    assert known.ask(Topic.CONTAINER, "web") == {"Id": "1"}
    assert known.document(Topic.CONTAINER, "web") == {"Id": "1"}
    assert not known.pending


def test_what_is_unanswered_is_pending_once():
    """In the order asked, however often somebody asks."""
    known = Known()

    for key in ("web", "db", "web"):
        assert known.ask(Topic.CONTAINER, key) is None
        assert known.document(Topic.CONTAINER, key) is None

    assert list(known.pending) == [WEB, Question(Topic.CONTAINER, "db")]


def test_missing_is_an_answer_without_a_document():
    """There is no such object, and nothing more to ask."""
    known = Known({WEB: MISSING})

    assert known.ask(Topic.CONTAINER, "web") is MISSING
    assert known.document(Topic.CONTAINER, "web") is None
    assert not known.pending


def test_what_is_dear_is_made_once():
    """For each key."""
    known = Known()
    made = []

    for key in ("a", "b", "a"):
        known.once((key,), lambda key=key: made.append(key))

    assert made == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "whose"),
    [
        ({"dockgate.owner": "user:alice"}, "own"),
        ({"dockgate.owner": "user:alice", "dockgate.tenant": "blue"}, "own"),
        ({"dockgate.owner": "user:bob", "dockgate.tenant": "red"}, "tenant"),
        ({"dockgate.tenant": "red"}, "tenant"),
        ({"dockgate.owner": "user:bob"}, "foreign"),
        ({"dockgate.tenant": "blue"}, "foreign"),
        ({"dockgate.owner": "", "dockgate.tenant": ""}, "unowned"),
        ({"Dockgate.Owner": "user:alice"}, "unowned"),
        ({}, "unowned"),
    ],
)
def test_whose_an_object_is(labels, whose):
    """Its owner's, else its tenant's; what has neither label is nobody's."""
    assert Known(identity=ALICE).whose(labels) == whose


def test_no_tenant_is_nobodys_tenant():
    """An object without a tenant does not belong to callers without one."""
    bob = Identity("user:bob")

    assert Known(identity=bob).whose({"dockgate.owner": "user:eve"}) == "foreign"
    assert Known(identity=bob).whose({}) == "unowned"


@pytest.mark.parametrize("path", PROTECTED)
def test_protected_paths_are_in_their_one_spelling(path):
    """Any other would protect nothing."""
    assert clean(path) == path


@pytest.mark.parametrize("path", ["/etc/systemd", "/lib/systemd", "/usr/lib/systemd"])
def test_units_are_protected_wherever_a_host_has_them(path):
    """Hosts whose /lib is a folder of its own have them there."""
    assert path in PROTECTED
