"""The empty daemon of ``try``: what is missing, and what the client has made."""

import json

import pytest

from authz.cli.scratch import INFO, OBJECT_ID
from authz.cli.scratch_objects import ScratchObjects
from authz.facts.questions import MISSING, Question, Topic
from authz.wire.raw import RawRequest


def a_request(target, **body):
    """Return a POST with a JSON body."""
    return RawRequest("POST", target, (), json.dumps(body).encode())


@pytest.mark.parametrize("topic", [t for t in Topic if t not in {Topic.DAEMON, Topic.PATH}])
def test_an_empty_daemon_has_nothing(topic):
    """Missing is an answer; unknown would deny everything."""
    assert ScratchObjects({})[Question(topic, "web")] is MISSING


def test_paths_of_the_host_are_not_looked_at():
    """The scratch daemon has no host."""
    assert ScratchObjects({}).get(Question(Topic.PATH, "/etc")) is None


def test_the_daemon_is_a_stock_one():
    """And nothing else is there."""
    objects = ScratchObjects({})

    assert dict(objects) == {Question(Topic.DAEMON, ""): INFO}
    assert len(objects) == 1


def test_what_is_given_counts_before():
    """Somebody describes a container that the real daemon has."""
    web = Question(Topic.CONTAINER, "web")

    assert ScratchObjects({web: {"Id": "1"}})[web] == {"Id": "1"}


def test_a_container_is_stored_as_it_was_asked_for():
    """By name and id, with what a daemon puts in the place of nothing."""
    objects = ScratchObjects({})
    host = {"Privileged": True, "IpcMode": "", "Binds": None}

    objects.made("ContainerCreate", a_request("/containers/create?name=web", HostConfig=host))

    stored = objects[Question(Topic.CONTAINER, "web")]
    assert stored == objects[Question(Topic.CONTAINER, OBJECT_ID)]
    assert stored["Name"] == "/web"
    assert stored["HostConfig"]["Privileged"] is True
    assert stored["HostConfig"]["IpcMode"] == "private"
    assert "Binds" not in stored["HostConfig"]


@pytest.mark.parametrize(
    ("operation", "body", "question", "member"),
    [
        ("ContainerExec", {"User": "1"}, Question(Topic.EXEC, OBJECT_ID), "ContainerID"),
        ("VolumeCreate", {"Name": "data"}, Question(Topic.VOLUME, "data"), "Options"),
        ("VolumeCreate", {}, Question(Topic.VOLUME, "scratch"), "Driver"),
        ("NetworkCreate", {"Name": "app"}, Question(Topic.NETWORK, "app"), "Driver"),
        ("ServiceCreate", {"Name": "web"}, Question(Topic.SERVICE, "web"), "Spec"),
        ("SecretCreate", {"Name": "db"}, Question(Topic.SECRET, OBJECT_ID), "Spec"),
        ("ConfigCreate", {"Name": "db"}, Question(Topic.CONFIG, "db"), "Spec"),
    ],
)
def test_other_objects_are_stored(operation, body, question, member):
    """So that the client's next request sees them."""
    objects = ScratchObjects({})

    objects.made(operation, a_request("/x", **body))

    assert member in objects[question]


def test_a_secret_is_not_kept():
    """As a daemon, which never gives it out again."""
    objects = ScratchObjects({})

    objects.made("SecretCreate", a_request("/secrets/create", Name="db", Data="aGk="))

    assert objects[Question(Topic.SECRET, "db")] == {"ID": OBJECT_ID, "Spec": {"Name": "db"}}


@pytest.mark.parametrize("body", [b"", b"[]", b"\x1f\x8b an archive"])
def test_a_request_without_a_document_makes_nothing(body):
    """Whatever it was."""
    objects = ScratchObjects({})

    objects.made("ContainerStart", RawRequest("POST", "/containers/web/start", (), body))

    assert len(objects) == 1
