"""Whose objects a request touches."""

import pytest

from authz.errors import RefusedError
from authz.facts.objects import (
    labels_of,
    object_document,
    object_facts,
    path_name,
    target_container,
)
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import a_call, a_create, a_known, a_stored_container, words

OWN = {"dockgate.owner": "user:alice"}
FOREIGN = {"dockgate.owner": "user:bob"}
RED = {"dockgate.tenant": "red"}

THERE = {
    "container": {
        "mine": a_stored_container(OWN),
        "his": a_stored_container(FOREIGN),
        "ours": a_stored_container(RED),
        "gone": MISSING,
    },
    "exec": {
        "e1": {"ContainerID": "mine"},
        "e2": {"ContainerID": "gone"},
        "e3": {"ContainerID": ""},
        "e4": MISSING,
    },
    "volume": {"mine": {"Labels": OWN}, "his": {"Labels": FOREIGN}, "new": MISSING},
    "network": {"mine": {"Labels": OWN}, "his": {"Labels": FOREIGN}, "new": MISSING},
    "service": {
        "s1": {"Spec": {"Labels": FOREIGN}},
        "s2": {"Spec": {"Labels": OWN}, "PreviousSpec": {"Networks": [{"Target": "his"}]}},
        "gone": MISSING,
    },
    "task": {"t1": {"ServiceID": "s1"}, "t2": {"ServiceID": ""}},
    "secret": {"mine": {"Spec": {"Labels": OWN}}, "his": {"Spec": {"Labels": FOREIGN}}},
    "config": {"his": {"Spec": {"Labels": FOREIGN}}, "gone": MISSING},
    "node": {"n1": {"Spec": {"Labels": None}}},
    "image": {"mine": {"Config": {"Labels": OWN}}, "plain": {"Config": None}, "gone": MISSING},
}


def whose(request):
    """Return the values of the facts, once each."""
    return {fact.removeprefix("on:") for fact in words(object_facts(request, a_known(**THERE)))}


@pytest.mark.parametrize(
    ("request_", "value"),
    [
        (a_call("ContainerStart", "mine"), "own"),
        (a_call("ContainerStart", "/mine"), "own"),
        (a_call("ContainerStart", "his"), "foreign"),
        (a_call("ContainerStart", "ours"), "tenant"),
        (a_call("ContainerStart", "gone"), "unknown"),
        (a_call("ContainerStart", "nobody-asked"), "unknown"),
        (a_call("ExecStart", "e1"), "own"),
        (a_call("ExecStart", "e2"), "unknown"),
        (a_call("ExecStart", "e3"), "unknown"),
        (a_call("ExecStart", "e4"), "unknown"),
        (a_call("VolumeDelete", "his"), "foreign"),
        (a_call("VolumeDelete", "new"), "unknown"),
        (a_call("NetworkDelete", "mine"), "own"),
        (a_call("ImageDelete", "mine"), "own"),
        (a_call("ImageDelete", "plain"), "unowned"),
        (a_call("ServiceDelete", "s1"), "foreign"),
        (a_call("ServiceDelete", "gone"), "unknown"),
        (a_call("ServiceUpdate", "s2", {}), "own"),
        (a_call("TaskInspect", "t1"), "foreign"),
        (a_call("TaskLogs", "t2"), "unknown"),
        (a_call("TaskLogs", "nobody-asked"), "unknown"),
        (a_call("SecretUpdate", "mine", {}), "own"),
        (a_call("ConfigInspect", "his"), "foreign"),
        (a_call("NodeUpdate", "n1", {}), "unowned"),
        (a_call("SecretCreate", body={}), "new"),
        (a_call("ContainerList"), "list"),
        (a_call("SystemPing"), "host"),
        (a_call("ImageCreate", fromImage="nginx"), "new"),
    ],
)
def test_the_object_of_the_path(request_, value):
    """It is looked up; what cannot be resolved is unknown."""
    assert whose(request_) == {value}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (a_create(), {"new"}),
        (a_create(VolumesFrom=["his:ro"]), {"new", "foreign"}),
        (a_create(PidMode="container:mine"), {"new", "own"}),
        (a_create(NetworkMode="container:gone"), {"new", "unknown"}),
        (a_create(Links=["/his:db"]), {"new", "foreign"}),
        (a_create(networks={"bridge": {"Links": ["his"]}}), {"new", "foreign"}),
        (a_create(Binds=["his:/x", "/etc:/y"]), {"new", "foreign"}),
        (a_create(Binds=["new:/x", "/y"]), {"new"}),
        (a_create(Mounts=[{"Type": "volume", "Source": "mine"}]), {"new", "own"}),
        (a_create(NetworkMode="his"), {"new", "foreign"}),
        (a_create(NetworkMode="new"), {"new", "unknown"}),
        (a_create(NetworkMode="host"), {"new"}),
        (a_create(networks={"mine": None, "default": {}}), {"new", "own"}),
        (a_create(networks={"mine": {"NetworkID": "his"}}), {"new", "own", "foreign"}),
    ],
)
def test_what_a_create_leans_on(body, expected):
    """Containers, volumes and networks that are there already."""
    assert whose(a_call("ContainerCreate", body=body)) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (a_call("VolumeCreate", body={"Name": "new"}), {"new"}),
        (a_call("VolumeCreate", body={"Name": "his"}), {"foreign"}),
        (a_call("VolumeCreate", body={}), {"new"}),
        (a_call("VolumeCreate"), {"new"}),
        (a_call("VolumeCreate", body={"Name": "nobody-asked"}), {"unknown"}),
        (a_call("NetworkCreate", body={"Name": "his"}), {"new", "foreign"}),
        (a_call("NetworkCreate", body={"Name": "new"}), {"new"}),
        (a_call("ImageCommit", container="his"), {"new", "foreign"}),
        (a_call("ImageCommit", container="/mine"), {"new", "own"}),
        (a_call("ImageBuild"), {"new"}),
        (a_call("ImageBuild", networkmode="host"), {"new"}),
        (a_call("ImageBuild", networkmode="container:his"), {"new", "foreign"}),
        (a_call("ImageBuildKit", networkmode="mine"), {"new", "own"}),
        (a_call("ImageBuild", networkmode="unheard"), {"new", "unknown"}),
    ],
)
def test_what_is_made(request_, expected):
    """A name that is taken touches what has it."""
    assert whose(request_) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (a_call("NetworkConnect", "mine", {"Container": "his"}), {"own", "foreign"}),
        (a_call("NetworkDisconnect", "his", {"Container": "/mine"}), {"own", "foreign"}),
        (
            a_call(
                "NetworkConnect",
                "mine",
                {"Container": "mine", "EndpointConfig": {"NetworkID": "his"}},
            ),
            {"own", "foreign"},
        ),
        (
            a_call(
                "NetworkConnect",
                "mine",
                {"Container": "mine", "EndpointConfig": {"Links": ["gone:x"]}},
            ),
            {"own", "unknown"},
        ),
    ],
)
def test_a_connection_has_two_ends(request_, expected):
    """The network, the container, and whatever the endpoint names."""
    assert whose(request_) == expected


