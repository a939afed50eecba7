"""One policy, compiled: what judges requests until another one takes its place.

A snapshot never changes. A request is judged by one from beginning to end, and
a reload makes a new one beside it; so nobody ever sees half a policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from authz.errors import Reason, RefusedError
from authz.facts.facts import Facts
from authz.identity.identity import Identity, Proof
from authz.policy.asking import Asking
from authz.policy.bucket import SHOWN
from authz.policy.bundle import Bundle
from authz.policy.combine import combine
from authz.policy.compiled import Engine
from authz.policy.decision import Decision, Outcome, Row
from authz.policy.placeholder import fill_for
from authz.policy.roles import Roles
from authz.policy.subject import CALLERS, GROUPED, type_of
from authz.policy.vocabulary import vocabulary

MAX_NEAREST = SHOWN
"""Rows that are shown as the nearest ones."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A bundle that can judge. Make one with :func:`compile_snapshot`."""

    bundle: Bundle
    roles: Roles
    engine: Engine
    names: Mapping[str, frozenset[str]]
    """For each action the names that stand for it in rows."""

    @property
    def digest(self) -> str:
        """The digest of the bundle."""
        return self.bundle.digest

    def judge(self, identity: Identity, facts: Facts, context: Mapping[str, str]) -> Decision:
        """Judge every fact and combine what comes out.

        ``context`` is what a when column may ask, with ``now``. Raises
        RefusedError for a caller who bears a name that only policies give.
        """
        _refuse_pretender(identity)
        asking = Asking(
            held=self.roles.held(identity),
            domain=identity.domain,
            names=self.names.get(facts.action, frozenset({facts.action})),
            fill=fill_for(identity),
            context=context,
        )
        outcomes = self.engine.outcomes(asking, facts.facts)
        return combine(outcomes, self._nearest(asking, outcomes))

    def _nearest(self, asking: Asking, outcomes: Iterable[Outcome]) -> tuple[Row, ...]:
        """Return allow rows of this caller that speak of a kind, but not of its value."""
        kinds = {outcome.fact.kind for outcome in outcomes if outcome.row is None}
        return self.engine.nearest(asking, kinds, MAX_NEAREST) if kinds else ()


def compile_snapshot(bundle: Bundle) -> Snapshot:
    """Make a bundle that loaded ready to judge. Raises nothing."""
    names = vocabulary(bundle.groups).names()
    return Snapshot(bundle, Roles(bundle.links), Engine(bundle.rows), names)


def _refuse_pretender(identity: Identity) -> None:
    """Refuse a caller whose proof names a role or a pack.

    Only a rehearsal, which proves nothing, may lend a role or a pack to its caller.
    """
    lent = GROUPED if identity.proof is Proof.ASSUMED else ()
    wrong = [group for group in identity.groups if type_of(group) not in ("group", *lent)]
    if type_of(identity.subject) not in CALLERS:
        wrong.append(identity.subject)
    if wrong:
        message = f'"{wrong[0]}" is no name that a caller can have: policies give roles and packs'
        raise RefusedError(Reason.BAD_CREDENTIAL, message)
