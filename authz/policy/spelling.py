"""What somebody probably meant to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import lru_cache

MAX_WORD = 64
"""Characters that are compared: the comparison takes quadratic time."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the choice that resembles ``word`` most, or nothing where none does."""
    return _nearest(word[:MAX_WORD], tuple(sorted(choices)))


def listed(words: Sequence[str], last: str = "or") -> str:
    """Return ``a, b or c``."""
    *rest, end = words
    return f"{', '.join(rest)} {last} {end}" if rest else end


@lru_cache(maxsize=256)
def _nearest(word: str, choices: tuple[str, ...]) -> str:
    """Ignore case first: a wrong case is the commonest slip."""
    folded = {choice.casefold(): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""
