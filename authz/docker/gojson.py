"""JSON as Go's ``encoding/json`` takes it, narrowed to what it takes in one way only.

The daemon's decoder folds the case of member names, merges repeated members,
repairs broken text and stops reading at the end of the first document; the
clients it has to live with do none of that. This reader refuses every document
where those habits could give it another meaning than ours. It knows no field:
what a member means is the business of ``authz.docker.fields``.

Source of the rules: Go, src/encoding/json/decode.go, fold.go and scanner.go.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from authz.errors import Reason, RefusedError

MAX_DEPTH = 32
"""How many objects and lists may stand inside one another; Go stops at 10,000."""

_SURROGATE = re.compile("[\ud800-\udfff]")
HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of half a surrogate pair: without one there is none, as the bytes are UTF-8."""
_SHOWN = 60
_TOO_DEEP = f"nests objects and lists deeper than {MAX_DEPTH} levels"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: Go tells 1, 1.0 and 1e0 apart when it fills an integer."""

    text: str


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"


class _UnreadableError(Exception):
    """What is wrong with a document, without its place."""


def loads(document: bytes, place: str = "body") -> Json:
    """Read one JSON document; objects keep their order, numbers their spelling.

    ``place`` names the document in a refusal. Raises RefusedError
    (UNREADABLE_REQUEST) for text that is not strict UTF-8 without a byte-order
    mark, for anything outside the JSON grammar (NaN included), for a lone
    surrogate, for a name that comes twice in one object, for more than
    MAX_DEPTH levels, and for anything but white space behind the document,
    closing brackets included, which the daemon's check overlooks.
    """
    try:
        text = _text(document)
        value: Json = _DECODER.decode(text)
        _check_depth(value)
        if HALF.search(text):
            _check_texts(value)
    except json.JSONDecodeError as error:
        refuse(place, f"is not JSON: {error.msg.removesuffix(' at')} at character {error.pos}")
    except RecursionError:
        refuse(place, _TOO_DEEP)
    except _UnreadableError as error:
        refuse(place, str(error))
    return value


def dumps(value: Json) -> str:
    """Write a document in ASCII without blanks, numbers as they were spelt."""
    match value:
        case Number(text):
            return text
        case dict():
            return "{" + ",".join(f"{json.dumps(k)}:{dumps(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(dumps, value)) + "]"
        case _:
            return json.dumps(value)


def refuse(place: str, problem: str) -> NoReturn:
    """Raise the refusal of a request whose ``place`` has a ``problem``."""
    raise RefusedError(Reason.UNREADABLE_REQUEST, f"{place} {problem}")


def quoted(value: Json) -> str:
    """Show a value to the person who sent it, on one line and not at length."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case Number(text):
            shown = text
        case _:
            shown = json.dumps(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"


def fold(name: str) -> str:
    """Return the spelling that all names share which Go takes for the same member.

    Go compares by Unicode simple folding. Python has the full folding only, so
    where that gives several characters the lower-case letter stands in, if it
    is one character. For names in ASCII just two other letters count: U+017F
    is an s and U+212A a k. Nothing is remembered: callers choose the names.
    """
    return name.lower() if name.isascii() else "".join(map(_fold_letter, name))


def is_empty(value: Json) -> bool:
    """Say whether this is how JSON writes a zero value of Go, whatever the type."""
    if isinstance(value, Number):
        mantissa = re.split("[eE]", value.text, maxsplit=1)[0]
        return not mantissa.strip("-0.")
    return not value


def _text(document: bytes) -> str:
    """Decode the bytes; Go would put U+FFFD where they are no UTF-8."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8: {error.reason} at byte {error.start}"
        raise _UnreadableError(problem) from error
    if text.startswith("\ufeff"):
        raise _UnreadableError("starts with a byte-order mark")
    return text


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Build an object; Go merges the values of a repeated name."""
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise _UnreadableError(f"has the member {quoted(twice)} twice in one object")
    return members


def _constant(text: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads and Go does not."""
    raise _UnreadableError(f"is not JSON: {text} is no value")


def _check_depth(value: Json) -> None:
    """Refuse too many levels, looking at one after the other."""
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return
        level = [
            part
            for each in level
            for part in (each.values() if isinstance(each, dict) else each)  # type: ignore[union-attr]
        ]
    raise _UnreadableError(_TOO_DEEP)


def _check_texts(value: Json) -> None:
    """Refuse lone surrogates anywhere in the document."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, part in value.items():
            _check_text(name)
            _check_texts(part)
    elif isinstance(value, list):
        for part in value:
            _check_texts(part)


def _check_text(text: str) -> None:
    if half := _SURROGATE.search(text):
        # The text around it may be a secret.
        raise _UnreadableError(f"has half of a surrogate pair, {quoted(half[0])}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_constant
)


def _fold_letter(letter: str) -> str:
    """Fold one character to one character."""
    for folded in (letter.casefold(), letter.lower()):
        if len(folded) == 1:
            return folded
    return letter
