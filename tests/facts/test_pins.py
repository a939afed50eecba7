"""Names go on as the ids that were judged, where the daemon does the same by id."""

import pytest

from authz.docker.forward import Edit, Pins
from authz.errors import Reason, RefusedError
from authz.facts.pins import pins
from authz.facts.questions import MISSING
from tests.builders import a_call, a_create, answers

WEB = "4b" * 32
NET = "7e" * 32
IMAGE = "sha256:" + "1c" * 32
TASK = "0a1b2c3d4e5f6g7h8i9j0k1l2"

FOUND = answers(
    container={"web": {"Id": WEB}, WEB: {"Id": WEB}, "gone": MISSING, "a/b": {"Id": WEB}},
    network={
        "back": {"Id": NET, "Scope": "local"},
        "wide": {"Id": TASK, "Scope": "swarm"},
    },
    image={"nginx": {"Id": IMAGE}, "absent": MISSING},
    service={"api": {"ID": TASK}},
)


@pytest.mark.parametrize(
    ("operation", "name", "expected"),
    [
        ("ContainerInspect", "web", {"id": WEB}),
        ("ContainerInspect", "/web", {"id": WEB}),
        ("ContainerStart", WEB, {"id": WEB}),
        ("PutContainerArchive", "web", {"id": WEB}),
        ("NetworkInspect", "back", {"id": NET}),
        ("NetworkDelete", "wide", {"id": TASK}),
        ("ServiceUpdate", "api", {"id": TASK}),
        ("ImageTag", "nginx", {"name": IMAGE}),
    ],
)
def test_a_path_gets_the_id(operation, name, expected):
    """Whatever the client called the object."""
    variable = next(iter(expected))
    call = a_call(operation, name)
    assert f"{{{variable}}}" in call.operation.path
    found = pins(_with_path(call, {variable: name}), FOUND)

    assert found == Pins(path=expected)


@pytest.mark.parametrize(
    ("name", "scope", "expected"),
    [
        ("wide", "swarm", {"id": TASK}),
        ("wide", "local", {}),
        ("back", "global", {}),
        ("back", "", {"id": NET}),
        ("never-asked", "local", {}),
    ],
)
def test_a_network_that_is_wanted_in_another_scope_is_not_found_by_its_id(name, scope, expected):
    """The daemon shows a swarm's network by its id in any scope, and by its name in its own."""
    call = a_call("NetworkInspect", name, scope=scope)

    assert pins(call, FOUND) == Pins(path=expected)


def _with_path(call, path):
    """Return a call with one path variable, as a real path has."""
    return type(call)(
        call.operation, call.version, path, call.query, call.body, call.unknown_fields, call.opaque
    )


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("ContainerInspect", "gone"),
        ("ContainerInspect", "never-asked"),
        ("ImageDelete", "nginx"),
        ("ImagePush", "nginx"),
        ("ImageGet", "nginx"),
        ("VolumeInspect", "data"),
        ("ContainerList", ""),
        ("NetworkConnect", "wide"),
    ],
)
def test_what_means_the_name_keeps_it(operation, name):
    """By id it would do something else, or there is no id."""
    assert pins(a_call(operation, name), FOUND) == Pins()


@pytest.mark.parametrize(
    ("link", "pinned"),
    [("1", False), ("true", False), ("x", False), (" 0 ", True), ("False", True), ("", True)],
)
def test_a_link_is_deleted_by_its_name(link, pinned):
    """By id the daemon could not tell which of them is meant."""
    found = pins(a_call("ContainerDelete", "a/b", link=link), FOUND)

    assert bool(found.path) is pinned


def test_a_commit_names_its_container_in_the_query():
    """Where it is pinned as well."""
    assert pins(a_call("ImageCommit", container="/web"), FOUND) == Pins(query={"container": WEB})
    assert pins(a_call("ImageCommit", container="gone"), FOUND) == Pins()


def test_the_network_of_a_build_can_be_a_containers():
    """Only such a one is a name."""
    found = pins(a_call("ImageBuild", networkmode="container:web"), FOUND)

    assert found == Pins(query={"networkmode": f"container:{WEB}"})
    assert pins(a_call("ImageBuild", networkmode="host"), FOUND) == Pins()


@pytest.mark.parametrize("operation", ["NetworkConnect", "NetworkDisconnect"])
def test_who_joins_or_leaves_a_network_is_pinned(operation):
    """Both the network and the container."""
    call = a_call(operation, "back", {"Container": "web"})
    found = pins(_with_path(call, {"id": "back"}), FOUND)

    assert found == Pins(path={"id": NET}, body=(Edit(("Container",), WEB),))
    assert pins(a_call(operation, "wide", {"Container": "gone"}), FOUND).body == ()


def test_a_create_leans_on_ids():
    """Namespaces and mounts of other containers; modes stay, what is missing stays."""
    body = a_create(
        PidMode="container:web",
        IpcMode="host",
        NetworkMode="container:/web",
        VolumesFrom=["web:ro", "/web", "gone:rw"],
        Links=["web:db"],
    )

    assert pins(a_call("ContainerCreate", body=body), FOUND).body == (
        Edit(("HostConfig", "PidMode"), f"container:{WEB}"),
        Edit(("HostConfig", "NetworkMode"), f"container:{WEB}"),
        Edit(("HostConfig", "VolumesFrom"), [f"{WEB}:ro", WEB, "gone:rw"]),
    )


def test_a_create_without_references_is_left_alone():
    """Also where nothing that it names is there."""
    body = a_create(PidMode="container:gone", VolumesFrom=["gone"])

    assert pins(a_call("ContainerCreate", body=body), FOUND) == Pins()
    assert pins(a_call("ContainerCreate"), FOUND) == Pins()


def test_images_are_pinned_where_that_is_wanted():
    """A tag can move; the id cannot."""
    call = a_call("ContainerCreate", body=a_create())

    assert pins(call, FOUND).body == ()
    assert pins(call, FOUND, images=True).body == (Edit(("Image",), IMAGE),)
    absent = a_call("ContainerCreate", body=a_create({"Image": "absent"}))
    assert pins(absent, FOUND, images=True).body == ()


@pytest.mark.parametrize("wrong", [{}, {"Id": "web"}, {"Id": WEB.upper()}, {"Id": f"{WEB}\n"}])
def test_an_answer_without_an_id_is_no_answer(wrong):
    """What was judged could not be told to the daemon."""
    with pytest.raises(RefusedError, match="container 'web': the daemon gave the id") as refused:
        pins(a_call("ContainerStart", "web"), answers(container={"web": wrong}))

    assert refused.value.reason is Reason.LOOKUP_FAILED
