"""What is created says whose it is, where that is wanted."""

from dataclasses import replace

import pytest

from authz.docker.forward import Edit
from authz.errors import Reason, RefusedError
from authz.facts.build import describe
from authz.facts.known import FactSettings
from authz.facts.marks import marks
from authz.identity.identity import Identity, Proof
from tests.builders import a_call, a_create, answers

ALICE = Identity("user:alice", tenant="red", proof=Proof.PEER)
LABELS = FactSettings(labels=True)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("ContainerCreate", a_create()),
        ("VolumeCreate", {"Name": "data"}),
        ("NetworkCreate", {"Name": "back"}),
        ("SecretCreate", {"Name": "s", "Data": "eA=="}),
        ("ConfigCreate", {"Name": "c", "Data": "eA=="}),
        ("ServiceCreate", {"Name": "api"}),
    ],
)
def test_what_is_created_gets_both_labels(operation, body):
    """Owner and tenant; an empty tenant is written over that of an image."""
    request = a_call(operation, body=body)

    assert marks(request, ALICE, LABELS) == (
        Edit(("Labels", "dockgate.owner"), "user:alice"),
        Edit(("Labels", "dockgate.tenant"), "red"),
    )
    assert marks(request, replace(ALICE, tenant=""), LABELS)[1].value == ""


def test_the_containers_of_a_service_say_the_same():
    """Where it runs containers."""
    request = a_call("ServiceCreate", body={"TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}})

    places = {edit.place for edit in marks(request, ALICE, LABELS)}

    assert ("TaskTemplate", "ContainerSpec", "Labels", "dockgate.owner") in places
    assert len(places) == 4


@pytest.mark.parametrize(
    ("who", "settings"),
    [(replace(ALICE, proof=Proof.NONE), LABELS), (ALICE, FactSettings())],
)
def test_nobody_owns_what_nobody_proved(who, settings):
    """And nothing is written unless it is wanted."""
    assert marks(a_call("ContainerCreate", body=a_create()), who, settings) == ()


def test_other_requests_are_left_alone():
    """An update sends back what the object has."""
    assert marks(a_call("ContainerStart", "web"), ALICE, LABELS) == ()


def test_what_an_image_says_counts_where_it_is_not_written_over():
    """A commit of a container carries its labels."""
    carrying = {"nginx": {"Config": {"Labels": {"dockgate.owner": "x"}}}}
    request = a_call("ContainerCreate", body=a_create())

    assert describe(request, ALICE, answers(image=carrying), LABELS).action == "container.create"
    for who, settings in ((replace(ALICE, proof=Proof.NONE), LABELS), (ALICE, FactSettings())):
        with pytest.raises(RefusedError) as caught:
            describe(request, who, answers(image=carrying), settings)
        assert caught.value.reason is Reason.RESERVED_LABEL
