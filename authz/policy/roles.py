"""Who holds what: the closure of everything that a caller is, in one tenant.

It knows links between names, without any limit of depth, and nothing about
what a role may do. A name that nobody linked leads nowhere and leaves nothing
behind but an entry in a bounded cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial

from authz.identity.identity import Identity
from authz.policy.links import Link
from authz.policy.subject import ANYBODY

CACHED = 4096
"""Callers whose closure is kept."""


class Roles:
    """The ``g`` rows of a policy. Its answers never change."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links: dict[tuple[str, str], set[str]] = {}
        for link in links:
            self._links.setdefault((link.domain, link.member), set()).add(link.role)
        self._cached = lru_cache(maxsize=CACHED)(partial(closure, self._links))

    def held(self, identity: Identity) -> frozenset[str]:
        """Return the subject, its groups, and every role and pack that any of them leads to."""
        return self._cached((identity.subject, *identity.groups), identity.domain)


def closure(
    links: Mapping[tuple[str, str], set[str]], names: tuple[str, ...], domain: str
) -> frozenset[str]:
    """Return the names and all that they lead to in a tenant."""
    seen, todo = set(names), list(names)
    while todo:
        name = todo.pop()
        for where in (ANYBODY, domain):
            new = links.get((where, name), set()) - seen
            seen |= new
            todo += new
    return frozenset(seen)
