"""Stock Casbin over files: an Enforcer, real CSV rows, its own role managers.

Nothing of Dockgate is in it but the shipped model and the two functions of the
language, ``fact`` and ``when``, which read their pattern anew at each call.
Casbin itself follows roles, tenants and groups of actions, and finds the row.

It follows roles over ten hops only, and knows no ``*`` as the tenant of a role
and no caller with groups: rows for each tenant and links for the length of a
request stand in for those, as the language says. Rows whose match cannot be
known have no words in Casbin, so a request that meets one is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import casbin

from authz.facts.facts import Fact
from authz.policy.casbin_engine import EFFECTS
from authz.policy.placeholder import Fill, fill_for
from authz.policy.row_check import condition_of, pattern_of
from authz.policy.rule import by_strength
from tests.differential.worlds import Request, World

TENANTS = ("acme", "default", "other")
DEEPEST = 6
"""Roles in a chain: with the caller, its group and the pack at the end, below ten names."""


class Stock:
    """One policy in Casbin's hands. ``doubted`` says that the last answer is no answer."""

    def __init__(self, world: World, names: Mapping[str, frozenset[str]], folder: Path) -> None:
        model = folder / "model.conf"
        model.write_bytes(Path("policies/developer/model.conf").read_bytes())
        policy = folder / "policy.csv"
        policy.write_text("".join(f"{line}\n" for line in _lines(world, names)), newline="")
        self._enforcer: Any = casbin.Enforcer(str(model), str(policy))
        self._enforcer.add_function("fact", self._fact)
        self._enforcer.add_function("when", self._when)
        self._fill = Fill()
        self.doubted = False

    def allows(self, request: Request, fact: Fact) -> bool:
        """Ask about one fact."""
        identity = request.identity
        self.doubted = False
        self._fill = fill_for(identity)
        links = [(identity.subject, group, identity.domain) for group in identity.groups]
        for link in links:
            self._enforcer.model["g"]["g"].rm.add_link(*link)
        try:
            allowed: bool = self._enforcer.enforce(
                identity.subject, identity.domain, request.facts.action, fact, request.context
            )
        finally:
            for link in links:
                self._enforcer.model["g"]["g"].rm.delete_link(*link)
        return allowed

    def _fact(self, fact: Fact, text: str, _context: object) -> bool:
        return self._known(pattern_of(text).verdict(fact, self._fill))

    def _when(self, context: Mapping[str, str], text: str) -> bool:
        return self._known(condition_of(text).verdict(context))

    def _known(self, answer: bool | None) -> bool:  # noqa: FBT001  an answer
        self.doubted |= answer is None
        return bool(answer)


def writable(world: World) -> bool:
    """Say whether Casbin's reader of CSV can hold all rows: it knows brackets, and no line ends."""
    return not any(set("()[]\n\"'#") & set(row.fact) for row in world.bundle.rows)


def _lines(world: World, names: Mapping[str, frozenset[str]]) -> list[str]:
    rows = [
        ("p", row.subject, row.domain, row.action, row.fact, row.when, EFFECTS[row.word])
        for row in by_strength(world.bundle.rows)
    ]
    links = [
        ("g", link.member, link.role, tenant)
        for link in world.bundle.links
        for tenant in (TENANTS if link.domain == "*" else (link.domain,))
    ]
    groups = [("g2", action, name) for action, found in names.items() for name in sorted(found)]
    lines = [", ".join(cells) for cells in (*rows, *links, *groups)]
    return list(dict.fromkeys(lines))
