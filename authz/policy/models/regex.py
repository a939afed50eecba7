"""Regular expressions that cannot explode, and how to tell them from the others.

Of each element that may take more or less, nothing that it takes may begin what
follows it, so that there is no choice to take back; the last one of them may be
ambiguous, because nothing behind it is. Then matching is linear in the text. What
is accepted here means the same to Python. It knows no policies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from authz.policy.pattern import PatternError

_OTHER: Final = 128
"""Stands for every character beyond ASCII."""
_EVERY: Final = frozenset(range(_OTHER + 1))
_LONGEST: Final = 64
"""The highest count in braces."""

_PLAIN = r"[^\\.^$*+?{}\[\]()|\s]"
_ESCAPED = r"\\[^\w\s]"
_WORD = rf"(?:{_PLAIN}|{_ESCAPED})+"
_IN_SET = r"(?:\\[^\w\s]|[^\\\[\]^&|~\s-])"
_ELEMENT = re.compile(
    rf"""(?:(?P<text>{_PLAIN}|{_ESCAPED}|[ ])
    | (?P<any>\.)
    | \[(?P<not>\^?)(?P<set>-?(?:{_IN_SET}(?:-{_IN_SET})?)+-?)\]
    | \((?:\?:)?(?P<words>{_WORD}(?:\|{_WORD})*)\)
    )(?P<times>[*+?]|\{{\d{{1,2}}(?:,\d{{1,2}})?\}})?""",
    re.VERBOSE,
)
_MEMBER = re.compile(rf"({_IN_SET})(?:-({_IN_SET}))?|(-)")
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class _Element:
    """``first`` are the characters it can begin with; ``text`` is what it is, where it is one."""

    first: frozenset[int]
    low: int
    high: int | None
    offset: int
    text: str = ""

    @property
    def varies(self) -> bool:
        return self.low != self.high


def compile_safe(text: str) -> tuple[re.Pattern[str], str]:
    """Return an expression for the whole of a value, and what every value of it begins with.

    ``text`` ends with ``$``. Raises PatternError.
    """
    if not text.endswith("$") or text.endswith("\\$"):
        raise PatternError("it has no $ at its end, so that it says only how a value begins")
    begin = 1 if text.startswith("^") else 0
    elements = _elements(text[:-1], begin)
    _check_choices(elements)
    prefix = ""
    for element in elements:
        if not element.text or element.varies:
            break
        prefix += element.text
    try:
        return re.compile(text), prefix
    except re.error as error:
        raise PatternError(f"it cannot be read: {error.msg}", error.pos or 0) from None


def _elements(text: str, at: int) -> list[_Element]:
    found = []
    while at < len(text):
        element = _ELEMENT.match(text, at)
        if element is None:
            raise PatternError(f"'{text[at]}' is not supported here", at)
        found.append(_element(element, at))
        at = element.end()
        if element["times"] and text[at : at + 1] in ("?", "+", "*", "{"):
            raise PatternError("a count behind a count is not supported", at)
    return found


def _element(found: re.Match[str], at: int) -> _Element:
    low, high = _times(found["times"] or "{1}", at)
    if found["text"]:
        char = found["text"][-1]
        return _Element(_chars(char), low, high, at, char if (low, high) == (1, 1) else "")
    if found["words"]:
        if high != 1:
            raise PatternError("a group cannot be repeated", at)
        return _Element(_words(found["words"], at), low, high, at)
    inside = _EVERY - {ord("\n")} if found["any"] else _set(found["set"])
    if found["not"]:
        inside = (_EVERY - inside) | {_OTHER}
    return _Element(inside, low, high, at)


def _times(text: str, at: int) -> tuple[int, int | None]:
    if text in ("*", "+", "?"):
        return (1 if text == "+" else 0), (1 if text == "?" else None)
    low, _, high = text.strip("{}").partition(",")
    counts = int(low), int(high or low)
    if not counts[0] <= counts[1] <= _LONGEST:
        raise PatternError(f"'{text}' is no count; expected at most {_LONGEST}", at)
    return counts


def _words(text: str, at: int) -> frozenset[int]:
    """Return what words begin with, none of which may begin another one."""
    words = sorted(_ESCAPE.sub(r"\1", word) for word in re.split(r"(?<!\\)\|", text))
    for one, other in pairwise(words):
        if other.startswith(one):
            raise PatternError(f"'{other}' begins with '{one}', so that there is a choice", at)
    return frozenset().union(*(_chars(word[0]) for word in words))


def _set(text: str) -> frozenset[int]:
    found: set[int] = set()
    for first, last, dash in _MEMBER.findall(text):
        low = ord((first or dash)[-1])
        high = ord(last[-1]) if last else low
        found.update(range(low, min(high, _OTHER - 1) + 1))
        if high >= _OTHER:
            found.add(_OTHER)
    return frozenset(found)


def _chars(char: str) -> frozenset[int]:
    return frozenset({min(ord(char), _OTHER)})


def _check_choices(elements: list[_Element]) -> None:
    """Insist that only the last element that varies leaves a choice."""
    varying = [place for place, each in enumerate(elements) if each.varies]
    for place in varying[:-1]:
        following: set[int] = set()
        for each in elements[place + 1 :]:
            following |= each.first
            if each.low:
                break
        if elements[place].first & following:
            message = "what follows this may begin with what it repeats, which may take very long"
            raise PatternError(message, elements[place].offset)
