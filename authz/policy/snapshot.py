"""One policy, compiled: what judges requests until another one takes its place.

A snapshot never changes. A request is judged by one from beginning to end, and
a reload makes a new one beside it; so nobody ever sees half a policy. What is
granted for a while lies beside it, and begins and ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authz.facts.facts import Facts
from authz.identity.identity import Identity
from authz.lazy import later
from authz.policy.asking import Asking
from authz.policy.bucket import SHOWN
from authz.policy.bundle import Bundle
from authz.policy.caller import Callers
from authz.policy.combine import combine
from authz.policy.compiled import Engine
from authz.policy.decision import Decision, Outcome, Row
from authz.policy.grants import Grants
from authz.policy.roles import Roles
from authz.policy.vocabulary import vocabulary

if TYPE_CHECKING:
    from authz.policy.models.engine import ModelEngine

_models = later("authz.policy.models.engine")  # few bundles bring a model

MAX_NEAREST = SHOWN
"""Rows that are shown as the nearest ones."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A bundle that can judge. Make one with :func:`compile_snapshot`."""

    bundle: Bundle
    callers: Callers
    engine: Engine
    names: Mapping[str, frozenset[str]]
    """For each action the names that stand for it in rows."""
    grants: Grants = field(default_factory=Grants)
    """What is granted for a while."""

    @property
    def digest(self) -> str:
        """The digest of the bundle."""
        return self.bundle.digest

    @property
    def asked(self) -> frozenset[str]:
        """The keys of the context that rows ask for."""
        return self.engine.asked

    def parts(self) -> list[object]:
        """Return what it is made of, for whoever lets go of it in slices."""
        return [*self.bundle.rows, *self.bundle.links, *self.engine.parts()]

    def judge(self, identity: Identity, facts: Facts, context: Mapping[str, str]) -> Decision:
        """Judge every fact and combine what comes out.

        ``context`` is what a when column may ask, with ``now``. Raises
        RefusedError for a caller who bears a name that only policies give.
        """
        held, domain, fill = self.callers.caller(identity)
        names = self.names.get(facts.action) or frozenset({facts.action})
        asking = Asking(held, domain, names, fill, context)
        if self.grants.granted:
            outcomes = self.grants.over(self.engine.outcomes(asking, facts.facts), asking)
            return combine(outcomes, self._nearest(asking, outcomes))
        known = self.engine.decided(asking, facts.facts)
        if known is not None:
            return known
        outcomes = self.engine.outcomes(asking, facts.facts)
        decision = combine(outcomes, self._nearest(asking, outcomes))
        self.engine.keep(asking, decision)
        return decision

    def _nearest(self, asking: Asking, outcomes: Iterable[Outcome]) -> tuple[Row, ...]:
        """Return allow rows of this caller that speak of a kind, but not of its value."""
        kinds = {outcome.fact.kind for outcome in outcomes if outcome.row is None}
        return self.engine.nearest(asking, kinds, MAX_NEAREST) if kinds else ()


@dataclass(frozen=True, slots=True)
class ModelSnapshot(Snapshot):
    """A bundle that brings its own model. Its rows are in ``brought``, and none in ``engine``."""

    brought: ModelEngine = field(kw_only=True)

    @property
    def asked(self) -> frozenset[str]:
        """The keys of the context that rows or the matcher ask for."""
        return self.brought.asked

    def parts(self) -> list[object]:
        """Return what it is made of, for whoever lets go of it in slices."""
        return [*self.bundle.rows, *self.bundle.links, *self.brought.parts()]

    def judge(self, identity: Identity, facts: Facts, context: Mapping[str, str]) -> Decision:
        """Judge every fact by the bundle's model, and combine as ever."""
        caller = self.callers.caller(identity)
        outcomes = self.brought.outcomes(identity.subject, caller, facts, context)
        if self.grants.granted:
            held, domain, fill = caller
            names = self.names.get(facts.action) or frozenset({facts.action})
            asking = Asking(held, domain, names, fill, context)
            outcomes = self.grants.over(outcomes, asking, fills=True)
        return combine(outcomes)


def compile_snapshot(bundle: Bundle) -> Snapshot:
    """Make a bundle that loaded ready to judge, with no grants. Raises nothing."""
    names = vocabulary(bundle.groups).names()
    callers, own = Callers(Roles(bundle.links)), bundle.brought
    if own is None:
        return Snapshot(bundle, callers, Engine(bundle.rows), names)
    engine = _models.ModelEngine(own.model, own.placed, own.links)
    return ModelSnapshot(bundle, callers, Engine(()), names, brought=engine)
