"""Writes cases of ``tests.toml``: text that the strict reader of cases takes.

It knows TOML and the members of a case, and not what comes out of one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

LONGEST: Final = 1000
"""Characters of a string on one line; a line must not exceed 4,096 bytes."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINE: Final = 100


def case_text(case: Mapping[str, Any]) -> str:
    """Write one ``[[case]]``. What is None or empty is left out, but for ``because``."""
    given = case.get("given") or {}
    lines = ["[[case]]"]
    for key, value in case.items():
        if key != "given" and (value or key == "because") and value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    for topic, objects in given.items():
        lines += _table(("case", "given", topic), objects)
    return "\n".join(lines) + "\n"


def cases_text(cases: Sequence[Mapping[str, Any]]) -> str:
    """Write several, each with a name of its own."""
    return "\n".join(map(case_text, told_apart(cases)))


def told_apart(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the cases, those of one name numbered: the reader takes no two of them."""
    seen: dict[str, int] = {}
    found = []
    for case in cases:
        name = str(case["name"])
        seen[name] = seen.get(name, 0) + 1
        number = f" ({seen[name]})" if seen[name] > 1 else ""
        found.append(dict(case) | {"name": name + number})
    return found


def _table(path: tuple[str, ...], members: Mapping[str, Any]) -> Iterator[str]:
    """Write a table: its own values first, then the tables inside it."""
    own = {k: v for k, v in members.items() if v is not None and not isinstance(v, Mapping)}
    inner = {k: v for k, v in members.items() if isinstance(v, Mapping)}
    if own or not inner:
        yield f"[{'.'.join(map(_key, path))}]"
    for key, value in own.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        yield from _table((*path, key), value)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _string(value) if len(value) <= LONGEST else _long(value)
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        items = [_value(each) for each in value if each is not None]
        flat = f"[{', '.join(items)}]"
        return flat if len(flat) <= _LINE else "[\n  " + ",\n  ".join(items) + ",\n]"
    return json.dumps(value)  # numbers and truth values are spelt alike


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    """Write a string as JSON does, which TOML reads; but TOML escapes DEL as well."""
    written = json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False)
    return "".join(_escaped(char) for char in written)


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"  # noqa: PLR2004


def _long(text: str) -> str:
    """Write a string over several lines; what begins a line must not be white space."""
    pieces = [""]
    for char in text:
        if len(pieces[-1]) >= LONGEST and not char.isspace():
            pieces.append("")
        pieces[-1] += char
    body = "\\\n".join(_string(piece)[1:-1] for piece in pieces)
    return f'"""\\\n{body}"""'
