"""The closure of a caller: all of it, in its own tenant only."""

from __future__ import annotations

import pytest

from authz.errors import Location
from authz.identity.identity import Identity
from authz.policy.links import Link
from authz.policy.roles import CACHED, Roles

NOWHERE = Location("people.csv", 1, 1)


def _roles(*links: tuple[str, str, str]) -> Roles:
    return Roles(Link(member, role, domain, NOWHERE) for member, role, domain in links)


def test_a_stranger_holds_only_himself():
    """Nothing is inherited from nothing."""
    assert _roles().held(Identity("user:a", ("group:os/x",))) == {"user:a", "group:os/x"}


def test_the_caller_is_one_set():
    """Subject and groups bring their roles, and roles bring roles and packs."""
    roles = _roles(
        ("user:a", "role:one", "*"),
        ("group:os/x", "role:two", "*"),
        ("role:two", "pack:p", "*"),
        ("pack:p", "pack:q", "*"),
        ("user:b", "role:other", "*"),
    )

    held = roles.held(Identity("user:a", ("group:os/x",)))

    assert held == {"user:a", "group:os/x", "role:one", "role:two", "pack:p", "pack:q"}


@pytest.mark.parametrize(
    ("tenant", "roles"),
    [("acme", {"role:here", "role:all"}), ("other", {"role:all"}), ("", {"role:none", "role:all"})],
)
def test_links_count_in_their_own_tenant(tenant: str, roles: set[str]):
    """A caller without a tenant is in the domain "default"."""
    known = _roles(
        ("user:a", "role:here", "acme"),
        ("user:a", "role:none", "default"),
        ("user:a", "role:all", "*"),
    )

    assert known.held(Identity("user:a", tenant=tenant)) == {"user:a", *roles}


def test_there_is_no_limit_of_depth():
    """A deny inherited over many hops still counts."""
    links = [(f"role:{n}", f"role:{n + 1}", "*") for n in range(3000)]

    held = _roles(("user:a", "role:0", "*"), *links).held(Identity("user:a"))

    assert "role:3000" in held


def test_a_cycle_ends():
    """Cycles do not load; were one here, it would not hang."""
    roles = _roles(("user:a", "role:a", "*"), ("role:a", "role:b", "*"), ("role:b", "role:a", "*"))

    assert roles.held(Identity("user:a")) == {"user:a", "role:a", "role:b"}


def test_strangers_do_not_fill_the_memory():
    """Each new subject pushes an old one out."""
    roles = _roles(("user:a", "role:a", "*"))
    for number in range(2 * CACHED):
        roles.held(Identity(f"user:{number}"))

    assert roles._cached.cache_info().currsize == CACHED
