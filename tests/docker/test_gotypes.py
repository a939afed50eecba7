"""Go's types."""

import pytest

from authz.docker.gojson import Number
from authz.docker.gotypes import Form, GoType, decimal, mismatch, parse, scalar, zero
from authz.errors import Reason, RefusedError

STRING = GoType(Form.SCALAR, "string")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", STRING),
        ("bool", GoType(Form.SCALAR, "bool")),
        ("duration", GoType(Form.SCALAR, "duration")),
        ("uint64", GoType(Form.SCALAR, "uint64")),
        ("*int64", GoType(Form.SCALAR, "int64")),
        ("Mount", GoType(Form.STRUCT, "Mount")),
        ("*HostConfig", GoType(Form.STRUCT, "HostConfig")),
        ("strslice", GoType(Form.STRSLICE, "strslice")),
        ("json", GoType(Form.JSON, "json")),
        ("[]string", GoType(Form.LIST, "[]string", STRING)),
        ("[][]string", GoType(Form.LIST, "[][]string", GoType(Form.LIST, "[]string", STRING))),
        ("[]*Ulimit", GoType(Form.LIST, "[]*Ulimit", GoType(Form.STRUCT, "Ulimit"))),
        ("*[2]uint", GoType(Form.ARRAY, "[2]uint", GoType(Form.SCALAR, "uint"), 2)),
        ("map[string]set", GoType(Form.MAP, "map[string]set", GoType(Form.SET, "set"))),
        (
            "map[string][]PortBinding",
            GoType(
                Form.MAP,
                "map[string][]PortBinding",
                GoType(Form.LIST, "[]PortBinding", GoType(Form.STRUCT, "PortBinding")),
            ),
        ),
    ],
)
def test_a_type_is_read_as_go_writes_it(text, expected):
    """Pointers disappear, because JSON cannot show them."""
    assert parse(text) == expected


def test_only_what_holds_elements_has_an_element_type():
    """To ask a scalar for one is a mistake of the caller."""
    assert parse("[]string").inner == STRING

    with pytest.raises(TypeError, match="string holds no elements"):
        _ = STRING.inner


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("string", "", ""),
        ("string", "1", "1"),
        ("bool", True, True),
        ("bool", False, False),
        ("int", Number("0"), 0),
        ("int", Number("-0"), 0),
        ("int64", Number("9223372036854775807"), 2**63 - 1),
        ("int64", Number("-9223372036854775808"), -(2**63)),
        ("duration", Number("30000000000"), 30_000_000_000),
        ("uint64", Number("18446744073709551615"), 2**64 - 1),
        ("uint", Number("80"), 80),
        ("uint16", Number("65535"), 65535),
        ("uint32", Number("4294967295"), 2**32 - 1),
    ],
)
def test_a_scalar_of_its_type_is_taken(kind, value, read):
    """Integers may use the whole range of their type."""
    assert scalar(kind, value, "X") == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bool", "true"),
        ("bool", Number("1")),
        ("bool", Number("0")),
        ("bool", None),
        ("bool", []),
        ("string", Number("1")),
        ("string", True),
        ("string", {}),
        ("string", ["a"]),
        ("int64", True),
        ("int64", "1"),
        ("int64", ""),
        ("int64", Number("1e9")),
        ("int64", Number("1E0")),
        ("int64", Number("134217728.0")),
        ("int64", Number("1.5")),
        ("int64", Number("-0.0")),
        ("int64", Number("9223372036854775808")),
        ("int64", Number("-9223372036854775809")),
        ("int64", Number("1" * 5000)),
        ("int", Number("9223372036854775808")),
        ("duration", "30s"),
        ("uint", Number("-1")),
        ("uint", Number("-0")),
        ("uint64", Number("18446744073709551616")),
        ("uint16", Number("65536")),
        ("uint32", Number("4294967296")),
    ],
)
def test_a_scalar_of_another_type_is_refused(kind, value):
    """Go converts nothing: no texts to numbers, no floats to integers."""
    with pytest.raises(RefusedError, match=r"^unreadable_request: HostConfig\.X is ") as refusal:
        scalar(kind, value, "HostConfig.X")

    assert kind in refusal.value.detail


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("0", True),
        ("10", True),
        ("-1", True),
        ("+5", True),
        ("007", True),
        ("9223372036854775807", True),
        ("-9223372036854775808", True),
        ("9223372036854775808", False),
        ("-9223372036854775809", False),
        ("1" * 5000, False),
        ("", False),
        ("-", False),
        ("+", False),
        ("--1", False),
        ("+-1", False),
        ("-+1", False),
        (" 1", False),
        ("1 ", False),
        ("1_0", False),
        ("0x10", False),
        ("1e3", False),
        ("1.0", False),
        ("²", False),
        ("\u0661", False),
        ("off", False),
    ],
)
def test_integers_of_a_query_are_decimal(text, taken):
    """What one handler takes for zero another answers with 400."""
    assert decimal(text) is taken


def test_a_mismatch_names_place_value_and_type():
    """The sentence is for the person who sent the request."""
    with pytest.raises(RefusedError, match=r'X is "1"; expected a list') as refusal:
        mismatch("1", "a list", "X")

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("string", ""),
        ("bool", False),
        ("int", 0),
        ("uint64", 0),
        ("duration", 0),
        ("[]string", []),
        ("[2]uint", []),
        ("strslice", []),
        ("map[string]string", {}),
        ("set", {}),
        ("json", {}),
        ("*Ulimit", {}),
    ],
)
def test_null_in_a_list_is_the_zero_value(text, value):
    """Every type has one, of its own shape."""
    found = zero(parse(text))

    assert found == value
    assert type(found) is type(value)
