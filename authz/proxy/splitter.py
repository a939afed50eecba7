"""A JSON document that holds lists, taken apart as it arrives: entry by entry.

Nobody keeps the whole: a list can be long by what others put into it. It knows
JSON and the shape of an answer; what an entry is, and whether it is shown, is for others.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from authz.facts.listings import Place, Shape
from authz.proxy.head import FramingError

LONGEST_ENTRY: Final = 4 * 1024 * 1024
"""Characters of an entry, or of anything else that is read at once. Twice as many are too long.

Such an entry is passed over: it can be so long by the labels of others.
"""

OPENING: Final = "["
"""The part that a list begins with; no other part is so."""

_SPACE: Final = " \t\r\n"
_NO_JSON: Final = "it is no JSON"
_IN_TEXT: Final = re.compile(r'["\\]')
_OUTSIDE: Final = re.compile(r'["{}\[\]]')


class _TooLongError(FramingError):
    """A value is longer than anybody reads at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list: as it was written, and what that means."""

    place: Place
    text: str
    value: Any


Part: TypeAlias = Entry | str
"""An entry, or text that stands around entries. The commas between entries are left out."""

_Steps: TypeAlias = Generator[None, None, None]


class Splitter:
    """Reads one document. ``done`` once all of it was read. Raises FramingError."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._parts: list[Part] = []
        self._between = ""
        self._steps = self._document()
        self.done = False

    @property
    def waiting(self) -> int:
        """How many characters wait for those behind them."""
        return len(self._text)

    def feed(self, data: bytes, *, last: bool) -> list[Part]:
        """Return the parts that are whole now; ``last`` says that nothing more comes."""
        try:
            self._text += self._decoder.decode(data, last)
        except UnicodeDecodeError:
            raise FramingError(_NO_JSON) from None
        self._ended = last
        if not self.done:
            next(self._steps, None)
        self._text, self._at = self._text[self._at :], 0
        if self.done and self._text.strip(_SPACE):
            raise FramingError(_NO_JSON)
        parts, self._parts = self._parts, []
        return parts

    def _document(self) -> _Steps:
        yield from self._value(())
        self.done = True

    def _value(self, place: Place) -> _Steps:
        """Read what holds lists, or is one; null is nothing of it."""
        first = yield from self._peek()
        name = ".".join(place) or "it"
        if first == "n":
            text, _ = yield from self._whole()
            self._parts.append(text)
        elif place in self._shape.places:
            if first != "[":
                raise FramingError(f"{name} is no list")
            self._parts.append(OPENING)
            yield from self._members("]", self._entry, place)
        elif first == "{":
            self._parts.append("{")
            self._between = ""
            yield from self._members("}", self._member, place)
            self._between = ","
        else:
            raise FramingError(f"{name} is no JSON object")

    def _members(self, closing: str, read: Callable[[Place], _Steps], place: Place) -> _Steps:
        """Read a list or an object, member by member."""
        self._at += 1
        following = yield from self._peek()
        while following != closing:
            yield from read(place)
            following = yield from self._peek()
            if following == ",":
                self._at += 1
                if (yield from self._peek()) == closing:
                    raise FramingError(_NO_JSON)
            elif following != closing:
                raise FramingError(_NO_JSON)
        self._at += 1
        self._parts.append(closing)

    def _entry(self, place: Place) -> _Steps:
        try:
            text, value = yield from self._whole()
        except _TooLongError:
            if self._text[self._at] not in "{[":
                raise
            yield from self._pass_over()
            text, value = "null", None
        self._parts.append(Entry(place, text, value))

    def _pass_over(self) -> _Steps:
        """Go to the end of an object or a list without reading it; nothing of it is kept."""
        depth, in_text = 0, False
        while True:
            found = (_IN_TEXT if in_text else _OUTSIDE).search(self._text, self._at)
            if found is None:
                self._at = len(self._text)
                yield from self._more()
                continue
            self._at = found.end()
            if found[0] == "\\":
                while self._at == len(self._text):
                    yield from self._more()
                self._at += 1
            elif found[0] == '"':
                in_text = not in_text
            else:
                depth += 1 if found[0] in "{[" else -1
            if not depth:
                return

    def _member(self, place: Place) -> _Steps:
        """Read a member of an object; lists and objects that nobody judges are left out."""
        name, means = yield from self._whole()
        if not isinstance(means, str) or (yield from self._peek()) != ":":
            raise FramingError(_NO_JSON)
        self._at += 1
        inner = (*place, means)
        if any(each[: len(inner)] == inner for each in self._shape.places):
            self._parts.append(f"{self._between}{name}:")
            self._between = ","
            yield from self._value(inner)
            return
        text, value = yield from self._whole()
        if means in self._shape.kept or not isinstance(value, (dict, list)):
            self._parts.append(f"{self._between}{name}:{text}")
            self._between = ","

    def _peek(self) -> Generator[None, None, str]:
        """Return the next character that is no space."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            yield from self._more()

    def _whole(self) -> Generator[None, None, tuple[str, Any]]:
        """Read a value to its end; return it as it was written, and what it means."""
        yield from self._peek()
        while True:
            try:
                value, end = self._read(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or isinstance(error, RecursionError):
                    raise FramingError(_NO_JSON) from None
            else:
                # A number may go on, and so may half of one: "1." reads as 1.
                behind = self._text[end : end + 1] or "."
                if self._ended or behind not in ".eE" or isinstance(value, (dict, list, str)):
                    text = self._text[self._at : end]
                    self._at = end
                    return text, value
            # Half of a long value is not read over and over again.
            size = len(self._text) - self._at
            while not self._ended and len(self._text) - self._at < 2 * size:
                yield from self._more()

    def _more(self) -> _Steps:
        if self._ended:
            raise FramingError(_NO_JSON)
        if len(self._text) - self._at > 2 * LONGEST_ENTRY:
            raise _TooLongError(f"an entry is longer than {LONGEST_ENTRY} characters")
        yield
