"""Numbers, sizes and ports in patterns: ``none``, ``8g``, ``1-1023``, ``>4``, ``8000-8999/tcp``.

It knows how values and limits are written, and nothing about kinds or rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

INFINITE: Final = frozenset({"none", "unlimited"})
"""Words that mean "no limit": above every number."""

_ENDLESS = Decimal("Infinity")
_NUMBER = r"\d{1,20}(?:\.\d{1,9})?"
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_VALUE = re.compile(rf"{_NUMBER}[kmgt]?", re.ASCII)
_RANGE = re.compile(rf"({_NUMBER}[kmgt]?)-({_NUMBER}[kmgt]?)", re.ASCII)
_LIMIT = re.compile(rf"(<=|>=|<|>)({_NUMBER}[kmgt]?)", re.ASCII)
_PORT = re.compile(r"(\d{1,5})/([a-z]+)", re.ASCII)
_BYTES = re.compile("i?b$")
_LAST_PORT = 65535
_PROTOCOLS = ("tcp", "udp", "sctp", "*")


class NumberError(ValueError):
    """A number, range or port that cannot be read. ``suggestion`` may hold a correction."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from ``low`` to ``high``; an open end does not belong to it."""

    low: Decimal
    high: Decimal
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, number: Decimal) -> bool:
        """Say whether ``number`` lies in it."""
        above = number > self.low if self.open_low else number >= self.low
        return above and (number < self.high if self.open_high else number <= self.high)


ANY: Final = Interval(Decimal(0), _ENDLESS)


@dataclass(frozen=True, slots=True)
class PortRange:
    """Some ports of one protocol, or of all of them (``*``)."""

    ports: Interval
    protocol: str

    def matches(self, value: str) -> bool:
        """Judge ``8080/tcp``. What is not a port is in no range."""
        port = read_port(value)
        if port is None:
            return False
        number, protocol = port
        return self.protocol in ("*", protocol) and number in self.ports


def read_number(text: str) -> Decimal | None:
    """Return the number that a fact's value or a limit states, or None where it is none."""
    if text in INFINITE:
        return _ENDLESS
    return _scaled(text) if _VALUE.fullmatch(text) else None


def read_port(text: str) -> tuple[Decimal, str] | None:
    """Return number and protocol of ``8080/tcp``, or None where it is no port."""
    found = _PORT.fullmatch(text)
    return (Decimal(found[1]), found[2]) if found else None


def read_interval(text: str, *, units: bool) -> Interval:
    """Read ``4``, ``8g``, ``1-1023``, ``>4`` or ``<=500``. Raises NumberError.

    ``units`` says whether ``k``, ``m``, ``g`` and ``t`` (powers of 1024) may follow.
    """
    if not units and _with_unit(text):
        raise NumberError(f"'{text}' has a unit where a plain number is expected", text[:-1])
    if found := _LIMIT.fullmatch(text):
        return _limit(found[1], _scaled(found[2]))
    if found := _RANGE.fullmatch(text):
        return _range(found[1], found[2])
    if _VALUE.fullmatch(text):
        return Interval(_scaled(text), _scaled(text))
    message = f"'{text}' is not a number, a range such as 1-1023 or a limit such as >4"
    plain = _BYTES.sub("", text.lower())
    if units and plain != text and (_LIMIT.fullmatch(plain) or _VALUE.fullmatch(plain)):
        raise NumberError(message, plain)
    raise NumberError(message)


def read_ports(text: str) -> PortRange:
    """Read ``8080/tcp``, ``8000-8999/tcp``, ``>1023/udp`` or ``*/*``. Raises NumberError."""
    numbers, slash, protocol = text.partition("/")
    if not slash:
        raise NumberError(f"the port '{text}' lacks its protocol", f"{text}/tcp")
    if protocol not in _PROTOCOLS:
        raise NumberError(f"'{protocol}' is not a protocol; expected tcp, udp, sctp or *")
    if numbers == "*":
        return PortRange(ANY, protocol)
    try:
        ports = read_interval(numbers, units=False)
    except NumberError as error:
        fixed = f"{error.suggestion}/{protocol}" if error.suggestion else ""
        raise NumberError(error.message, fixed) from None
    if max(end for end in (ports.low, ports.high) if end.is_finite()) > _LAST_PORT:
        raise NumberError(f"'{numbers}' is above the last port, {_LAST_PORT}")
    return PortRange(ports, protocol)


def _with_unit(text: str) -> bool:
    return text[-1:] in ("k", "m", "g", "t") and text[-2:-1].isdigit()


def _scaled(text: str) -> Decimal:
    digits = text.rstrip("kmgt")
    return Decimal(digits) * _UNITS[text.removeprefix(digits)]


def _limit(sign: str, number: Decimal) -> Interval:
    if sign in (">", ">="):
        return Interval(number, _ENDLESS, open_low=sign == ">")
    return Interval(Decimal(0), number, open_high=sign == "<")


def _range(low: str, high: str) -> Interval:
    interval = Interval(_scaled(low), _scaled(high))
    if interval.low > interval.high:
        raise NumberError(f"the range '{low}-{high}' is empty", f"{high}-{low}")
    return interval
