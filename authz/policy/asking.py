"""Who asks for what: a question to an engine, but for the facts.

Every engine takes it, and knows nothing else of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from authz.policy.placeholder import Fill

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Asking(NamedTuple):
    """Who asks for what, and when: everything but the fact itself.

    ``held`` is the closure of the caller, ``names`` what stands for the action
    asked for, itself included. ``doubtful`` says whether a row counts whose
    match cannot be known and that takes away; one that gives never does.
    """

    held: frozenset[str]
    domain: str
    names: frozenset[str]
    fill: Fill = Fill()
    context: Mapping[str, str] = NOTHING
    doubtful: bool = True
