"""The functions that compare a value with a pattern: the keyMatch family, as stock Casbin has it.

A pattern is compiled once. What its function would read in another way than it
looks is refused: in keyMatch2 to keyMatch5 everything but variables and ``/*``
becomes a regular expression, in which a dot is any character. It knows texts only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from authz.policy.models.globs import Glob
from authz.policy.models.regex import compile_safe
from authz.policy.pattern import PatternError

_PLAIN = r"[^.^$*+?{}\[\]()|\\]"
_ESCAPED = r"\\[^\w\s:]"
_NAMED = r"\{\w+\}"
_VARIABLE: Final = {
    "keyMatch2": r"(?<=/):\w+(?=/|$)",
    "keyMatch3": _NAMED,
    "keyMatch4": _NAMED,
    "keyMatch5": _NAMED,
}
"""How each function writes a variable, which stands for one name in a path."""
_HOW: Final = {
    "keyMatch2": "/:name up to the next /",
    "keyMatch3": "{name}",
    "keyMatch4": "{name}",
    "keyMatch5": "{name}",
}

FUNCTIONS: Final = ("keyMatch", *_VARIABLE, "globMatch", "regexMatch")
"""What a matcher may call, besides its roles and ``eval``."""

Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Pattern:
    """``fits`` says whether a value is meant.

    Every value of it begins with ``prefix``; where ``settled``, every value that
    does is one.
    """

    fits: Fits
    prefix: str = ""
    settled: bool = False


def pattern_of(function: str, text: str) -> Pattern:
    """Compile a pattern for one of :data:`FUNCTIONS`. Raises PatternError."""
    if function == "keyMatch":
        return _key_match(text)
    if function == "globMatch":
        return _glob(text)
    if function == "regexMatch":
        return _regex(text, 0)
    return _path(function, text)


def _key_match(text: str) -> Pattern:
    prefix, star, _ = text.partition("*")
    if not star:
        return Pattern(text.__eq__, text)
    if text[len(prefix) + 1 :]:
        message = f"keyMatch looks only at what stands before the first *, which is '{prefix}'"
        raise PatternError(message, len(prefix) + 1, f"{prefix}*")
    return Pattern(_Begins(prefix), prefix, settled=True)


class _Begins:
    """Whether a value begins with a text."""

    __slots__ = ("_prefix",)

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __call__(self, value: str) -> bool:
        return value.startswith(self._prefix)


def _glob(text: str) -> Pattern:
    glob = Glob(text)
    return Pattern(glob.fits, glob.prefix)


def _regex(text: str, shift: int) -> Pattern:
    """Compile an expression in which positions are ``shift`` off those of its author."""
    try:
        expression, prefix = compile_safe(text)
    except PatternError as error:
        raise PatternError(error.message, max(error.offset - shift, 0)) from None
    return Pattern(lambda value: expression.match(value) is not None, prefix)


def _path(function: str, text: str) -> Pattern:
    """Translate as the function does, and refuse what it would take for an expression."""
    if function == "keyMatch2" and text == "*":
        return Pattern(lambda value: "\n" not in value)
    element = re.compile(
        rf"(?P<variable>{_VARIABLE[function]})|(?P<rest>/\*)|{_PLAIN}|{_ESCAPED}", re.ASCII
    )
    written, at, names = "", 0, []
    while at < len(text):
        found = element.match(text, at)
        if found is None or (function == "keyMatch2" and _taken(found[0], text, at)):
            raise _misread(function, text, at)
        if found["variable"]:
            names.append(found[0])
        written += "([^/]+)" if found["variable"] else "/.*" if found["rest"] else found[0]
        at = found.end()
    return _compiled(function, written, names)


def _compiled(function: str, written: str, names: list[str]) -> Pattern:
    plain = _regex(f"^{written.replace('([^/]+)', '[^/]+')}$", 1)
    if function == "keyMatch5":
        return Pattern(lambda value: plain.fits(value.partition("?")[0]), plain.prefix)
    if function == "keyMatch4" and len(set(names)) < len(names):
        return Pattern(_Repeated(re.compile(f"^{written}$"), tuple(names)).fits, plain.prefix)
    return plain


def _taken(found: str, text: str, at: int) -> bool:
    """Say whether keyMatch2 would read a colon as a variable that does not look like one."""
    return found == ":" and text[at + 1 : at + 2] not in ("", "/")


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A pattern with a name that comes twice: both times for the same."""

    expression: re.Pattern[str]
    names: tuple[str, ...]

    def fits(self, value: str) -> bool:
        found = self.expression.match(value)
        if found is None:
            return False
        first: dict[str, str] = {}
        pairs = zip(self.names, found.groups(), strict=True)
        return all(first.setdefault(name, part) == part for name, part in pairs)


def _misread(function: str, text: str, at: int) -> PatternError:
    char = text[at]
    known = f"{function} knows {_HOW[function]}, and * behind a /"
    if char == ":":
        message = f"keyMatch2 reads ':{text[at + 1]}...' as a variable up to the next /; {known}"
        return PatternError(message, at, "keyMatch3, in which a colon is a colon")
    if char == "\\":
        return PatternError(f"'{text[at : at + 2]}' is not supported; {known}", at)
    message = f"'{char}' is part of a regular expression in {function}; {known}"
    return PatternError(message, at, f"\\{char}")
