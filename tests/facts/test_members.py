"""Members of decoded documents."""

import pytest

from authz.errors import Reason, RefusedError
from authz.facts import members

READERS = {
    "text": [7, ["x"], {"a": "b"}, True],
    "number": ["7", 1.5, True, 2**64, -(2**63) - 1, [7]],
    "flag": ["true", 0, [True]],
    "strings": [7, {"a": "b"}, ["a", 7], [None], [["a"]], True],
    "table": ["x", [{}], 7, True],
    "tables": [{}, "x", ["x"], [{}, 7], 7],
    "lists": ["ab", {"a": "b"}, [7], [{}], 7],
    "texts": ["x", [{}], {"a": 7}, {"a": None}],
    "pairs": ["x", {"a": ["b"]}],
}


@pytest.mark.parametrize("document", [{}, {"A": None}])
def test_what_is_not_there_is_the_zero_value(document):
    """An absent member and a null read as Go's zero value."""
    assert members.text(document, "A") == ""
    assert members.number(document, "A") == 0
    assert members.flag(document, "A") is False
    assert members.strings(document, "A") == []
    assert members.table(document, "A") == {}
    assert members.tables(document, "A") == []
    assert members.lists(document, "A") == []
    assert members.texts(document, "A") == {}
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
        "LL": [["a"], ["b", "c"]],
    }

    assert members.text(document, "S") == "x"
    assert members.number(document, "N") == 7
    assert members.flag(document, "B") is True
    assert members.strings(document, "L") == ["a", "b"]
    assert members.table(document, "T") == {"k": "v"}
    assert members.tables(document, "D") == [{"a": 1}]
    assert members.lists(document, "LL") == [["a"], ["b", "c"]]
    assert members.texts(document, "T") == {"k": "v"}
    assert list(members.pairs(document, "T")) == ["k=v"]


def test_a_lone_string_is_a_list_of_one():
    """The daemon's string lists may be written as one string."""
    assert members.strings({"Cmd": "id"}, "Cmd") == ["id"]


@pytest.mark.parametrize(
    ("reader", "value"), [(name, value) for name, values in READERS.items() for value in values]
)
def test_another_type_is_a_look_up_that_failed(reader, value):
    """Nothing is guessed from an answer that makes no sense, and its value is not shown."""
    with pytest.raises(RefusedError, match=r"look-up failed: A is not (a|an|text|true)\b") as error:
        list(getattr(members, reader)({"A": value}, "A"))

    assert error.value.reason is Reason.LOOKUP_FAILED


def test_unreadable_is_a_refusal():
    """What cannot be read is refused, not denied and not failed."""
    error = members.unreadable("x is odd")

    assert (error.reason, error.detail) == (Reason.UNREADABLE_REQUEST, "x is odd")
