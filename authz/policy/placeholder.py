"""``{name}``, ``{uid}`` and ``{tenant}``: the caller's own words inside a pattern.

They are filled after a pattern was parsed, as literals. It knows how a value
may look, and nothing about kinds or rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from authz.identity.identity import Identity

NAMES: Final = ("name", "uid", "tenant")

_PLACEHOLDER = re.compile(r"\{(name|uid|tenant)\}")
_TOUCHING = re.compile(r"\{(?:name|uid|tenant)\}(?=\{(?:name|uid|tenant)\})")
_WORD = re.compile(r"\{([A-Za-z_]+)\}")
_VALUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fill:
    """What the placeholders stand for in one request. What is missing fills nothing."""

    values: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str | None:
        """Return ``text`` with every placeholder filled, or None where one cannot be.

        A value that contains the character which follows the placeholder
        (``ann-b`` in ``{name}-*``) fills nothing: it would reach into what
        belongs to another caller.
        """
        parts = _PLACEHOLDER.split(text)
        filled = [parts[0]]
        for name, after in zip(parts[1::2], parts[2::2], strict=True):
            value = self.values.get(name)
            if value is None or (after and after[0] in value):
                return None
            filled += (value, after)
        return "".join(filled)


def fill_for(identity: Identity) -> Fill:
    """Return what the placeholders stand for when ``identity`` asks."""
    wanted = {"name": identity.name, "tenant": identity.tenant}
    if identity.subject.startswith("user:") and identity.uid is not None:
        wanted["uid"] = str(identity.uid)
    return Fill({name: value for name, value in wanted.items() if _VALUE.fullmatch(value)})


def has_placeholder(text: str) -> bool:
    """Say whether something in ``text`` must be filled."""
    return _PLACEHOLDER.search(text) is not None


def unknown_placeholder(text: str) -> re.Match[str] | None:
    """Find the first ``{word}`` that is no placeholder; its group 1 is the word."""
    return next((found for found in _WORD.finditer(text) if found[1] not in NAMES), None)


def touching(text: str) -> int:
    """Return where a placeholder follows another one directly, or -1.

    ``{name}{tenant}`` would let ``ab`` of ``c`` stand for ``a`` of ``bc``.
    """
    found = _TOUCHING.search(text)
    return found.end() if found else -1
