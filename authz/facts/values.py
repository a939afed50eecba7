"""How the values of each kind are written: one spelling, which patterns must share.

A pattern in another spelling (``CAP_SYS_ADMIN``, ``/var/run/docker.sock``,
``nginx``) would never match, and a deny row that never matches is an open
door. So each grammar of the catalogue can say what is wrong with a pattern.
Numbers and ports are checked where they are parsed, by the policy stage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address

from authz.facts.capabilities import ALL, EVERY, normal
from authz.facts.image_names import InvalidNameError, read_name
from authz.facts.paths import clean

Fault = tuple[str, str]
"""What is wrong, and what to write instead (empty where that is not known)."""

WHOSE = ("own", "tenant", "foreign", "unowned", "unknown")

_CONTAINER = "container:"
_ENUM = "enum:"
_FREE = re.compile(r"<[a-z0-9]+>")
"""A part of an enumerated value that can be anything."""
_STARS = "**"
_PART = re.compile(r"\*+|\{\w+\}|.", re.DOTALL)
"""The parts of a glob: stars, a placeholder, or one character."""


def value_fault(kind: str, grammar: str, text: str) -> Fault | None:
    """Say what is wrong with the pattern ``text`` of a kind with this grammar; None if nothing."""
    if text in ("*", _STARS):
        return None
    if grammar.startswith(_ENUM):
        return _choice(kind, grammar.removeprefix(_ENUM).split("|"), text)
    check = _GRAMMARS.get(grammar)
    return check(text) if check else None


def _is_pattern(text: str) -> bool:
    return any(char in text for char in "*?{")


def _choice(kind: str, choices: list[str], text: str) -> Fault | None:
    """Check a value of a closed list; a pattern must fit one of them."""
    fits = _overlaps if _is_pattern(text) else _is_one
    if any(fits(text, choice) for choice in choices):
        return None
    expected = ", ".join(choices)
    close = get_close_matches(text.casefold(), choices, n=1, cutoff=0.3)
    guess = close[0] if close else choices[0] if len(choices) == 1 else ""
    return f'"{text}" is never the value of {kind}; expected {expected}', guess


def _is_one(text: str, choice: str) -> bool:
    """Say whether this is an enumerated value; ``<hex>`` and the like are free."""
    pattern = ".+".join(map(re.escape, _FREE.split(choice)))
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def _overlaps(pattern: str, choice: str) -> bool:
    """Say whether a glob can fit an enumerated value, taking free parts for anything."""
    literal = re.split(r"[*?{]", pattern, maxsplit=1)[0]
    fixed = _FREE.split(choice)[0]
    if fixed != choice:
        return fixed.startswith(literal) or literal.startswith(fixed)
    ends = {0}
    for part in _PART.findall(pattern):
        ends = {after for end in ends for after in _after(part, choice, end)}
    return len(choice) in ends


def _after(part: str, choice: str, start: int) -> Iterable[int]:
    """Return where a part of a glob can end that begins at ``start``; no value has a slash."""
    if part.startswith("*"):
        return range(start, len(choice) + 1)
    if part.startswith("{"):
        return range(start + 1, len(choice) + 1)
    fits = choice[start : start + 1] if part == "?" else part
    return [start + 1] if fits and choice.startswith(fits, start) else []


def _capability(text: str) -> Fault | None:
    if _is_pattern(text):
        fixed = text.upper().removeprefix("CAP_")
        return None if fixed == text else (f'"{text}" is not how capabilities are written', fixed)
    name = normal(text)
    if name == text and name in EVERY | {ALL}:
        return None
    if name in EVERY | {ALL}:
        return f'"{text}" is not how capabilities are written', name
    close = get_close_matches(name, EVERY, n=1)
    return f'"{text}" is not a capability', "".join(close)


def _path(text: str) -> Fault | None:
    if not text.startswith("/"):
        if text.startswith(_STARS):
            return None
        return f'"{text}" is not an absolute path', f"/{text}"
    fixed = clean(text)
    if fixed == text:
        return None
    return f'"{text}" is not how paths are written: it has one spelling', fixed


def _image(text: str) -> Fault | None:
    """Check registry and path; a pattern must at least say, or leave open, the registry."""
    if not _is_pattern(text):
        return _image_name(text)
    first, slash, _ = text.partition("/")
    if not slash or _is_pattern(first):
        loose = text.startswith(("*", "{", "?", "sha256:"))
        if not loose:
            return _without_registry(text)
        return _without_tag(text) if slash else None
    if first == "localhost" or "." in first or ":" in first:
        return _without_tag(text)
    return _without_registry(text)


def _without_tag(text: str) -> Fault | None:
    """Refuse a pattern of a name with a tag or digest, which no value has."""
    folder, _, last = text.rpartition("/")
    name = re.split("[:@]", last, maxsplit=1)[0]
    return _overnamed(text, f"{folder}/{name}") if name != last else None


def _overnamed(text: str, fixed: str) -> Fault:
    what = "tags and digests have kinds of their own: image.tag, image.digest"
    return f'"{text}" names more than an image; {what}', fixed


def _without_registry(text: str) -> Fault:
    fixed = f"docker.io/{text}" if "/" in text else f"docker.io/library/{text}"
    return f'"{text}" does not say which registry it means', fixed


def _image_name(text: str) -> Fault | None:
    try:
        name = read_name(text)
    except InvalidNameError:
        return f'"{text}" is not the name of an image', ""
    if name.image == text:
        return None
    if name.tag or name.digest:
        return _overnamed(text, name.image)
    return f'"{text}" is not how images are written: registry and path', name.image


def _address(text: str) -> Fault | None:
    if _is_pattern(text):
        return None
    try:
        fixed = str(ip_address(text))
    except ValueError:
        return f'"{text}" is not an IP address', ""
    return None if fixed == text else (f'"{text}" is not how addresses are written', fixed)


def _network(text: str) -> Fault | None:
    whose = text.removeprefix(_CONTAINER)
    if whose == text or _is_pattern(whose) or whose in WHOSE:
        return None
    expected = ", ".join(WHOSE)
    return f'"{text}" names a container; facts say whose it is: {expected}', f"{_CONTAINER}own"


def _version(text: str) -> Fault | None:
    if _is_pattern(text) or re.fullmatch(r"\d+\.\d+", text):
        return None
    return f'"{text}" is not an API version', ""


def _pair(text: str) -> Fault | None:
    if _is_pattern(text) or "=" in text:
        return None
    return f'"{text}" has no value; these facts are written key=value', f"{text}=*"


def _user(text: str) -> Fault | None:
    name = text.partition(":")[0]
    fixed = "root" if name == "0" else name
    if fixed == text:
        return None
    return f'"{text}" is not how users are written: a name, or a number above 0', fixed


_GRAMMARS: Mapping[str, Callable[[str], Fault | None]] = {
    "capability": _capability,
    "path": _path,
    "image": _image,
    "ip": _address,
    "net": _network,
    "version": _version,
    "pair": _pair,
    "user": _user,
}
"""The grammars with more than one way to write the same; the others are free text or numbers."""
