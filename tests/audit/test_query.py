"""Looking for records."""

from datetime import UTC, datetime
from typing import Any

import pytest

from authz.audit.query import Query, moment

NOW = datetime(2026, 7, 2, 12, tzinfo=UTC)
RECORD = {
    "id": "01ARZ",
    "time": "2026-07-01T12:00:00.000Z",
    "identity": {"subject": "user:alice"},
    "request": {
        "action": "container.create",
        "target": "/v1.41/containers/create?name=my%20web&all=1",
    },
    "facts": [{"fact": "bind:/etc", "row": "no-host-etc"}, {"fact": "on:new", "row": None}, 7],
    "verdict": "deny",
    "reason": "rule",
}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"id": "01ARZ"},
        {"subject": "user:alice"},
        {"subject": "user:*"},
        {"action": "container.*"},
        {"verdict": "deny"},
        {"reason": "rule"},
        {"row": "no-host-etc"},
        {"row": "no-*"},
        {"thing": "my web"},
        {"thing": "/etc"},
        {"thing": "containers"},
        {"since": datetime(2026, 7, 1, 12, tzinfo=UTC)},
        {"until": datetime(2026, 7, 1, 12, 0, 1, tzinfo=UTC)},
        {"subject": "user:alice", "verdict": "deny", "row": "no-host-etc"},
    ],
)
def test_a_record_that_has_it_all_matches(asked: dict[str, Any]):
    """Every member that is asked for has to fit."""
    assert Query(**asked).matches(RECORD)


@pytest.mark.parametrize(
    "asked",
    [
        {"id": "02"},
        {"subject": "user:bob"},
        {"action": "container"},
        {"verdict": "allow"},
        {"reason": "no_rule"},
        {"row": "other"},
        {"thing": "/etc/passwd"},
        {"since": datetime(2026, 7, 1, 12, 0, 1, tzinfo=UTC)},
        {"until": datetime(2026, 7, 1, 12, tzinfo=UTC)},
        {"subject": "user:alice", "verdict": "allow"},
    ],
)
def test_a_record_that_lacks_one_does_not(asked: dict[str, Any]):
    """However much else fits."""
    assert not Query(**asked).matches(RECORD)


@pytest.mark.parametrize(
    "record", [{}, {"identity": None, "request": None, "facts": None}, {"time": "yesterday"}]
)
def test_a_record_without_members_matches_nothing(record: dict[str, Any]):
    """And breaks nothing."""
    assert not Query(subject="*").matches(record)
    assert not Query(row="*").matches(record)
    assert not Query(since=NOW).matches(record)


def test_an_outcome_is_found_by_its_object():
    """Its id is that of what was made."""
    assert Query(thing="c0ffee*").matches({"kind": "outcome", "object": "c0ffee00"})


def test_a_time_without_zone_is_utc():
    """In records of others and on the command line."""
    assert Query(until=NOW).matches({"time": "2026-07-02T11:59:59"})
    assert moment("2026-07-02T12:00", NOW) == NOW


@pytest.mark.parametrize(("text", "hours"), [("30m", 0.5), ("2h", 2), ("1d", 24), ("3600s", 1)])
def test_a_time_can_be_so_long_ago(text: str, hours: float):
    """As people say it."""
    assert (NOW - moment(text, NOW)).total_seconds() == hours * 3600


def test_a_time_that_is_none_is_an_error():
    """The command says so."""
    with pytest.raises(ValueError, match="Invalid isoformat"):
        moment("yesterday", NOW)
