"""Entries of lists and events: what they tell of their objects is what an inspection would."""

import pytest

from authz.docker.routes import load_operations
from authz.facts.build import describe
from authz.facts.facts import LABEL
from authz.facts.listings import IMAGE, LISTINGS, NAME, sighted, sighted_in_event
from authz.facts.questions import Question, Topic
from tests.builders import ALICE, a_call, a_stored_container, answers, words

ID = "4b" * 32
LABELS = {"dockgate.owner": "user:alice", "of": "web"}
CONTAINER = {"Id": ID, "Names": ["/web"], "Image": "nginx", "Labels": LABELS}
OTHERS = {
    "ImageList": (
        {"Id": "sha256:aa", "RepoTags": ["x:1"], "Labels": LABELS},
        Topic.IMAGE,
        "sha256:aa",
    ),
    "VolumeList": ({"Name": "data", "Labels": LABELS}, Topic.VOLUME, "data"),
    "NetworkList": ({"Id": "n1", "Name": "net", "Labels": LABELS}, Topic.NETWORK, "n1"),
    "NetworkListSlash": ({"Id": "n1", "Name": "net", "Labels": LABELS}, Topic.NETWORK, "n1"),
    "ServiceList": ({"ID": "s1", "Spec": {"Labels": LABELS}}, Topic.SERVICE, "s1"),
    "TaskList": ({"ID": "t1", "ServiceID": "s1"}, Topic.TASK, "t1"),
    "NodeList": ({"ID": "o1", "Spec": {"Labels": LABELS}}, Topic.NODE, "o1"),
    "SecretList": ({"ID": "c1", "Spec": {"Labels": LABELS}}, Topic.SECRET, "c1"),
    "ConfigList": ({"ID": "f1", "Spec": {"Labels": LABELS}}, Topic.CONFIG, "f1"),
}
"""For each list an entry, what a look-up would be about, and what it is asked by."""


def entry_of(listing, entry):
    """See an entry of a list that has one place."""
    (see,) = LISTINGS[listing].places.values()
    return sighted(see, entry)


def described(sighting):
    """Describe the inspection by what the entry says."""
    known = answers(**{sighting.question.topic.value: {sighting.key: sighting.document}})
    return describe(sighting.request((1, 45)), ALICE, known)


@pytest.mark.parametrize("listing", OTHERS)
def test_an_entry_is_the_object_that_an_inspection_names(listing):
    """Its question is the look-up, its document the answer to that."""
    entry, topic, key = OTHERS[listing]
    found = entry_of(listing, entry)

    assert found.question == Question(topic, key)
    assert found.doubtful == frozenset()
    assert found.request((1, 41)).operation.action == f"{topic.value}.inspect"
    assert found.request((1, 41)).version == (1, 41)
    if listing != "TaskList":  # a task is its service's
        assert words(described(found).facts) == ["on:own"]


def test_every_list_of_the_daemon_is_one():
    """A new one has to be told what its entries are; checkpoints are one container's."""
    found = {row.name for row in load_operations() if row.action.endswith(".list")}

    assert found - set(LISTINGS) == {"CheckpointList"}
    assert set(LISTINGS) - found == {"SystemDataUsage"}


def test_a_container_is_told_as_its_inspection_tells_it():
    """Facts and conditions are the same."""
    stored = {**a_stored_container(LABELS), "Id": ID}
    asked = describe(a_call("ContainerInspect", ID), ALICE, answers(container={ID: stored}))

    assert described(entry_of("ContainerList", CONTAINER)) == asked


@pytest.mark.parametrize(
    ("change", "doubtful"),
    [
        ({"Names": ["/web", "/other/alias"]}, set()),
        ({"Names": ["/other/alias"]}, {NAME}),
        ({"Names": None}, {NAME}),
        ({"Names": ["/one", "/two"]}, {NAME}),
        ({"Image": "sha256:" + "ab" * 32}, {IMAGE}),
        ({"Labels": None}, set()),
    ],
)
def test_what_a_list_may_tell_otherwise_is_doubtful(change, doubtful):
    """An image that lost its name is shown by its id; aliases are no names."""
    assert entry_of("ContainerList", CONTAINER | change).doubtful == doubtful


