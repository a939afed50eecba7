"""Who somebody is to the policy: what he holds, in which tenant, and his own words in patterns.

It knows identities and roles, and nothing of what is asked for.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

from authz.errors import Reason, RefusedError
from authz.identity.identity import Identity, Proof
from authz.policy.placeholder import Fill, fill_for
from authz.policy.roles import CACHED, Roles
from authz.policy.subject import CALLERS, GROUPED, type_of


class Caller(NamedTuple):
    """``held`` is the closure of the caller, ``domain`` the tenant as Casbin sees it."""

    held: frozenset[str]
    domain: str
    fill: Fill


class Callers:
    """The callers of one policy. Its answers never change, and few are kept."""

    def __init__(self, roles: Roles) -> None:
        self._cached = lru_cache(maxsize=CACHED)(partial(_caller, roles))

    def caller(self, identity: Identity) -> Caller:
        """Return who this is. Raises RefusedError for who bears a name that only policies give."""
        assumed = identity.proof is Proof.ASSUMED
        return self._cached(
            identity.subject, identity.groups, identity.tenant, identity.uid, assumed
        )


def _caller(  # noqa: PLR0913, PLR0917  a key, part by part
    roles: Roles,
    subject: str,
    groups: tuple[str, ...],
    tenant: str,
    uid: int | None,
    assumed: bool,  # noqa: FBT001
) -> Caller:
    _refuse_pretender(subject, groups, assumed=assumed)
    identity = Identity(subject, groups, tenant, uid=uid)
    return Caller(roles.held(identity), identity.domain, fill_for(identity))


def _refuse_pretender(subject: str, groups: tuple[str, ...], *, assumed: bool) -> None:
    """Refuse a caller whose proof names a role or a pack.

    Only a rehearsal, which proves nothing, may lend a role or a pack to its caller.
    """
    lent = GROUPED if assumed else ()
    wrong = [group for group in groups if type_of(group) not in ("group", *lent)]
    if type_of(subject) not in CALLERS:
        wrong.append(subject)
    if wrong:
        message = f'"{wrong[0]}" is no name that a caller can have: policies give roles and packs'
        raise RefusedError(Reason.BAD_CREDENTIAL, message)
