"""Numbers, sizes and ports as policies write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from authz.policy.number import NumberError, read_interval, read_number, read_ports

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", Decimal(0)),
        ("512", Decimal(512)),
        ("1.5", Decimal("1.5")),
        ("8g", Decimal(8 * GIB)),
        ("1k", Decimal(1024)),
        ("2m", Decimal(2 << 20)),
        ("1t", Decimal(1 << 40)),
        ("none", Decimal("Infinity")),
        ("unlimited", Decimal("Infinity")),
        ("", None),
        ("-1", None),
        ("8G", None),
        ("1e3", None),
        ("٣", None),
        ("²", None),
        ("NaN", None),
        ("1" * 21, None),
    ],
)
def test_what_a_value_states(text: str, number: Decimal | None):
    """No limit is above every number; other writings are no numbers."""
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("4", "4", "5"),
        ("4", "4.0", "4.1"),
        ("1-1023", "1", "0"),
        ("1-1023", "1023", "1024"),
        (">4", "4.1", "4"),
        (">4", "none", "0"),
        (">=4", "4", "3.9"),
        ("<4", "3.9", "4"),
        ("<=4", "4", "none"),
        ("<4", "0", "unlimited"),
        ("8g", str(8 * GIB), "8"),
        (">512m", "1g", "512m"),
        ("1g-2g", "1.5g", "3g"),
    ],
)
def test_what_lies_inside(text: str, inside: str, outside: str):
    """Open ends do not belong to it."""
    interval = read_interval(text, units=True)

    assert read_number(inside) in interval
    assert read_number(outside) not in interval


@pytest.mark.parametrize(
    ("text", "units", "message", "suggestion"),
    [
        ("", True, "'' is not a number", ""),
        ("abc", True, "'abc' is not a number", ""),
        (">", True, "'>' is not a number", ""),
        ("1-", True, "'1-' is not a number", ""),
        ("-1", True, "'-1' is not a number", ""),
        ("=4", True, "'=4' is not a number", ""),
        ("9-3", True, "the range '9-3' is empty", "3-9"),
        ("2g-1g", True, "the range '2g-1g' is empty", "1g-2g"),
        ("8g", False, "'8g' has a unit where a plain number is expected", "8"),
        (">8g", False, "'>8g' has a unit where a plain number is expected", ">8"),
    ],
)
def test_what_is_no_range(text: str, units: bool, message: str, suggestion: str):  # noqa: FBT001  a table
    """Each mistake says what was expected."""
    with pytest.raises(NumberError) as caught:
        read_interval(text, units=units)

    assert message in caught.value.message
    assert caught.value.suggestion == suggestion


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("8080/tcp", "8080/tcp", "8080/udp"),
        ("8000-8999/tcp", "8999/tcp", "9000/tcp"),
        (">1023/udp", "1024/udp", "1023/udp"),
        ("<1024/*", "80/sctp", "1024/sctp"),
        ("*/tcp", "1/tcp", "1/udp"),
        ("*/*", "65535/sctp", "all"),
        ("80/tcp", "80/tcp", "80"),
    ],
)
def test_ports(text: str, inside: str, outside: str):
    """A range of one protocol, or of all."""
    ports = read_ports(text)

    assert ports.matches(inside)
    assert not ports.matches(outside)


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("80", "the port '80' lacks its protocol", "80/tcp"),
        ("80/TCP", "'TCP' is not a protocol; expected tcp, udp, sctp or *", ""),
        ("80/", "'' is not a protocol", ""),
        ("70000/tcp", "'70000' is above the last port, 65535", ""),
        (">65536/tcp", "'>65536' is above the last port", ""),
        ("x/tcp", "'x' is not a number", ""),
    ],
)
def test_what_is_no_port(text: str, message: str, suggestion: str):
    """A pattern that would never match is a mistake."""
    with pytest.raises(NumberError) as caught:
        read_ports(text)

    assert message in caught.value.message
    assert caught.value.suggestion == suggestion
