"""How a fact's value is compared with one alternative of a pattern.

Most kinds are text and take globs; sizes, numbers, ports and users also take
ranges. It knows shapes of values, and nothing about the syntax around them.

An answer is True, False, or None for "cannot be known": a placeholder that
nothing fills, or a limit on a value that is no number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from typing import Final

from authz.policy.glob import compile_glob, glob_matches
from authz.policy.number import INFINITE, read_interval, read_number, read_ports
from authz.policy.placeholder import Fill, has_placeholder

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


Match = Callable[[str, Fill], bool | None]

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


def comparison(text: str, shape: Shape) -> Match:
    """Choose how a value of ``shape`` is compared with ``text``. Raises NumberError.

    A lone ``*`` covers every port, though ports have a slash in them.
    """
    if shape is Shape.TEXT or text == UNKNOWN:
        return _text(text)
    if text in ("*", "**"):
        return _anything
    if shape in _NUMBERS:
        return _text(text) if text in INFINITE else _number(text, units=shape is Shape.BYTES)
    if shape in _PORTS:
        return _text(text) if shape is Shape.PORT_OR_TEXT and "/" not in text else _ports(text)
    return _uid(text) if _UIDS.fullmatch(text) else _text(text)


def either(answers: Iterable[bool | None]) -> bool | None:
    """Return True if any answer is, else None if any is not known, else False."""
    doubt = False
    for answer in answers:
        if answer:
            return True
        doubt = doubt or answer is None
    return None if doubt else False


def _anything(_value: str, _fill: Fill) -> bool:
    return True


def _text(text: str) -> Match:
    if not has_placeholder(text):
        whole = compile_glob(text).fullmatch
        return lambda value, _fill: whole(value) is not None

    def filled(value: str, fill: Fill) -> bool | None:
        glob = fill(text)
        return None if glob is None else glob_matches(glob, value)

    return filled


def _number(text: str, *, units: bool) -> Match:
    interval = read_interval(text, units=units)

    def within(value: str, _fill: Fill) -> bool | None:
        number = read_number(value)
        return None if number is None else number in interval

    return within


def _ports(text: str) -> Match:
    ports = read_ports(text)
    return lambda value, _fill: ports.matches(value)


def _uid(text: str) -> Match:
    interval = read_interval(text, units=False)

    def within(value: str, _fill: Fill) -> bool:
        number = _uid_of(value)
        return number is not None and number in interval

    return within


def _uid_of(value: str) -> Decimal | None:
    """Return the uid of ``root`` or ``1000``. A name that must be looked up has none."""
    if value == "root":
        return Decimal(0)
    return Decimal(value) if value.isascii() and value.isdigit() else None
