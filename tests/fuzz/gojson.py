"""Any bytes as one JSON document: what is accepted reads one way only.

Knows what must hold of ``authz.docker.gojson`` for every input; knows no fuzzer.
"""
# ruff: noqa: PT017  a fuzzer has no pytest

import json
from typing import Any

from authz.docker.gojson import Json, Number, fold, is_empty, loads, quoted
from authz.errors import Reason, RefusedError


def check(data: bytes) -> None:
    """Read the bytes; what is accepted equals Python's own reading, and so does its rewriting."""
    try:
        value = loads(data)
    except RefusedError as refusal:
        assert refusal.reason is Reason.UNREADABLE_REQUEST
        assert refusal.detail.isprintable()
        return
    assert plain(value) == json.loads(data, object_pairs_hook=_once)
    assert loads(written(value).encode()) == value
    for name in value if isinstance(value, dict) else ():
        assert fold(fold(name)) == fold(name)
        assert fold(name.swapcase()) == fold(name) or not name.isascii()
    assert quoted(value).isprintable()
    assert is_empty(value) or value or isinstance(value, Number)


def plain(value: Json) -> Any:
    """Return what ``json.loads`` returns for the same document."""
    match value:
        case Number(text):
            return json.loads(text)
        case list():
            return [plain(part) for part in value]
        case dict():
            return {name: plain(part) for name, part in value.items()}
    return value


def written(value: Json) -> str:
    """Write a value that was read, with every number as it was."""
    match value:
        case Number(text):
            return text
        case list():
            return f"[{','.join(map(written, value))}]"
        case dict():
            members = (f"{json.dumps(name)}:{written(part)}" for name, part in value.items())
            return f"{{{','.join(members)}}}"
    return json.dumps(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), "a repeated member was accepted"
    return dict(pairs)
