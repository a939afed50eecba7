"""Roles and groups of actions: typed, known, and without cycles."""

from __future__ import annotations

import pytest

from authz.errors import Location, Problem
from authz.policy.links import (
    MAX_CYCLES,
    Group,
    Link,
    cycle_problems,
    domain_problem,
    group_of,
    group_problems,
    link_of,
    link_problems,
    missing_roles,
)
from authz.policy.rule_file import Entry, read_rules
from authz.policy.text import render_problems
from tests.policies import a_source


def _entries(text: str) -> tuple[Entry, ...]:
    return read_rules(a_source(text)).entries


def _rows(*pairs: str) -> str:
    return "".join(f"g, {pair}, *\n" for pair in pairs)


def _cycles(text: str) -> list[Problem]:
    rows = [(entry["member"].text, entry["role"].text, entry) for entry in _entries(text)]
    return cycle_problems("role", rows)


def test_a_link_as_a_value():
    """Who, which role, in which tenant, and where it is written."""
    (entry,) = _entries("g, user:a, role:dev, acme")

    assert link_of(entry) == Link("user:a", "role:dev", "acme", Location("policy.csv", 1, 1))


def test_a_group_as_a_value():
    """Which action belongs to which group."""
    (entry,) = _entries("g2, container.exec, site.x")

    assert group_of(entry) == Group("container.exec", "site.x", Location("policy.csv", 1, 1))


@pytest.mark.parametrize(
    "row",
    [
        "g, user:a, role:dev, *",
        "g, group:os/docker, role:dev, acme",
        "g, role:a, role:b, *",
        "g, role:a, pack:b, *",
        "g, pack:a, pack:b, *",
    ],
)
def test_links_that_are_fine(row: str):
    """Callers, groups, roles and packs lead to roles and packs."""
    (entry,) = _entries(row)

    assert link_problems(entry) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "g, alice, role:dev, *",
            (
                'site/policy.csv:1:4: "alice" has no known type; expected user:, cert:, token:,'
                " container:, group:, role: or pack:\n"
                "  g, alice, role:dev, *\n"
                "     ^~~~~\n"
                "  try: user:alice"
            ),
        ),
        (
            "g, user:a, dev, *",
            (
                'site/policy.csv:1:12: "dev" has no known type; expected role: or pack:\n'
                "  g, user:a, dev, *\n"
                "             ^~~\n"
                "  try: role:dev"
            ),
        ),
        (
            "g, user:a, group:os/docker, *",
            (
                'site/policy.csv:1:12: "group:os/docker" cannot stand here; expected role:'
                " or pack:\n"
                "  g, user:a, group:os/docker, *\n"
                "             ^~~~~~~~~~~~~~~"
            ),
        ),
        (
            "g, *, role:dev, *",
            (
                "site/policy.csv:1:4: * cannot hold a role; a row for everybody has the subject *\n"
                "  g, *, role:dev, *\n"
                "     ^"
            ),
        ),
        (
            "g, pack:a, role:dev, *",
            (
                'site/policy.csv:1:12: a pack leads only to packs; "role:dev" is none\n'
                "  g, pack:a, role:dev, *\n"
                "             ^~~~~~~~"
            ),
        ),
        (
            "g, user:a, role:dev, a|b",
            (
                'site/policy.csv:1:22: domain is "a|b"; expected * or the name of one tenant\n'
                "  g, user:a, role:dev, a|b\n"
                "                       ^~~\n"
                "  try: *"
            ),
        ),
    ],
)
def test_links_that_are_not(row: str, told: str):
    """What is wrong, where, and what was meant."""
    (entry,) = _entries(row)

    assert render_problems(link_problems(entry)) == told


@pytest.mark.parametrize("domain", ["*", "default", "acme", "a.b-c"])
def test_domains_that_are_fine(domain: str):
    """Everywhere, or one tenant."""
    (entry,) = _entries(f"g, user:a, role:dev, {domain}")

    assert domain_problem(entry) is None


