"""Reads members of decoded documents: canonical request bodies and inspect documents.

A canonical body has no nulls and the right types; an inspect document has nulls
for what is empty. Both read alike here. What comes from the daemon, or from a
person who rehearses, may have a wrong type: that is refused as a look-up that
failed, at the first reading, so that nobody else has to look. It knows Go's zero
values, and no member by name.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from authz.errors import Reason, RefusedError

Document = Mapping[str, Any]

_NUMBERS = range(-(2**63), 2**64)
"""What Go's integers hold."""


def is_table(value: object) -> TypeGuard[Document]:
    """Say whether a value is a nested document; plain ones are told quickly."""
    return value.__class__ is dict or isinstance(value, Mapping)


def text(document: Document, name: str) -> str:
    """Return a string member; empty where it is not there."""
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, "text")
    return value


def number(document: Document, name: str) -> int:
    """Return a whole number; 0 where it is not there."""
    value = document.get(name)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value not in _NUMBERS:
        raise _wrong(name, "a whole number")
    return value


def flag(document: Document, name: str) -> bool:
    """Return a truth value; false where it is not there."""
    value = document.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def strings(document: Document, name: str) -> list[str]:
    """Return a list of strings; a lone string counts as a list of one, as the daemon reads it."""
    value = document.get(name)
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(name, "a list of texts")
    return list(value)


def table(document: Document, name: str) -> Document:
    """Return a nested document or map; empty where it is not there."""
    value = document.get(name)
    if value is None:
        return {}
    if not is_table(value):
        raise _wrong(name, "an object")
    found: Document = value
    return found


def tables(document: Document, name: str) -> list[Document]:
    """Return a list of nested documents, leaving out nulls."""
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(name, "a list of objects")
    found = [item for item in value if item is not None]
    if not all(map(is_table, found)):
        raise _wrong(name, "a list of objects")
    return found


def lists(document: Document, name: str) -> list[list[str]]:
    """Return a list of lists of strings."""
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(name, "a list of lists")
    return [strings({name: item}, name) for item in value]


def texts(document: Document, name: str) -> Mapping[str, str]:
    """Return a map of strings; empty where it is not there."""
    value = table(document, name)
    if not all(isinstance(part, str) for part in value.values()):
        raise _wrong(name, "an object of texts")
    return value


def pairs(document: Document, name: str) -> Iterator[str]:
    """Yield a map of strings as ``key=value``."""
    for key, value in texts(document, name).items():
        yield f"{key}={value}"


def unreadable(detail: str) -> RefusedError:
    """Return the refusal of a value whose meaning for the daemon is not known."""
    return RefusedError(Reason.UNREADABLE_REQUEST, detail)


def malformed(detail: str) -> RefusedError:
    """Return the refusal of an answer that is none; ``detail`` shows no value of it."""
    return RefusedError(Reason.LOOKUP_FAILED, f"a look-up failed: {detail}")


def _wrong(name: str, expected: str) -> RefusedError:
    return malformed(f"{name} is not {expected}")
