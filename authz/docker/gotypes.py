"""The types of Go that the daemon's structures use, and what JSON may fill them.

A type is written as in Go, with four names of our own: ``strslice`` (a list of
strings that old daemons also take as one string), ``set`` (Go's ``struct{}``,
which has no members), ``json`` (a value that is not read) and ``first`` (a
parameter that clients repeat, of which every daemon takes the first);
``bytes`` is Go's ``[]byte``, which JSON writes as base64. This module knows no
structure and no field.

Source of the rules: Go, src/encoding/json/decode.go; for ``strslice`` moby,
api/types/strslice/strslice.go.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn, TypeAlias

from authz.docker.gojson import Json, Number, quoted, refuse

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value]"
"""What a member holds after reading: never null, numbers as integers but for Go's floats."""

INTEGERS: dict[str, range] = {
    "int": range(-(2**63), 2**63),
    "int64": range(-(2**63), 2**63),
    "duration": range(-(2**63), 2**63),
    "uint": range(2**64),
    "uint16": range(2**16),
    "uint32": range(2**32),
    "uint64": range(2**64),
}
"""Go's integers on the 64-bit machines that dockerd runs on; a duration is an int64."""

_FLOAT = "float32"
_GREATEST_FLOAT = 3.4028234663852886e38

FIRST = "first"
"""The type of a parameter whose first value counts; no JSON has it."""

_LONGEST_INTEGER = 20
_PREFIX = re.compile(r"(?P<pointer>\*)|\[(?P<length>\d*)\]|(?P<map>map\[string\])")


class Form(StrEnum):
    """How a type is built."""

    SCALAR = "scalar"
    LIST = "list"
    ARRAY = "array"
    MAP = "map"
    STRSLICE = "strslice"
    SET = "set"
    JSON = "json"
    STRUCT = "struct"

    __hash__ = str.__hash__  # looked up for every value of every body; equal, and written in C


@dataclass(frozen=True, slots=True)
class GoType:
    """A type without its pointers, which JSON cannot show.

    ``name`` is the name of a scalar or structure; ``element`` what lists,
    arrays and maps hold; ``length`` that of an array.
    """

    form: Form
    name: str
    element: "GoType | None" = None
    length: int = 0

    @property
    def inner(self) -> "GoType":
        """Return the element's type; only lists, arrays and maps have one."""
        if self.element is None:
            raise TypeError(f"{self.name} holds no elements")
        return self.element


@lru_cache(maxsize=256)
def parse(text: str) -> GoType:
    """Read a type such as ``map[string][]PortBinding`` or ``*[2]uint``."""
    prefix = _PREFIX.match(text)
    if prefix is None:
        return GoType(_form(text), text)
    element = parse(text[prefix.end() :])
    if prefix["pointer"]:
        return element
    if prefix["map"]:
        return GoType(Form.MAP, text, element)
    if prefix["length"]:
        return GoType(Form.ARRAY, text, element, int(prefix["length"]))
    return GoType(Form.LIST, text, element)


def scalar(kind: str, value: Json, place: str) -> Value:
    """Return the value if it has the type exactly; refuse it otherwise, as Go does."""
    if kind in INTEGERS:
        return _integer(kind, value, place)
    if kind == _FLOAT:
        return _float(value, place)
    if not isinstance(value, bool if kind == "bool" else str):
        mismatch(value, kind, place)
    return value


def decimal(text: str) -> bool:
    """Say whether a query value is an integer that strconv.ParseInt takes."""
    digits = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) < _LONGEST_INTEGER):
        return False
    return int(text) in INTEGERS["int64"]


def mismatch(value: Json, expected: str, place: str, *, veiled: bool = False) -> NoReturn:
    """Refuse a value of another type; do not show one that is ``veiled``."""
    refuse(place, f"is {'a text' if veiled else quoted(value)}; expected {expected}")


def zero(kind: GoType) -> Value:
    """Return what Go leaves where JSON says null inside a list or a map."""
    match kind.form:
        case Form.LIST | Form.ARRAY | Form.STRSLICE:
            return []
        case Form.MAP | Form.STRUCT | Form.SET | Form.JSON:
            return {}
    scalars: dict[str, Value] = {"bool": False, "string": "", "bytes": ""}
    return scalars.get(kind.name, 0)


def _form(name: str) -> Form:
    if name in {"strslice", "set", "json"}:
        return Form(name)
    scalars = {"bool", "string", "bytes", FIRST, _FLOAT, *INTEGERS}
    return Form.SCALAR if name in scalars else Form.STRUCT


def _float(value: Json, place: str) -> float:
    """Return a number; what rounds to infinity is refused, as Go does."""
    if not isinstance(value, Number):
        mismatch(value, _FLOAT, place)
    number = float(value.text)
    if abs(number) > _GREATEST_FLOAT:
        refuse(place, f"is {quoted(value)}, which is out of the range of {_FLOAT}")
    return number


def _integer(kind: str, value: Json, place: str) -> int:
    if not isinstance(value, Number) or not re.fullmatch(r"-?\d+", value.text):
        refuse(place, f"is {quoted(value)}; expected {kind}")
    # ParseUint takes no sign, not even that of -0.
    signed = value.text.startswith("-") and kind.startswith("uint")
    if signed or len(value.text) > _LONGEST_INTEGER or int(value.text) not in INTEGERS[kind]:
        refuse(place, f"is {quoted(value)}, which is out of the range of {kind}")
    return int(value.text)
