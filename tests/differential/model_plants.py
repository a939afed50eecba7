"""Bugs to plant in the engine for other models, one at least for each family, to see them found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import chain
from unittest.mock import patch

from authz.policy import roles
from authz.policy.models import cells, engine, expression, folder, functions, globs, predicate
from authz.policy.models.conf import Effect
from authz.policy.models.engine import ModelEngine
from authz.policy.models.expression import Match
from authz.policy.models.functions import Pattern
from tests.differential.plants import Links

Plant = Callable[[], AbstractContextManager[object]]


def no_wildcard() -> AbstractContextManager[object]:
    """ACL: a row for everybody is found under the caller's own name alone."""
    return _needs(lambda need: replace(need, place=(need.place[0] or "=user:ann", *need.place[1:])))


def _needs(change: Callable[[predicate.Needs], predicate.Needs]) -> AbstractContextManager[object]:
    honest = predicate.needs
    return patch.object(engine, "needs", lambda tree: change(honest(tree)))


def short_prefix() -> AbstractContextManager[object]:
    """keyMatch: what a fact begins with is one character short."""
    return _needs(lambda need: need if need.exact else replace(need, prefix=need.prefix[:-1]))


@contextmanager
def no_second_hop() -> Iterator[None]:
    """RBAC: roles of roles are not followed."""

    def wrong(links: Links, names: tuple[str, ...], domain: str) -> frozenset[str]:
        found = set(names)
        for name in names:
            for where in ("*", domain):
                found |= links.get((where, name), set())
        return frozenset(found)

    with patch.object(roles, "closure", wrong), patch.object(engine, "closure", wrong):
        yield


def any_domain() -> AbstractContextManager[object]:
    """RBAC with domains: a role holds in every tenant."""
    return patch.object(folder, "_domain", lambda _entry: "*")


def one_name_is_many() -> AbstractContextManager[object]:
    """keyMatch2 to keyMatch5: a variable reaches over a slash."""
    honest = functions._regex

    def wrong(text: str, shift: int) -> Pattern:
        return honest(text.replace("[^/]+", ".+"), shift)

    return patch.object(functions, "_regex", wrong)


def names_may_differ() -> AbstractContextManager[object]:
    """keyMatch4: a name that comes twice may stand for two."""
    return patch.object(functions._Repeated, "fits", lambda self, v: bool(self.expression.match(v)))


def whole_target() -> AbstractContextManager[object]:
    """keyMatch5: what follows a question mark counts."""
    honest = functions._path
    return patch.object(
        functions,
        "_path",
        lambda function, text: honest(function.replace("5", "3"), text),
    )


def dots_are_ordinary() -> AbstractContextManager[object]:
    """globMatch: a wildcard matches a name with a leading dot."""
    return patch.object(
        globs._Name, "fits", lambda self, part: bool(self._expression.fullmatch(part))
    )


def only_a_part() -> AbstractContextManager[object]:
    """regexMatch: the expression may match anywhere."""
    honest = functions._regex

    def wrong(text: str, shift: int) -> Pattern:
        found = honest(text, shift)
        return (
            found if shift else replace(found, fits=lambda value: found.fits(value[1:]), prefix="")
        )

    return patch.object(functions, "_regex", wrong)


def out_of_order() -> AbstractContextManager[object]:
    """Priority effect: lists of several places come one behind the other."""
    return patch.object(engine, "merge", lambda *lists: chain.from_iterable(lists))


def priority_is_text() -> AbstractContextManager[object]:
    """Priority column: numbers are sorted as texts."""
    return patch.object(folder, "int", str, create=True)


def first_allow_wins() -> AbstractContextManager[object]:
    """Allow-and-deny: the search ends at the first row that allows."""
    honest = ModelEngine._settled

    def wrong(self: ModelEngine, *rest: object) -> object:
        effect, self._effect = self._effect, Effect.ALLOW_OVERRIDE
        try:
            return honest(self, *rest)
        finally:
            self._effect = effect

    return patch.object(ModelEngine, "_settled", wrong)


def rule_is_true() -> AbstractContextManager[object]:
    """eval: what a rule says does not count."""
    honest = expression.filled

    def wrong(tree: expression.Expression, filling: expression.Filling) -> object:
        return honest(tree, replace(filling, rules=dict.fromkeys(filling.rules, expression.TRUE)))

    return patch.object(cells, "filled", wrong)


def unknown_is_empty() -> AbstractContextManager[object]:
    """r.ctx: what is not known is the empty text."""
    return patch.object(predicate, "_known", lambda context, name: context.get(name, ""))


def looked_up_too_early() -> AbstractContextManager[object]:
    """r.ctx: rows are looked up by what stands behind something that may not be known."""
    return patch.object(predicate, "keys", lambda _tree: frozenset())


def anything_is_known() -> AbstractContextManager[object]:
    """Let a pattern allow what could not be known."""
    return patch.object(engine, "written_out", lambda _fact: "")


def no_negation() -> AbstractContextManager[object]:
    """Lose a ``!`` before a function."""
    honest = predicate.predicate

    def wrong(tree: expression.Expression) -> predicate.Predicate:
        lost = isinstance(tree, expression.Not) and isinstance(tree.inner, Match)
        return honest(tree.inner if lost else tree)

    return patch.object(predicate, "predicate", wrong)


PLANTS: dict[str, Plant] = {
    "wildcard subject dropped": no_wildcard,
    "prefix length off by one": short_prefix,
    "closure one hop short": no_second_hop,
    "role in every domain": any_domain,
    "variable over a slash": one_name_is_many,
    "repeated variable differs": names_may_differ,
    "query counts in keyMatch5": whole_target,
    "glob matches dot files": dots_are_ordinary,
    "expression matches later": only_a_part,
    "unsorted merge": out_of_order,
    "priority sorted as text": priority_is_text,
    "first allow wins": first_allow_wins,
    "rule does not count": rule_is_true,
    "unknown key is empty": unknown_is_empty,
    "looked up past the unknown": looked_up_too_early,
    "pattern allows the unknown": anything_is_known,
    "negation lost": no_negation,
}
