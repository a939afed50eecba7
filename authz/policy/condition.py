"""The when column of a row: ``image=registry.corp/** & tls!=none & until=2027-03-31``.

A condition is parsed once, when its row is loaded. It knows which questions a
row may ask about a request besides its facts, and nothing about rows or words
of verdicts.

An answer is True, False, or None for "cannot be known": the request does not
say what the condition asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from authz.facts.facts import ALL_LABELS, LABEL
from authz.policy.glob import glob_matches, is_literal
from authz.policy.placeholder import has_placeholder
from authz.policy.spelling import listed, nearest
from authz.policy.subject import CALLERS, type_of
from authz.wire.evidence import address
from authz.wire.raw import Door

ALWAYS = "*"
UNTIL = "until"
SOURCE = "source"
KEYS = ("user", "tenant", "image", "name", "tls", SOURCE, "listener", "door", "method")
"""What may be asked, besides ``label.<key>`` and ``until``."""

_CHOICES = {
    "tls": ("none", "server", "mutual"),
    "door": tuple(door.value for door in Door),
    "method": ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"),
}
"""The values of closed domains."""
_MAPPED = 96
"""Bits before an IPv4 address that is written as an IPv6 one; no source is called so."""
_AND = " & "
_CLAUSE = re.compile(r"([^\s=!<>~|]*)(!=|=(?!=)|[=!<>~]*)(.*)", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class ConditionError(ValueError):
    """A condition that cannot be read.

    ``offset`` counts characters from the start of the column to what is wrong
    there; ``suggestion`` is what to write instead, where that is clear.
    """

    def __init__(self, message: str, offset: int = 0, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Choice:
    """One glob or network of a clause, and where in the column it stands."""

    text: str
    offset: int
    network: IPv4Network | IPv6Network | None = None

    def holds(self, value: str) -> bool:
        """Say whether it fits a value; in a network there are addresses only."""
        if self.network is None:
            return glob_matches(self.text, value)
        found = address(value)
        return found is not None and ip_address(found) in self.network


@dataclass(frozen=True, slots=True)
class Clause:
    """One ``key=glob|glob``, or with ``!=`` the opposite of it."""

    key: str
    choices: tuple[Choice, ...]
    negated: bool
    offset: int

    def verdict(self, context: Mapping[str, str]) -> bool | None:
        """Say whether it holds; None where the context does not have its key."""
        value = context.get(self.key)
        if value is None and self.key.startswith(LABEL):
            value = context.get(ALL_LABELS)
        if value is None:
            return None
        found = any(choice.holds(value) for choice in self.choices)
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed when column. Make one with :func:`parse`.

    ``until`` is the last day, in UTC, on which the row counts; ``until_offset``
    is where the column says so.
    """

    text: str
    clauses: tuple[Clause, ...] = ()
    until: date | None = None
    until_offset: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it asks for, ``until`` aside, in the order written."""
        return tuple(clause.key for clause in self.clauses)

    def verdict(self, context: Mapping[str, str]) -> bool | None:
        """Say whether everything holds; None where nothing fails and something is not known.

        ``context`` has the keys of a request; ``now`` is the time of the
        judgement in ISO 8601, in UTC where it names no zone.
        """
        doubt = False
        for answer in self._answers(context):
            if answer is False:
                return False
            doubt = doubt or answer is None
        return None if doubt else True

    def _answers(self, context: Mapping[str, str]) -> Iterator[bool | None]:
        if self.until is not None:
            now = _day(context.get("now", ""))
            yield None if now is None else now <= self.until
        for clause in self.clauses:
            yield clause.verdict(context)


def parse(text: str) -> Condition:
    """Read a when column. Raises ConditionError."""
    if text == ALWAYS:
        return Condition(text)
    clauses: list[Clause] = []
    until: tuple[date, int] | None = None
    offset = 0
    for part in text.split(_AND):
        key, sign, values = _parts(part, offset)
        if key != UNTIL:
            clauses.append(_clause(key, sign, values, offset))
        elif until:
            raise ConditionError("until is given twice", offset)
        else:
            until = _until(sign, values, offset), offset
        offset += len(part) + len(_AND)
    return Condition(text, tuple(clauses), *(until or ()))


def _parts(part: str, offset: int) -> tuple[str, str, str]:
    """Cut one clause into key, sign and values, and check how they are written."""
    if part != part.strip():
        message = f"'{part}' has space around it"
        raise ConditionError(message, offset, part.strip())
    if "&" in part:
        fixed = _AND.join(each.strip() for each in re.split("&+", part))
        raise ConditionError(
            f"'{part}' joins conditions without a space on each side", offset, fixed
        )
    key, sign, values = _CLAUSE.findall(part)[0]
    if sign not in ("=", "!="):
        message = f"'{part}' is not a condition; expected key=value or key!=value"
        raise ConditionError(message, offset, f"{key}={values.strip()}" if key and sign else "")
    _check_key(key, offset)
    if values != values.strip():
        at = offset + len(key) + len(sign)
        raise ConditionError(f"'{values}' has space around it", at, values.strip())
    return key, sign, values


def _check_key(key: str, offset: int) -> None:
    if key in (*KEYS, UNTIL) or (key.startswith(LABEL) and key not in (LABEL, ALL_LABELS)):
        return
    expected = listed([*KEYS, "label.<key>", UNTIL])
    near = nearest(key, (*KEYS, UNTIL))
    raise ConditionError(f"'{key}' is not a key; expected {expected}", offset, near)


def _clause(key: str, sign: str, values: str, offset: int) -> Clause:
    at = offset + len(key) + len(sign)
    choices = []
    for text in values.split("|"):
        _check_choice(key, text, at, alone=text == values)
        choices.append(Choice(text, at, _network(text, at) if key == SOURCE else None))
        at += len(text) + 1
    return Clause(key, tuple(choices), sign == "!=", offset)


def _check_choice(key: str, text: str, at: int, *, alone: bool) -> None:
    if not text and not alone:
        raise ConditionError("an empty value in a list; alternatives have one | between", at)
    if text != text.strip():
        raise ConditionError(f"'{text}' has space around it", at, text.strip())
    if text.startswith("!"):
        raise ConditionError(f"'!' stands before the =: {key}!={text[1:]}", at, text[1:])
    if has_placeholder(text):
        raise ConditionError("placeholders stand in the fact column only", at)
    choices = _CHOICES.get(key)
    if choices and is_literal(text) and text not in choices:
        message = f"'{text}' is never the value of {key}; expected {listed(choices)}"
        raise ConditionError(message, at, nearest(text, choices))
    if key == "user" and text and text[0] not in "*?" and type_of(text) not in CALLERS:
        expected = listed([f"{each}:" for each in CALLERS])
        raise ConditionError(
            f"'{text}' has no type; expected {expected}",
            at,
            "" if type_of(text) else f"user:{text}",
        )


def _network(text: str, at: int) -> IPv4Network | IPv6Network | None:
    """Return the network that is meant; None for a glob, a single address, and no address.

    Raises ConditionError for what no source is ever called.
    """
    if not text or ("/" not in text and not is_literal(text)):
        return None
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        message = f"'{text}' is neither an address nor a network"
        raise ConditionError(message, at, "10.0.0.0/8") from None
    mapped = meant.network_address.ipv4_mapped if isinstance(meant, IPv6Network) else None
    if mapped is not None and meant.prefixlen >= _MAPPED:
        meant = ip_network(f"{mapped}/{meant.prefixlen - _MAPPED}")
    written = str(meant) if "/" in text else str(meant.network_address)
    if text != written:
        message = f"'{text}' is not how {'networks' if '/' in text else 'addresses'} are written"
        raise ConditionError(message, at, written)
    return meant if "/" in text else None


def _until(sign: str, text: str, offset: int) -> date:
    if sign != "=":
        raise ConditionError("until takes = and the last day", offset, f"until={text}")
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)  # noqa: TRY301  one answer to every bad date
        return date.fromisoformat(text)
    except ValueError:
        message = f"'{text}' is not a day; expected YYYY-MM-DD"
        raise ConditionError(message, offset + len("until="), _dashed(text)) from None


def _dashed(text: str) -> str:
    """Return the day that is meant by ``20270331`` or ``2027/3/31``, where one is."""
    found = re.fullmatch(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})", text, re.ASCII)
    dashed = "-".join(part.zfill(2) for part in found.groups()) if found else ""
    return "" if dashed == text else dashed


def _day(now: str) -> date | None:
    """Return the day in UTC of a time in ISO 8601; None where there is none."""
    try:
        time = datetime.fromisoformat(now)
    except ValueError:
        return None
    return time.astimezone(UTC).date() if time.tzinfo else time.date()
