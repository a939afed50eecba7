r"""Globs: the only patterns that policies have for text.

A glob speaks of the whole value and of case. ``?`` is one character and ``*``
any number of them, both never ``/``; ``**`` is anything at all. ``/x/**``
includes ``/x`` itself. Everything else stands for itself: dots, brackets,
braces, backslashes, a leading dot of a file name.

This module knows nothing about facts or policies.

How the matching stays linear in the value. A glob is cut at each ``**`` into
blocks, and a block at each ``*`` into runs of fixed length. After a ``*`` the
first place where the next run fits is as good as any later one in the same
path segment, because whatever follows may swallow the difference; so it is
taken for good, in an atomic group. A block after ``**`` is tried once for each
path segment and also taken for good. Only what is anchored to the end of the
value looks for its place from there. No choice is ever revisited inside
another one, which is what makes regular expressions explode.
"""

from __future__ import annotations

import re
from functools import lru_cache

_STARS = re.compile(r"(\*+)")
_SEGMENTS = r"(?:[^/]*+/)*?"
_DEEP = "/**"

Block = list[str]
"""Runs with a ``*`` between each two."""


@lru_cache(maxsize=8192)
def compile_glob(glob: str) -> re.Pattern[str]:
    """Return the expression to use with ``fullmatch``. Every text is a glob; nothing is raised."""
    parent = _parent(glob)
    whole = _translate(glob)
    source = f"{_translate(parent)}|{whole}" if parent else whole
    return re.compile(source, re.DOTALL)


def glob_matches(glob: str, value: str) -> bool:
    """Say whether ``value`` as a whole fits ``glob``."""
    return compile_glob(glob).fullmatch(value) is not None


def is_literal(glob: str) -> bool:
    """Say whether ``glob`` stands for exactly one value."""
    return "*" not in glob and "?" not in glob


def _parent(glob: str) -> str:
    """Return ``/x`` for ``/x/**``, which includes it; else nothing."""
    stem = glob.rstrip("*")
    deep = stem.endswith("/") and glob.startswith(_DEEP, len(stem) - 1)
    return stem[:-1] if deep else ""


def _translate(glob: str) -> str:
    first, *rest = _blocks(glob)
    if not rest:
        return _anchored(first)
    *middle, last = rest
    inner = "".join(f"(?>{_floating(block)})" for block in middle)
    return _committed(first) + inner + _ending(last)


def _blocks(glob: str) -> list[Block]:
    first, *pieces = _STARS.split(glob)
    blocks = [[first]]
    for stars, run in zip(pieces[::2], pieces[1::2], strict=True):
        if stars == "*":
            blocks[-1].append(run)
        else:
            blocks.append([run])
    return blocks


def _anchored(block: Block) -> str:
    """Match from the start to the end of the value."""
    if len(block) == 1:
        return _run(block[0])
    return _committed(block[:-1]) + _tail(block[-1])


def _committed(block: Block) -> str:
    """Match from here on, every ``*`` at the first place that fits."""
    return _run(block[0]) + "".join(map(_next, block[1:]))


def _floating(block: Block) -> str:
    """Match somewhere ahead, at the first path segment that fits."""
    return _SEGMENTS + "".join(map(_next, block))


def _ending(block: Block) -> str:
    """Match somewhere ahead and up to the end of the value."""
    if len(block) == 1:
        return ".*" + _run(block[0])
    return _floating(block[:-1]) + _tail(block[-1])


def _next(run: str) -> str:
    return f"(?>[^/]*?{_run(run)})"


def _tail(run: str) -> str:
    return f"[^/]*{_run(run)}"


def _run(run: str) -> str:
    return "".join("[^/]" if char == "?" else re.escape(char) for char in run)
