"""globMatch, as stock Casbin 2.8 has it: names between slashes, ``*``, ``?`` and ``**``.

Its wildcards do not match a name with a leading dot. That is why it may give and
not take away: whoever denies ``/home/**`` with it would not deny ``/home/ann/.ssh``.
Classes, braces and escapes are refused. It knows texts only.
"""

from __future__ import annotations

import re
from typing import Final

from authz.policy.glob import compile_glob
from authz.policy.pattern import PatternError

_DEEP: Final = "**"
_SLASHES = re.compile("/+")
_REFUSED = re.compile(r"[\[\]{}\\]|\*\*/\*\*|/(?=/|$)|^(?:/|\*\*|\*/)|(?<!/)\*\*|\*\*(?!/|$)")


class Glob:
    """One glob, compiled. ``prefix`` is what every value of it begins with."""

    __slots__ = ("_names", "prefix")

    def __init__(self, text: str) -> None:
        """Compile. Raises PatternError."""
        if not text:
            raise PatternError("the glob is empty", 0)
        if found := _REFUSED.search(text):
            message = (
                f"'{found[0] or text[0]}' is not supported here; expected names between "
                "single slashes, the first one without **, with * and ? in them, or ** for some"
            )
            raise PatternError(message, found.start())
        names = text.split("/")
        self._names = [None if name == _DEEP else _Name(name) for name in names]
        self.prefix = re.split(r"[*?/]", text, maxsplit=1)[0]

    def fits(self, value: str) -> bool:
        """Say whether a value is meant; slashes in a row are one, and none counts at the end."""
        states = self._onward({0})
        for part in _SLASHES.split(value.rstrip("/") or value[:1]):
            after = set()
            for state in states:
                if state == len(self._names):
                    continue
                name = self._names[state]
                if name is None:
                    after |= {state} if not part.startswith(".") else set()
                elif name.fits(part):
                    after.add(state + 1)
            states = self._onward(after)
            if not states:
                return False
        return len(self._names) in states

    def _onward(self, states: set[int]) -> set[int]:
        """Add what is reached where ``**`` stands for nothing."""
        found = set(states)
        for state in sorted(states):
            at = state
            while at < len(self._names) and self._names[at] is None:
                at += 1
                found.add(at)
        return found


class _Name:
    """One name of a path."""

    __slots__ = ("_bare", "_expression")

    def __init__(self, text: str) -> None:
        self._expression = compile_glob.__wrapped__(text)
        self._bare = text[0] in "*?"

    def fits(self, part: str) -> bool:
        if self._bare and (not part or part[0] == "."):
            return False
        return self._expression.fullmatch(part) is not None
