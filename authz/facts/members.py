"""Reads members of decoded documents: canonical request bodies and inspect documents.

A canonical body has no nulls and the right types; an inspect document has the
right types but nulls for what is empty. Both read alike here. It knows Go's
zero values, and no member by name.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from authz.errors import Reason, RefusedError

Document = Mapping[str, Any]


def text(document: Document, name: str) -> str:
    """Return a string member; empty where it is not there."""
    value: str = document.get(name) or ""
    return value


def number(document: Document, name: str) -> int:
    """Return a whole number; 0 where it is not there."""
    value: int = document.get(name) or 0
    return value


def flag(document: Document, name: str) -> bool:
    """Return a truth value; false where it is not there."""
    return bool(document.get(name))


def strings(document: Document, name: str) -> list[str]:
    """Return a list of strings; a lone string counts as a list of one, as the daemon reads it."""
    value = document.get(name) or []
    return [value] if isinstance(value, str) else list(value)


def table(document: Document, name: str) -> Document:
    """Return a nested document or map; empty where it is not there."""
    value: Document = document.get(name) or {}
    return value


def tables(document: Document, name: str) -> list[Document]:
    """Return a list of nested documents, leaving out nulls."""
    return [item for item in document.get(name) or [] if item is not None]


def pairs(document: Document, name: str) -> Iterator[str]:
    """Yield a map of strings as ``key=value``."""
    for key, value in table(document, name).items():
        yield f"{key}={value}"


def unreadable(detail: str) -> RefusedError:
    """Return the refusal of a value whose meaning for the daemon is not known."""
    return RefusedError(Reason.UNREADABLE_REQUEST, detail)
