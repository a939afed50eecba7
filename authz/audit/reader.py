"""Reads an audit file back, and says where a line is not a record.

It trusts nothing about the file: whoever reads an audit wants to know what is
wrong with it, not to be stopped by it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authz.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file, counted from 1.

    ``record`` has the members that ``authz.audit.record.as_json`` wrote; it is
    empty where ``problem`` says what is wrong with the line.
    """

    line: int
    record: Mapping[str, Any]
    problem: str = ""


def read(path: Path) -> Iterator[Entry]:
    """Yield every line of the file in order. Raises ConfigurationError if it cannot be opened."""
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                yield _entry(number, text)
    except OSError as error:
        raise ConfigurationError(f"audit {path}: cannot be read: {error.strerror}") from None


def _entry(number: int, text: bytes) -> Entry:
    if not text.endswith(b"\n"):
        return Entry(number, {}, "is torn: the line has no end")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return Entry(number, {}, "is not JSON")
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return Entry(number, {}, "is JSON but no record")
    return Entry(number, record)
