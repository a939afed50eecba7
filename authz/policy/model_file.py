"""The strict reader of model.conf: the reviewed model, and no other.

The model is Casbin's, and Casbin accepts much that does not do what it says.
So a bundle carries the model for people to read, and it has to be the one
that was reviewed; white space and comments are free. This module knows no
rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from authz.errors import Problem
from authz.policy.source import Line, Source, split
from authz.policy.spelling import listed, nearest

MODEL = {
    "request_definition": {"r": "sub, dom, act, obj, ctx"},
    "policy_definition": {"p": "sub, dom, act, obj, when, eft"},
    "role_definition": {"g": "_, _, _", "g2": "_, _"},
    "policy_effect": {"e": "priority(p.eft) || deny"},
    "matchers": {
        "m": '(p.sub == "*" || g(r.sub, p.sub, r.dom))'
        ' && (p.dom == "*" || r.dom == p.dom)'
        ' && (p.act == "*" || g2(r.act, p.act))'
        " && fact(r.obj, p.obj, r.ctx)"
        " && when(r.ctx, p.when)"
    },
}
"""The reviewed model: section, key, definition."""

_TOKEN = re.compile(r'"[^"]*"?|[A-Za-z0-9_]+|==|!=|&&|\|\||\S')
_BLANK = " \t"


def model_text() -> str:
    """Return the reviewed model as Casbin reads it."""
    return "\n".join(
        line
        for section, keys in MODEL.items()
        for line in (f"[{section}]", *(f"{key} = {value}" for key, value in keys.items()), "")
    )


def read_model(source: Source) -> tuple[Problem, ...]:
    """Return every line in which this model differs from the reviewed one."""
    lines, problems = split(source)
    reader = _Reader(source, list(problems))
    for line in lines:
        reader.read(line)
    reader.finish()
    return tuple(reader.problems)


@dataclass(slots=True)
class _Reader:
    source: Source
    problems: list[Problem]
    section: str = ""
    seen: set[tuple[str, str]] = field(default_factory=set)
    """Sections (with an empty key) and keys that were read."""

    def read(self, line: Line) -> None:
        text = line.text.strip(_BLANK)
        if not text or text[0] in "#;":
            return
        if text.startswith("["):
            self._open(line, text)
        elif "=" in text:
            self._define(line)
        else:
            self._report(line, text, "the line is neither a section nor a definition")

    def finish(self) -> None:
        """Report what was never defined, unless its section is missing as a whole."""
        if self.problems:
            return
        for section, keys in MODEL.items():
            missing = [key for key in keys if (section, key) not in self.seen]
            if missing:
                wanted = "; ".join(f"{key} = {keys[key]}" for key in missing)
                message = f"[{section}] does not define {listed(missing, 'and')}"
                self.problems.append(self.source.problem(message, wanted))

    def _open(self, line: Line, text: str) -> None:
        self.section = text.removeprefix("[").removesuffix("]").strip(_BLANK)
        known = self.section in MODEL and text.endswith("]")
        if not known:
            guess = nearest(self.section, MODEL)
            self._report(
                line,
                text,
                f"section is {text}; expected {listed([f'[{name}]' for name in MODEL])}",
                f"[{guess}]" if guess else "",
            )
            self.section = guess
        self._once(line, text, "")

    def _define(self, line: Line) -> None:
        key, _, value = line.text.partition("=")
        name = key.strip(_BLANK)
        keys = MODEL.get(self.section, {})
        if not self.section:
            self._report(line, name, f'"{name}" stands in no section of the model')
        elif name not in keys:
            expected = listed(list(keys))
            self._report(line, name, f'[{self.section}] defines "{name}"; expected {expected}')
        elif self._once(line, name, name):
            self._compare(line, len(key) + 1, value.partition(" #")[0], keys[name])

    def _once(self, line: Line, text: str, key: str) -> bool:
        again = (self.section, key) in self.seen
        self.seen.add((self.section, key))
        if again:
            self._report(line, text, f"{key or text} is given twice", "take one of them away")
        return not again

    def _compare(self, line: Line, start: int, value: str, reviewed: str) -> None:
        written = [(match[0], start + match.start() + 1) for match in _TOKEN.finditer(value)]
        expected = _TOKEN.findall(reviewed)
        for index in range(max(len(written), len(expected))):
            word, column = written[index] if index < len(written) else ("", len(line.text) + 1)
            if index < len(expected) and word == expected[index]:
                continue
            here = expected[index] if index < len(expected) else "the end of the line"
            what = f"{word} is not the reviewed model" if word else "the line ends too soon"
            message = f"{what}; expected {here}"
            self.problems.append(line.problem(column, len(word), message, reviewed))
            return

    def _report(self, line: Line, text: str, message: str, suggestion: str = "") -> None:
        column = len(line.text) - len(line.text.lstrip(_BLANK)) + 1
        self.problems.append(line.problem(column, len(text), message, suggestion))