@pytest.mark.parametrize(
    "further",
    [
        {"RepoDigests": ["busybox@sha256:aa"]},
        {"Descriptor": {}},
        {"Manifests": []},
        {"RepoTags": None},
        {"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]},
    ],
)
def test_an_image_of_several_platforms_is_looked_up(further):
    """Its labels are those of a platform, and which one is for the daemon to say."""
    image = {"Id": "sha256:aa", "RepoTags": ["busybox:latest"]}
    assert entry_of("ImageList", {**image, **further}).document is None
    digests = {"RepoDigests": ["busybox@sha256:bb"]}
    assert entry_of("ImageList", {**image, **digests}).document is not None


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        {},
        {"Id": ""},
        {"Id": 7},
        CONTAINER | {"Names": 7},
        CONTAINER | {"Image": ["nginx"]},
        CONTAINER | {"Labels": {"a": 1}},
    ],
)
def test_what_cannot_be_read_is_no_object(entry):
    """So that it is not shown."""
    assert entry_of("ContainerList", entry) is None


def test_what_a_builder_keeps_is_nobodys():
    """There is no way to inspect one record of it."""
    see = LISTINGS["SystemDataUsage"].places["BuildCache",]

    assert sighted(see, {"ID": "x", "Description": "RUN secret"}) is None


def test_a_plugin_is_the_hosts():
    """Nothing has to be looked up."""
    found = entry_of("PluginList", {"Id": "a", "Name": "vieux/sshfs:latest"})

    assert found.question is None
    facts = describe(found.request((1, 45)), ALICE, {})
    assert (facts.action, words(facts.facts)) == ("plugin.inspect", ["on:host"])


def an_event(kind, key="x", **attributes):
    """Write an event as the daemon does."""
    return {"Type": kind, "Action": "a", "Actor": {"ID": key, "Attributes": attributes}}


def test_an_event_of_a_container_says_whose_it_is_by_itself():
    """Labels are among its attributes: all of them, and other things."""
    attributes = {**LABELS, "image": "nginx", "name": "web", "exitCode": "0"}
    (found,) = sighted_in_event(an_event("container", ID, **attributes))

    assert found.doubtful == {LABEL}
    facts = described(found)
    assert words(facts.facts) == ["on:own"]
    assert (facts.conditions["name"], facts.conditions["image"]) == (
        "web",
        "docker.io/library/nginx",
    )


def test_an_event_of_a_container_without_labels_is_nobodys():
    """And it may have no image."""
    (found,) = sighted_in_event(an_event("container", ID))

    assert words(described(found).facts) == ["on:unowned"]


@pytest.mark.parametrize(
    "kind",
    ["image", "volume", "network", "service", "node", "secret", "config"],
)
def test_other_events_have_their_object_looked_up(kind):
    """Their attributes do not say whose it is."""
    (found,) = sighted_in_event(an_event(kind, name="x"))

    assert found.question == Question(Topic(kind), "x")
    assert found.document is None


@pytest.mark.parametrize(
    ("kind", "action"), [("plugin", "plugin.inspect"), ("daemon", "system.info")]
)
def test_events_of_the_host_are_judged_as_such(kind, action):
    """By plugin and daemon."""
    (found,) = sighted_in_event(an_event(kind))

    assert found.question is None
    assert found.request(None).operation.action == action


@pytest.mark.parametrize("kind", ["network", "volume"])
def test_who_uses_something_is_told_of_as_well(kind):
    """A container that joins a network may be somebody else's."""
    found = sighted_in_event(an_event(kind, container=ID))

    assert [each.question for each in found] == [
        Question(Topic(kind), "x"),
        Question(Topic.CONTAINER, ID),
    ]
    assert sighted_in_event(an_event(kind, container="")) == ()


def test_a_label_called_container_is_a_label():
    """What only networks and volumes say."""
    assert len(sighted_in_event(an_event("container", container="y"))) == 1


@pytest.mark.parametrize(
    "event",
    [
        7,
        {},
        an_event("builder"),
        an_event("container", ""),
        an_event("tomorrow"),
        {"Type": "container", "Actor": []},
        {"Type": "container", "Actor": {"ID": "x", "Attributes": {"a": 1}}},
    ],
)
def test_an_event_of_nobody_tells_of_nothing(event):
    """A prune, a builder's, one of tomorrow, one that cannot be read."""
    assert sighted_in_event(event) == ()
