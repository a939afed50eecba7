"""A request's body and query, read by the table of fields.

What comes out is the document that the daemon acts on: its own spelling of
every name, exact types, and a list of what it would ignore or we cannot judge.
This module knows the rules of reading and no single field.

Sources: Go, src/encoding/json/decode.go; moby, api/server/httputils (form.go),
runconfig (old engines: HostConfig members at the top level of a create).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from authz.docker.field_table import Field, Legacy, Struct, structures
from authz.docker.gojson import Json, fold, is_empty, loads, quoted, refuse
from authz.docker.gotypes import FIRST, Form, GoType, Value, decimal, mismatch, scalar, zero
from authz.docker.plain import read_plain
from authz.docker.routes import Operation
from authz.errors import Reason, RefusedError

Query = dict[str, tuple[str, ...]]

_HOST_CONFIG = "HostConfig"
"""Where every daemon applies what old ones take at the top level of a create."""

_LISTS = frozenset({Form.LIST, Form.ARRAY, Form.STRSLICE})
"""Forms of which an empty list is a value."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Names that may stand in a path of an unknown field, which people read."""

_VALUE_SHOWN = re.compile(r"(\S+) is .*?(?:; expected|, which).*", re.DOTALL)
"""A refusal that quotes a value, behind the place where it stands."""


def read_body(
    operation: Operation, body: bytes, *, rewritten: bool = False
) -> tuple[Any, tuple[str, ...]]:
    """Return the canonical document and the paths of unknown members.

    The document has the daemon's spelling of every described member, no null
    (inside maps and lists of plain values the zero value stands for it) and
    empty lists as they are. It is None for the document ``null``, which only
    an operation that can do without a body takes. A member that is not described and not
    empty is left out and named by its path, such as ``HostConfig.Foo``,
    without list indexes and map keys.

    ``rewritten`` says that the daemon will get what comes out here and not what
    came in. Then what the table lets move (:class:`Legacy`) stands in HostConfig.

    Raises RefusedError: UNREADABLE_REQUEST where daemons could read the
    document in more than one way or not at all, LEGACY_FORM for what only old
    daemons apply.
    """
    plain = read_plain(operation.name, body)
    if plain is not None:
        return plain, ()
    return read_by_rules(operation, body, rewritten=rewritten)


def read_by_rules(
    operation: Operation, body: bytes, *, rewritten: bool = False
) -> tuple[Any, tuple[str, ...]]:
    """Do the same for a body in any form, slowly."""
    value = loads(body)
    if value is None and not operation.required:
        return None, ()
    try:
        return _read(structures()[operation.name], value, rewritten=rewritten)
    except RefusedError as refusal:
        if operation.body != "secret":
            raise
        detail = _VALUE_SHOWN.sub(r"\1 is not what it should be, and is not shown", refusal.detail)
        raise RefusedError(refusal.reason, detail) from None


def _read(known: Struct, value: Json, *, rewritten: bool) -> tuple[Any, tuple[str, ...]]:
    reading = _Reading(structures(), rewritten=rewritten)
    if known.whole is not None:
        document = reading.value(known.whole, value, "body")
    elif isinstance(value, dict):
        document = reading.moved_into(reading.members(known, value, ""))
    else:
        refuse("body", f"is {quoted(value)}; expected an object")
    return document, tuple(dict.fromkeys(reading.unknown))


def read_query(
    operation: Operation, pairs: Sequence[tuple[str, str]]
) -> tuple[Query, tuple[str, ...]]:
    """Return the described parameters and the unknown ones as ``query.<name>``.

    ``pairs`` are decoded and in the order received. A parameter has one value
    unless the daemon reads all of them; of a ``first`` one the others are left
    out. An unknown one that is empty is ignored. Raises RefusedError
    (UNREADABLE_REQUEST) for a repeated parameter, for an integer that is none
    and for JSON that does not read one way.
    """
    described = structures().get(f"query:{operation.name}", Struct())
    query: dict[str, list[str]] = {}
    unknown: list[str] = []
    for name, value in pairs:
        known = described.exact(name)
        if known is None:
            _note_unknown(unknown, "query.", name, empty=not value)
            continue
        _check_parameter(known.go, name, value)
        if name in query and known.go.name == FIRST:
            continue
        if name in query and known.go.form is not Form.LIST:
            # Its value is not shown, because it may be a secret (buildargs).
            refuse(f"query.{name}", "comes twice; expected it once")
        query.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in query.items()}, tuple(dict.fromkeys(unknown))


