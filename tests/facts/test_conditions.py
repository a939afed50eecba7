"""What a when column may ask about a request."""

import pytest

from authz.errors import RefusedError
from authz.facts.conditions import conditions
from authz.facts.questions import MISSING
from tests.builders import a_call, a_known, a_stored_container

NGINX = "docker.io/library/nginx"
NOTHING = {"image": "", "name": "", "label.*": ""}


def test_a_new_container():
    """Image, name and labels as the caller wants them."""
    body = {"Image": "nginx:1", "Labels": {"app": "x"}}
    request = a_call("ContainerCreate", body=body, name="/web")

    assert conditions(request, a_known()) == {
        "image": NGINX,
        "name": "web",
        "label.*": "",
        "label.app": "x",
    }


@pytest.mark.parametrize("operation", ["VolumeCreate", "NetworkCreate"])
def test_a_new_object(operation):
    """Its name stands in the body, and it has no image."""
    request = a_call(operation, body={"Name": "data", "Labels": {"a": "b"}})

    assert conditions(request, a_known()) == NOTHING | {"name": "data", "label.a": "b"}
    assert conditions(a_call(operation), a_known()) == NOTHING


@pytest.mark.parametrize(
    ("request_", "topic"),
    [
        (a_call("ContainerStart", "web"), {}),
        (a_call("ExecStart", "e1"), {"exec": {"e1": {"ContainerID": "web"}}}),
        (a_call("ImageCommit", container="/web"), {}),
    ],
)
def test_a_container(request_, topic):
    """The one that is reached, whatever names it."""
    known = a_known(container={"web": a_stored_container({"app": "x"})}, **topic)

    assert conditions(request_, known) == {
        "image": NGINX,
        "name": "web",
        "label.*": "",
        "label.app": "x",
    }


@pytest.mark.parametrize(
    ("request_", "topic", "expected"),
    [
        (
            a_call("ImageInspect", "nginx"),
            {"image": {"nginx": {"Config": {"Labels": {"a": "b"}}}}},
            {"label.a": "b"},
        ),
        (
            a_call("VolumeDelete", "data"),
            {"volume": {"data": {"Name": "data", "Labels": None}}},
            {"name": "data"},
        ),
        (
            a_call("NetworkDelete", "7a"),
            {"network": {"7a": {"Name": "team", "Labels": {"a": "b"}}}},
            {"name": "team", "label.a": "b"},
        ),
    ],
)
def test_other_objects(request_, topic, expected):
    """They have no image; what is not there is known to be absent."""
    assert conditions(request_, a_known(**topic)) == NOTHING | expected


@pytest.mark.parametrize("topic", [{}, {"container": {"web": MISSING}}])
def test_an_object_that_is_not_known(topic):
    """A key that is not there cannot be known."""
    assert conditions(a_call("ContainerStart", "web"), a_known(**topic)) == {}
    assert conditions(a_call("ServiceInspect", "s1"), a_known()) == {}


def test_a_pull():
    """The image that is fetched."""
    request = a_call("ImageCreate", fromImage="nginx:1")

    assert conditions(request, a_known()) == NOTHING | {"image": NGINX}


def test_a_request_about_no_object():
    """Everything is known to be absent."""
    assert conditions(a_call("SystemPing"), a_known()) == NOTHING


def test_an_image_that_cannot_be_told_is_not_known():
    """It is no image called unknown, which a condition could exclude."""
    request = a_call("ContainerCreate", body={"Image": "beef"})

    assert conditions(request, a_known()) == {"name": "", "label.*": ""}


def test_labels_of_a_wrong_type_are_refused():
    """The answer makes no sense."""
    known = a_known(container={"web": a_stored_container(config={"Labels": {"a": 1}})})

    with pytest.raises(RefusedError, match="Labels is not an object of texts"):
        conditions(a_call("ContainerStart", "web"), known)


SERVICE = {
    "Spec": {
        "Name": "web",
        "Labels": {"app": "x"},
        "TaskTemplate": {"ContainerSpec": {"Image": "nginx:1"}},
    }
}
OF_SERVICE = {"image": NGINX, "name": "web", "label.*": "", "label.app": "x"}


def test_a_service_and_its_tasks():
    """A task is asked about by its service."""
    known = a_known(service={"s1": SERVICE}, task={"t1": {"ServiceID": "s1"}})

    assert conditions(a_call("ServiceCreate", body=SERVICE["Spec"]), known) == OF_SERVICE
    assert conditions(a_call("ServiceInspect", "s1"), known) == OF_SERVICE
    assert conditions(a_call("TaskLogs", "t1"), known) == OF_SERVICE
    assert conditions(a_call("TaskLogs", "t2"), known) == {}


@pytest.mark.parametrize(
    ("query", "former", "image"),
    [
        ({}, None, "docker.io/library/vpn"),
        ({"rollback": "none"}, None, "docker.io/library/vpn"),
        ({"rollback": "previous"}, "vpn:0", "docker.io/library/vpn"),
        ({"rollback": "previous"}, "nginx:0", None),
        ({"rollback": "previous"}, None, None),
    ],
)
def test_a_service_is_updated_to_the_image_that_is_sent(query, former, image):
    """What is allowed to one image is not allowed to what comes after it; its name stays."""
    previous = {"TaskTemplate": {"ContainerSpec": {"Image": former}}} if former else {}
    known = a_known(service={"s1": {**SERVICE, "PreviousSpec": previous}})
    body = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "vpn:1"}}}

    found = conditions(a_call("ServiceUpdate", "s1", body, **query), known)

    assert found.get("image") == image
    assert found | {"image": NGINX} == OF_SERVICE


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"TaskTemplate": {"ContainerSpec": {"Image": "abc"}}}, {}),
        ({}, {"rollback": "previous"}),
    ],
)
def test_an_image_of_an_update_that_cannot_be_told(body, query):
    """A short name may be an id, and a definition that nobody knows may have any."""
    request = a_call("ServiceUpdate", "s1", body, **query)

    assert "image" not in conditions(request, a_known(service={"s1": SERVICE}))


@pytest.mark.parametrize("kind", ["secret", "config"])
def test_what_a_swarm_keeps(kind):
    """By the name in its definition."""
    known = a_known(**{kind: {"x": {"Spec": {"Name": "db", "Labels": None}}}})
    made = a_call(f"{kind.capitalize()}Create", body={"Name": "db"})

    assert conditions(made, known) == NOTHING | {"name": "db"}
    assert conditions(a_call(f"{kind.capitalize()}Delete", "x"), known) == NOTHING | {"name": "db"}


def test_a_node_is_called_like_its_host():
    """The name in its definition is mostly empty."""
    known = a_known(node={"n1": {"Spec": {}, "Description": {"Hostname": "box"}}})

    assert conditions(a_call("NodeInspect", "n1"), known) == NOTHING | {"name": "box"}
