"""Bodies in the plain form, read in one pass: what nearly every client sends.

``authz.docker.fields`` holds the rules, and a create costs it sixty microseconds.
Here the same table makes one function for each type. It takes a member in the
daemon's own spelling, once, described, of exactly its type, and gives up on
anything else: then the reader by the rules decides, and words the refusal. So
this module refuses nothing. ``tests/property/test_plain.py`` holds it to the
rules: wherever it gives a document, they give the same one, and no unknown field.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NoReturn, TypeAlias

from authz.docker.field_table import Struct, structures
from authz.docker.gojson import HALF
from authz.docker.gotypes import INTEGERS, Form, GoType

Decoded: TypeAlias = Any
Read: TypeAlias = Callable[[Decoded], Any]

_BLANK: Final = " \t\r\n"
_MINUS_ZERO: Final = re.compile(r"[\[:,\s]-0")
_FLAT: Final = {"bool": bool, "string": str, "bytes": str}


class _OtherwiseError(Exception):
    """Not in the plain form."""


def read_plain(name: str, body: bytes) -> dict[str, Any] | None:
    """Return the canonical document of an operation's body, or None where it is not plain."""
    read = _reader(name)
    try:
        text = body.decode().strip(_BLANK)
        # Objects come as tuples of pairs, so that a name that comes twice is not lost.
        value, end = _DECODER.raw_decode(text)
        if end != len(text) or _is_subtle(text):
            return None
        document: dict[str, Any] = read(value)
    except (ValueError, RecursionError, KeyError, _OtherwiseError):
        return None
    return document


def _is_subtle(text: str) -> bool:
    """Say whether there is what decoding loses: half a surrogate pair, or the sign of zero.

    One character is looked for thirty times as quickly as two.
    """
    if "\\" in text and HALF.search(text):
        return True
    return "-" in text and _MINUS_ZERO.search(text) is not None


def _otherwise(_value: Decoded) -> NoReturn:
    raise _OtherwiseError


_DECODER: Final = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_otherwise)


@cache
def _reader(name: str) -> Read:
    """Return the function that reads a structure; its types are finitely deep."""
    struct = structures()[name]
    return _otherwise if struct.whole is not None else _members(struct)


def _members(struct: Struct) -> Read:
    # INVARIANT: no two described names fold to one, so that a repetition is an exact one.
    plain = {name: known.go for name, known in struct.fields.items() if not known.legacy}
    flat = {name: _FLAT.get(go.name) for name, go in plain.items()}
    readers = {name: _of(go) for name, go in plain.items()}

    def read(pairs: Decoded) -> dict[str, Any]:
        if pairs.__class__ is not tuple:
            raise _OtherwiseError
        members = dict(pairs)
        if len(members) < len(pairs):
            raise _OtherwiseError
        document = {}
        for name, value in members.items():
            if value.__class__ is flat[name]:
                document[name] = value
            elif value is not None:
                document[name] = readers[name](value)
        return document

    return read


def _of(go: GoType) -> Read:
    """Return the function that reads a type; no value of some types is plain."""
    if go.name in INTEGERS:
        return _integer(INTEGERS[go.name])
    make = _FORMS.get(go.form)
    return make(go) if make else _otherwise


def _integer(allowed: range) -> Read:
    def read(value: Decoded) -> int:
        if value.__class__ is not int or value not in allowed:
            raise _OtherwiseError
        whole: int = value
        return whole

    return read


def _list(go: GoType) -> Read:
    expected, inner = _FLAT.get(go.inner.name), _of(go.inner)
    most = go.length if go.form is Form.ARRAY else None

    def read(value: Decoded) -> list[Any]:
        if value.__class__ is not list or (most is not None and len(value) > most):
            raise _OtherwiseError
        if expected is None:
            return [inner(part) for part in value]
        if any(part.__class__ is not expected for part in value):
            raise _OtherwiseError
        found: list[Any] = value
        return found

    return read


def _map(go: GoType) -> Read:
    expected, inner = _FLAT.get(go.inner.name), _of(go.inner)

    def read(pairs: Decoded) -> dict[str, Any]:
        if pairs.__class__ is not tuple:
            raise _OtherwiseError
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _OtherwiseError
        if expected is None:
            return {name: inner(value) for name, value in found.items()}
        if any(value.__class__ is not expected for value in found.values()):
            raise _OtherwiseError
        return found

    return read


def _strings(_go: GoType) -> Read:
    read_list = _list(GoType(Form.LIST, "[]string", GoType(Form.SCALAR, "string")))
    return lambda value: [value] if value.__class__ is str else read_list(value)


def _nothing(_go: GoType) -> Read:
    def read(pairs: Decoded) -> dict[str, Any]:
        if pairs != ():
            raise _OtherwiseError
        return {}

    return read


_FORMS: Final[Mapping[Form, Callable[[GoType], Read]]] = {
    Form.LIST: _list,
    Form.ARRAY: _list,
    Form.MAP: _map,
    Form.STRSLICE: _strings,
    Form.SET: _nothing,
    Form.STRUCT: lambda go: _reader(go.name),
}
"""Floats, JSON that is not read and structures of old are left to the rules."""