def test_a_connection_of_no_container_is_refused():
    """The daemon would not know which."""
    with pytest.raises(RefusedError, match="expected a name or an id"):
        whose(a_call("NetworkConnect", "mine"))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (a_call("ImageGetAll", names=["mine", "plain,gone"]), {"own", "unowned", "unknown"}),
        (a_call("ImageGetAll"), {"unknown"}),
        (a_call("ImageGet", "mine", names=["plain"]), {"own", "unowned"}),
    ],
)
def test_images_that_are_saved(request_, expected):
    """Each of them."""
    assert whose(request_) == expected


def test_what_must_be_looked_up():
    """An exec names its container."""
    known = a_known(exec={"e9": {"ContainerID": "web"}})

    assert target_container(a_call("ExecStart", "e9"), known) is None
    assert list(known.pending) == [Question(Topic.CONTAINER, "web")]


def test_other_objects_reach_into_no_container():
    """A volume is not run."""
    assert target_container(a_call("VolumeDelete", "mine"), a_known(**THERE)) is None


def test_what_is_known_of_the_object_in_the_path():
    """For an exec and a commit, of the container; missing is known, too."""
    known = a_known(**THERE)
    mine = THERE["container"]["mine"]

    assert object_document(a_call("ExecStart", "e1"), known) == mine
    assert object_document(a_call("ImageCommit", container="mine"), known) == mine
    assert object_document(a_call("VolumeDelete", "his"), known) == {"Labels": FOREIGN}
    assert object_document(a_call("VolumeDelete", "new"), known) is MISSING
    assert object_document(a_call("ImageGetAll", names="a"), known) is None


@pytest.mark.parametrize(
    ("target", "name"), [("web", "web"), ("/web", "web"), ("web/db", "web/db"), ("", "")]
)
def test_the_name_in_the_path(target, name):
    """One slash before it does not count."""
    assert path_name(a_call("ContainerStart", target)) == name


def test_labels_of_objects():
    """Containers and images have theirs in Config, others at the top."""
    assert labels_of(Topic.CONTAINER, a_stored_container({"a": "b"})) == {"a": "b"}
    assert labels_of(Topic.VOLUME, {"Labels": {"a": "b"}}) == {"a": "b"}
    assert labels_of(Topic.NETWORK, {"Labels": None}) == {}


def a_service(networks=(), **spec):
    """Return the body of a service."""
    joined = [{"Target": name} for name in networks]
    return {"TaskTemplate": {"ContainerSpec": spec, "Networks": joined}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (a_service(), {"new"}),
        (a_service(["mine", "host"]), {"new", "own"}),
        (a_service(["new"]), {"new", "unknown"}),
        (a_service(Secrets=[{"SecretID": "his"}]), {"new", "foreign"}),
        (a_service(Secrets=[{"SecretName": "his"}]), {"new", "unknown"}),
        (a_service(Configs=[{"ConfigID": "gone"}]), {"new", "unknown"}),
        (a_service(Mounts=[{"Type": "VOLUME", "Source": "his"}]), {"new", "foreign"}),
        (a_service(Mounts=[{"Type": "volume", "Source": "new"}]), {"new"}),
        (a_service(Mounts=[{"Type": "volume", "Source": "{{.Node.ID}}"}]), {"new", "unknown"}),
    ],
)
def test_what_a_service_leans_on(body, expected):
    """Volumes, networks, secrets and configs; a template may become anybody's volume."""
    assert whose(a_call("ServiceCreate", body=body)) == expected


def test_what_an_update_of_a_service_leans_on():
    """In the definition that is sent, and in the one that a rollback brings back."""
    body = a_service(Secrets=[{"SecretID": "his"}])

    assert whose(a_call("ServiceUpdate", "s2", body)) == {"own", "foreign"}
    assert whose(a_call("ServiceUpdate", "s2", {}, rollback="previous")) == {"own", "foreign"}
