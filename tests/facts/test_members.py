"""Members of decoded documents."""

import pytest

from authz.errors import Reason
from authz.facts import members


@pytest.mark.parametrize("document", [{}, {"A": None}])
def test_what_is_not_there_is_the_zero_value(document):
    """An absent member and a null read as Go's zero value."""
    assert members.text(document, "A") == ""
    assert members.number(document, "A") == 0
    assert members.flag(document, "A") is False
    assert members.strings(document, "A") == []
    assert members.table(document, "A") == {}
    assert members.tables(document, "A") == []
    assert list(members.pairs(document, "A")) == []


def test_what_is_there_is_returned():
    """Members come back with their values."""
    document = {
        "S": "x",
        "N": 7,
        "B": True,
        "L": ["a", "b"],
        "T": {"k": "v"},
        "D": [{"a": 1}, None],
    }

    assert members.text(document, "S") == "x"
    assert members.number(document, "N") == 7
    assert members.flag(document, "B") is True
    assert members.strings(document, "L") == ["a", "b"]
    assert members.table(document, "T") == {"k": "v"}
    assert members.tables(document, "D") == [{"a": 1}]
    assert list(members.pairs(document, "T")) == ["k=v"]


def test_a_lone_string_is_a_list_of_one():
    """The daemon's string lists may be written as one string."""
    assert members.strings({"Cmd": "id"}, "Cmd") == ["id"]


def test_unreadable_is_a_refusal():
    """What cannot be read is refused, not denied and not failed."""
    error = members.unreadable("x is odd")

    assert (error.reason, error.detail) == (Reason.UNREADABLE_REQUEST, "x is odd")
