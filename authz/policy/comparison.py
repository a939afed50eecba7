"""How a fact's value is compared with one alternative of a pattern.

Most kinds are text and take globs; sizes, numbers, ports and users also take
ranges. It knows shapes of values, and nothing about the syntax around them.

An answer is True, False, or None for "cannot be known": a placeholder that
nothing fills, or a limit on a value that is no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from authz.policy.glob import glob_matches
from authz.policy.number import (
    INFINITE,
    Interval,
    PortRange,
    read_interval,
    read_number,
    read_ports,
)
from authz.policy.placeholder import Fill

UNKNOWN: Final = "unknown"
"""The value that only a row which writes it reaches."""


class Shape(Enum):
    """How the values of a kind are compared."""

    TEXT = "text"
    NUMBER = "number"
    BYTES = "bytes"
    PORT = "port"
    PORT_OR_TEXT = "port or text"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Anything:
    """Every value."""

    def __call__(self, _value: str, _fill: Fill) -> bool:
        """Say yes."""
        return True


@dataclass(frozen=True, slots=True)
class Text:
    """A glob, perhaps with placeholders. It is compiled when it is first asked."""

    glob: str

    def __call__(self, value: str, fill: Fill) -> bool | None:
        """Say whether the value as a whole fits."""
        glob = fill(self.glob) if "{" in self.glob else self.glob
        return None if glob is None else glob_matches(glob, value)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers of an interval; of what is no number nothing is known."""

    interval: Interval

    def __call__(self, value: str, _fill: Fill) -> bool | None:
        """Say whether the number lies in it."""
        number = read_number(value)
        return None if number is None else number in self.interval


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of one protocol, or of all."""

    ports: PortRange

    def __call__(self, value: str, _fill: Fill) -> bool:
        """Say whether it is one of them."""
        return self.ports.matches(value)


@dataclass(frozen=True, slots=True)
class Users:
    """User ids of an interval; a name that must be looked up has none."""

    interval: Interval

    def __call__(self, value: str, _fill: Fill) -> bool:
        """Say whether the uid lies in it."""
        number = uid_of(value)
        return number is not None and number in self.interval


Comparison = Anything | Text | Numbers | Ports | Users

_NUMBERS = (Shape.NUMBER, Shape.BYTES)
_PORTS = (Shape.PORT, Shape.PORT_OR_TEXT)
_UIDS = re.compile(r"(?:<=?|>=?)?\d+|\d+-\d+", re.ASCII)
_GRAMMARS = {
    "bytes": Shape.BYTES,
    "bytes+unlimited": Shape.BYTES,
    "number": Shape.NUMBER,
    "port": Shape.PORT,
    "user": Shape.USER,
}


def shape_of(kind: str, grammar: str) -> Shape:
    """Say how values of ``kind`` are compared, by the catalogue's grammar of its values."""
    return Shape.PORT_OR_TEXT if kind == "port.random" else _GRAMMARS.get(grammar, Shape.TEXT)


def comparison(text: str, shape: Shape) -> Comparison:
    """Choose how a value of ``shape`` is compared with ``text``. Raises NumberError.

    A lone ``*`` covers every port, though ports have a slash in them.
    """
    if shape is Shape.TEXT or text == UNKNOWN:
        return Text(text)
    if text in ("*", "**"):
        return Anything()
    if shape in _NUMBERS:
        if text in INFINITE:
            return Text(text)
        return Numbers(read_interval(text, units=shape is Shape.BYTES))
    if shape in _PORTS:
        random = shape is Shape.PORT_OR_TEXT and "/" not in text
        return Text(text) if random else Ports(read_ports(text))
    return Users(read_interval(text, units=False)) if _UIDS.fullmatch(text) else Text(text)


def either(answers: Iterable[bool | None]) -> bool | None:
    """Return True if any answer is, else None if any is not known, else False."""
    doubt = False
    for answer in answers:
        if answer:
            return True
        doubt = doubt or answer is None
    return None if doubt else False


def uid_of(value: str) -> Decimal | None:
    """Return the uid of ``root`` or ``1000``. A name that must be looked up has none."""
    if value == "root":
        return Decimal(0)
    return Decimal(value) if value.isascii() and value.isdigit() else None