def test_a_site_makes_groups_of_its_own():
    """Actions and groups of the catalogue, and other groups of the site, may belong to one."""
    entries = _entries("g2, container.exec, site.x\ng2, site.x, site.y\n")
    known = {"container.exec", "site.x", "site.y"}

    assert [group_problems(entry, known, {"container.exec"}) for entry in entries] == [[], []]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "g2, container.exce, site.x",
            (
                'site/policy.csv:1:5: "container.exce" is neither an action nor a group'
                " of actions\n"
                "  g2, container.exce, site.x\n"
                "      ^~~~~~~~~~~~~~\n"
                "  try: container.exec"
            ),
        ),
        (
            "g2, container.exec, container.*",
            (
                'site/policy.csv:1:21: "container.*" comes from the catalogue and cannot be'
                " extended\n"
                "  g2, container.exec, container.*\n"
                "                      ^~~~~~~~~~~\n"
                "  try: site.container.all"
            ),
        ),
        (
            "g2, container.exec, *",
            (
                'site/policy.csv:1:21: group is "*"; expected a name such as site.support\n'
                "  g2, container.exec, *\n"
                "                      ^"
            ),
        ),
    ],
)
def test_groups_that_are_not_fine(row: str, told: str):
    """An unknown member, a generated group, a name that is a pattern."""
    (entry,) = _entries(row)

    found = group_problems(entry, {"container.exec", "container.*"}, {"container.*"})

    assert render_problems(found) == told


def test_a_cycle_is_named_in_full():
    """Every step, and every row that takes part."""
    rows = (
        "g, user:x, role:a, *\ng, role:a, role:b, *\ng, role:b, role:c, *\ng, role:c, role:a, *\n"
    )

    assert render_problems(_cycles(rows)) in [
        "site/policy.csv:4:1: role cycle: " + path + "\n"
        "  g, role:c, role:a, *\n"
        "  ^~~~~~~~~~~~~~~~~~~~\n"
        "  try: take away one of the rows " + places
        for path, places in (
            ("role:a -> role:b -> role:c -> role:a", "policy.csv:2, policy.csv:3, policy.csv:4"),
            ("role:b -> role:c -> role:a -> role:b", "policy.csv:3, policy.csv:4, policy.csv:2"),
            ("role:c -> role:a -> role:b -> role:c", "policy.csv:4, policy.csv:2, policy.csv:3"),
        )
    ]


def test_a_role_that_holds_itself_is_a_cycle():
    """The shortest one."""
    assert [p.message for p in _cycles("g, role:a, role:a, *\n")] == [
        "role cycle: role:a -> role:a"
    ]


def test_every_cycle_is_told():
    """Two cycles are two problems."""
    rows = (
        "g, role:a, role:b, *\ng, role:b, role:a, *\ng, role:c, role:d, *\ng, role:d, role:c, *\n"
    )

    assert sorted(p.location.line for p in _cycles(rows)) == [2, 4]


def test_a_knot_of_cycles_is_cut():
    """There can be more cycles than anybody would read."""
    rows = "".join(f"g, role:{n}, role:{n}, *\n" for n in range(MAX_CYCLES + 5))

    assert len(_cycles(rows)) == MAX_CYCLES


def test_depth_has_no_limit():
    """Pitfall 6: other engines stop after ten without notice; a chain is no cycle."""
    rows = "".join(f"g, role:{n}, role:{n + 1}, *\n" for n in range(5000))

    assert _cycles(rows) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "g, user:a, role:devel, *",
            (
                'site/policy.csv:1:12: "role:devel" has no rows\n'
                "  g, user:a, role:devel, *\n"
                "             ^~~~~~~~~~\n"
                "  try: role:dev"
            ),
        ),
        (
            "g, role:dev, pack:sokets, *",
            (
                'site/policy.csv:1:14: "pack:sokets" has no rows\n'
                "  g, role:dev, pack:sokets, *\n"
                "               ^~~~~~~~~~~\n"
                "  try: pack:sockets"
            ),
        ),
        (
            "g, role:dev, pack:limits, *",
            (
                'site/policy.csv:1:14: "pack:limits" is not loaded\n'
                "  g, role:dev, pack:limits, *\n"
                "               ^~~~~~~~~~~\n"
                '  try: add "limits" to packs in bundle.toml'
            ),
        ),
        (
            "g, role:dev, pack:empty, *",
            (
                'site/policy.csv:1:14: "pack:empty" has no rows\n'
                "  g, role:dev, pack:empty, *\n"
                "               ^~~~~~~~~~\n"
                "  try: pack:empty"
            ),
        ),
    ],
)
def test_what_a_link_gives_has_rows(row: str, told: str):
    """A misspelt role would silently give nothing, and a misspelt pack take nothing away."""
    packs = {"sockets": True, "limits": False, "empty": True}

    found = missing_roles(_entries(row), {"role:dev", "pack:sockets"}, packs)

    assert render_problems(found) == told


@pytest.mark.parametrize("role", ["role:dev", "dev"])
def test_known_roles_are_not_missing(role: str):
    """Nor is a role that was told as untyped."""
    assert missing_roles(_entries(f"g, user:a, {role}, *"), {"role:dev"}, {}) == []
