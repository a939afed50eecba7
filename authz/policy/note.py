"""What the comment directly above a row says: its id, its message, its controls.

``# no-host-root: the host's root directory [CIS 5.6, PSS HostPath]``. The id
is the first word, with a colon; the message may go on in further comment
lines below it. It knows no rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ID = re.compile(r"([a-z0-9]+|[A-Za-z0-9]+(?:[-._][A-Za-z0-9]+)+):(?= |$)")
"""A capital alone makes no id: ``Note:`` begins a sentence, ``CIS-5.6:`` does not."""
_CONTROLS = re.compile(r"\s*\[([^\[\]]+)\]$")


@dataclass(frozen=True, slots=True)
class Note:
    """What is said about a row; every member is empty where nothing is said."""

    id: str = ""
    message: str = ""
    controls: tuple[str, ...] = ()


NOTHING = Note()


def read_note(comments: Sequence[str]) -> Note:
    """Read the comment lines above a row, number signs included, in file order.

    The last line that begins with an id counts, and what follows it.
    """
    texts = [comment.lstrip("#").strip() for comment in comments]
    for start in range(len(texts) - 1, -1, -1):
        found = _ID.match(texts[start])
        if found:
            whole = " ".join((texts[start][found.end() :], *texts[start + 1 :])).strip()
            return _note(found[1], whole)
    return NOTHING


def _note(name: str, text: str) -> Note:
    found = _CONTROLS.search(text)
    if not found:
        return Note(name, text)
    controls = tuple(part.strip() for part in found[1].split(","))
    return Note(name, text[: found.start()], tuple(filter(None, controls)))