class _Reading:
    """One walk through a document, which gathers the unknown members."""

    def __init__(self, known: Mapping[str, Struct], *, rewritten: bool) -> None:
        self._structures = known
        self._rewritten = rewritten
        self._moved: list[tuple[Field, Json]] = []
        self.unknown: list[str] = []
        self._forms: dict[Form, Callable[[GoType, Json, str], Value]] = {
            Form.SCALAR: lambda kind, value, place: scalar(kind.name, value, place),
            Form.LIST: self._list,
            Form.ARRAY: self._array,
            Form.MAP: self._map,
            Form.STRSLICE: self._strslice,
            Form.SET: self._set,
            Form.STRUCT: self._struct,
        }

    def members(self, struct: Struct, value: Mapping[str, Json], place: str) -> dict[str, Value]:
        """Read an object into a structure; two names that fold alike are refused."""
        document: dict[str, Value] = {}
        seen: dict[str, str] = {}
        below = _below(place)
        for name, part in value.items():
            folded = fold(name)
            if folded in seen:
                both = f"{quoted(seen[folded])} and {quoted(name)}"
                refuse(place or "body", f"has the members {both}, which the daemon takes for one")
            seen[folded] = name
            known = struct.folding(folded)
            if known is None or (known.go.form is Form.JSON):
                spelling = known.name if known else name
                _note_unknown(self.unknown, below, spelling, empty=is_empty(part))
            elif known.legacy:
                self._legacy(known, part, below + known.name)
            elif part is not None:
                kind = known.go
                document[known.name] = self._forms[kind.form](kind, part, below + known.name)
        return document

    def moved_into(self, document: dict[str, Value]) -> dict[str, Value]:
        """Return a create with what it has at the top level for old daemons in HostConfig.

        Beside one, they apply only some of it, and newer daemons nothing. What is unknown
        and admitted makes the daemon get the document as it came: then nothing moves.
        """
        if not self._moved:
            return document
        host: Any = document.get(_HOST_CONFIG)
        values = {
            known.name: self.value(known.go, part, known.name)
            for known, part in self._moved
            if host is None or (known.legacy is Legacy.FILLED and not host.get(known.name))
        }
        if self.unknown:  # what moves may have unknown members, too
            known, part = self._moved[0]
            _refuse_legacy(known.name, part)
        return {**document, _HOST_CONFIG: {**(host or {}), **values}}

    def value(self, kind: GoType, value: Json, place: str) -> Value:
        """Read a value of a type."""
        return self._forms[kind.form](kind, value, place)

    def _legacy(self, known: Field, part: Json, place: str) -> None:
        """Note what moves, and refuse what old daemons would apply to somebody's harm."""
        is_list = part == [] and known.go.form in _LISTS and known.legacy is not Legacy.SET
        if is_list or (part != [] and is_empty(part)):
            return
        if not (self._rewritten and known.legacy.moves):
            _refuse_legacy(place, part)
        self._moved.append((known, part))

    def _element(self, kind: GoType, value: Json, place: str) -> Value:
        return zero(kind.inner) if value is None else self.value(kind.inner, value, place)

    def _list(self, kind: GoType, value: Json, place: str) -> Value:
        if not isinstance(value, list):
            mismatch(value, "a list", place, veiled=_may_be_secret(kind, value))
        if kind.inner.form is Form.STRUCT and None in value:
            # Engines keep it as a nil pointer and stumble over it for as long as the object lives.
            refuse(place, "has a null in its list; expected objects")
        return [self._element(kind, part, place) for part in value]

    def _array(self, kind: GoType, value: Json, place: str) -> Value:
        if isinstance(value, list) and len(value) > kind.length:
            refuse(place, f"has {len(value)} elements; expected at most {kind.length}")
        return self._list(kind, value, place)

    def _map(self, kind: GoType, value: Json, place: str) -> Value:
        if not isinstance(value, dict):
            mismatch(value, "an object", place, veiled=_may_be_secret(kind, value))
        return {key: self._element(kind, part, place) for key, part in value.items()}

    def _strslice(self, _kind: GoType, value: Json, place: str) -> Value:
        if isinstance(value, str):
            return [value]
        return self._list(_STRINGS, value, place)

    def _set(self, _kind: GoType, value: Json, place: str) -> Value:
        return self._object(Struct(), value, place)

    def _struct(self, kind: GoType, value: Json, place: str) -> Value:
        return self._object(self._structures[kind.name], value, place)

    def _object(self, struct: Struct, value: Json, place: str) -> Value:
        if not isinstance(value, dict):
            mismatch(value, "an object", place)
        return self.members(struct, value, place)


_STRINGS = GoType(Form.LIST, "[]string", GoType(Form.SCALAR, "string"))


def _may_be_secret(kind: GoType, value: Json) -> bool:
    """Say whether this is one text where several belong, such as an environment."""
    return isinstance(value, str) and kind.inner.name == "string"


def _below(place: str) -> str:
    return f"{place}." if place else ""


def _note_unknown(unknown: list[str], prefix: str, name: str, *, empty: bool) -> None:
    """Name an unknown field by its path, unless it is empty; its name must be readable."""
    if empty:
        return
    if not _NAME.fullmatch(name):
        refuse(prefix.rstrip(".") or "body", f"has the unknown field {quoted(name)}")
    unknown.append(prefix + name)


def _refuse_legacy(place: str, value: Json) -> NoReturn:
    problem = f"is {quoted(value)}; only old daemons apply it there"
    raise RefusedError(Reason.LEGACY_FORM, f"{place} {problem}")


def _check_parameter(kind: GoType, name: str, value: str) -> None:
    """Refuse a value that daemons read in different ways or answer 400 to."""
    if not value:
        return
    if kind.name == "int" and not decimal(value):
        refuse(f"query.{name}", f"is {quoted(value)}; expected a decimal integer")
    if kind.form is Form.JSON:
        # A lone surrogate must reach the reader, which refuses it as no UTF-8.
        loads(value.encode("utf-8", "surrogatepass"), f"query.{name}")
