"""Which model a file means. All bundles are asked this; the rest of the folder is for few.

It knows one file, and neither model.
"""

from __future__ import annotations

import re
from typing import Final

from authz.policy.source import Source, split

WHEN: Final = "when"
"""A column of the reviewed model alone: whoever has it means that model."""

_BLANK: Final = " \t"


def is_other(source: Source) -> bool:
    """Say whether a file means another model than the reviewed one, whatever is wrong with it.

    It has columns of its own, without ``when``, and does not ask for ``fact`` or ``when``.
    """
    section, columns, matcher = "", "", ""
    for line in split(source)[0]:
        text = line.text.strip(_BLANK)
        key, _, value = text.partition("=")
        if text.startswith("["):
            section = text
        elif section == "[policy_definition]" and key.strip(_BLANK) == "p":
            columns = value
        elif section == "[matchers]":
            matcher += value
    if not columns or re.search(r"\b(?:fact|when)\(", matcher):
        return False
    return WHEN not in [column.strip(_BLANK) for column in columns.split(",")]
