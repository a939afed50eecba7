"""Which records somebody looks for.

It knows the members of records and nothing of files. Texts may hold ``*`` and
``?`` as in file names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Query:
    """What a record must have; what is empty is not asked for.

    ``row`` is one that settled a fact; ``thing`` a name or id in the target,
    a fact or an outcome. Lines that are no decisions, such as grants and
    summaries, have a caller and an action in places of their own.
    """

    id: str = ""
    subject: str = ""
    action: str = ""
    verdict: str = ""
    reason: str = ""
    row: str = ""
    thing: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Say whether a record is one of those."""
        identity, request = table(record, "identity"), table(record, "request")
        return (
            _fits(self.id, record.get("id"))
            and _fits(self.subject, identity.get("subject", record.get("subject")))
            and _fits(self.action, request.get("action", record.get("action")))
            and _fits(self.verdict, record.get("verdict"))
            and _fits(self.reason, record.get("reason"))
            and (not self.row or any(_fits(self.row, fact.get("row")) for fact in facts(record)))
            and (not self.thing or any(_fits(self.thing, each) for each in _objects(record)))
            and self._in_time(record.get("time"))
        )

    def _in_time(self, text: object) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            time = datetime.fromisoformat(str(text))
        except ValueError:
            return False
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )


def moment(text: str, now: datetime) -> datetime:
    """Read a time: as in ISO 8601, or ``90m`` for that long ago. Raises ValueError."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def facts(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the facts of a record; those that are no tables are left out."""
    found = record.get("facts")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def table(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of a record; an empty one where it is none."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _fits(pattern: str, value: object) -> bool:
    return not pattern or (isinstance(value, str) and fnmatchcase(value, pattern))


def _objects(record: Mapping[str, Any]) -> list[str]:
    """Return what names an object: path, ``name``, values of facts, ids of outcome and grant."""
    path, _, query = str(table(record, "request").get("target", "")).partition("?")
    found = [unquote(part) for part in path.split("/")]
    found += [
        unquote(pair.removeprefix("name=")) for pair in query.split("&") if pair.startswith("name=")
    ]
    found += [str(fact.get("fact", "")).partition(":")[2] for fact in facts(record)]
    granted = record.get("facts")
    if isinstance(granted, str):
        found += [fact.partition(":")[2] for fact in granted.split("|")]
    return [*found, str(record.get("object", "")), str(record.get("grant", ""))]
