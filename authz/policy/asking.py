"""Who asks for what: a question to an engine, but for the facts.

Every engine takes it, and knows nothing else of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from authz.policy.placeholder import Fill


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for what, and when: everything but the fact itself.

    ``held`` is the closure of the caller, ``names`` what stands for the action
    asked for, itself included. ``doubtful`` says whether a row counts whose
    match cannot be known and that takes away; one that gives never does.
    """

    held: frozenset[str]
    domain: str
    names: frozenset[str]
    fill: Fill = field(default_factory=Fill)
    context: Mapping[str, str] = field(default_factory=dict)
    doubtful: bool = True
