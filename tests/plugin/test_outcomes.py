"""Answers of the daemon find their decisions."""

import base64
import json
from typing import Any

import pytest

from authz.plugin import outcomes
from authz.plugin.outcomes import Answered, Outcomes
from authz.wire.evidence import Evidence
from authz.wire.raw import Door, RawRequest
from tests.fakes import Clock

CREATE = RawRequest(
    "POST", "/v1.41/containers/create", body=b'{"Image":"x"}', door=Door.PLUGIN,
    evidence=Evidence(daemon_user="ci"),
)  # fmt: skip


def an_answer(body: object = None, **changes: Any) -> bytes:
    """Return the document of an answer to the create."""
    text = body if isinstance(body, bytes) else json.dumps(body or {"Id": "c0ffee"}).encode()
    return json.dumps(
        {
            "User": "ci",
            "RequestMethod": "POST",
            "RequestUri": "/v1.41/containers/create",
            "RequestBody": base64.b64encode(CREATE.body).decode(),
            "RequestHeaders": {"Content-Type": "application/json"},
            "ResponseStatusCode": 201,
            "ResponseBody": base64.b64encode(text).decode(),
            **changes,
        }
    ).encode()


def test_an_answer_finds_its_decision_once():
    """With what is known of it."""
    clock = Clock()
    found = Outcomes(clock)
    found.asked(CREATE, "id-1")
    clock.now += 0.5

    assert found.answered(an_answer()) == Answered("id-1", 201, "c0ffee", 13, 16, 0.5, 1)
    assert found.answered(an_answer()) is None


def test_equal_requests_are_ambiguous():
    """The oldest is taken, and it is said how many it may have been."""
    found = Outcomes()
    found.asked(CREATE, "id-1")
    found.asked(CREATE, "id-2")

    first, second = found.answered(an_answer()), found.answered(an_answer())

    assert (first.request, first.candidates) == ("id-1", 2)
    assert (second.request, second.candidates) == ("id-2", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"User": "other"},
        {"RequestMethod": "GET"},
        {"RequestUri": "/v1.41/containers/create?name=x"},
        {"RequestBody": ""},
        {"RequestBody": "!"},
        {"RequestHeaders": {"dockgate-pass": "1"}},
    ],
)
def test_another_request_is_another(change: dict[str, Any]):
    """So is a look-up of our own."""
    found = Outcomes()
    found.asked(CREATE, "id-1")

    assert found.answered(an_answer(**change)) is None
    assert found.answered(an_answer()) is not None


@pytest.mark.parametrize("document", [b"", b"[]", b"nonsense", b"[" * 100_000, b"{}"])
def test_a_document_that_is_none_belongs_to_nothing(document: bytes):
    """The daemon's answer goes out all the same."""
    assert Outcomes().answered(document) is None


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, "c0ffee"),
        ({"ResponseStatusCode": 200}, ""),
        ({"body": {"ID": "svc1"}}, "svc1"),
        ({"body": {"Name": "data"}}, "data"),
        ({"body": {"Id": "\x1b[2J"}}, ""),
        ({"body": {"Id": 7}}, ""),
        ({"body": b"[]"}, ""),
        ({"body": b"nonsense"}, ""),
    ],
)
def test_only_the_id_of_something_new_is_kept(change: dict[str, Any], kept: str):
    """Nothing else of an answer."""
    found = Outcomes()
    found.asked(CREATE, "id-1")

    assert found.answered(an_answer(**change)).object_id == kept


def test_a_status_that_is_none_is_not_told():
    """A newer daemon may say something else."""
    found = Outcomes()
    found.asked(CREATE, "id-1")

    assert found.answered(an_answer(ResponseStatusCode="201")).status == 0


def test_what_is_never_answered_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    """Memory is bounded; the newest are kept."""
    monkeypatch.setattr(outcomes, "MOST_PENDING", 2)
    found = Outcomes()
    for number in range(3):
        found.asked(RawRequest("GET", f"/{number}"), f"id-{number}")
    known = [
        found.answered(json.dumps({"RequestMethod": "GET", "RequestUri": f"/{n}"}).encode())
        for n in range(3)
    ]

    assert [each.request if each else None for each in known] == [None, "id-1", "id-2"]
