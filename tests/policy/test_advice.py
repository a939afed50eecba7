"""What loads and is still odd: told as a warning, at its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from authz.errors import Problem, Severity
from authz.policy.bundle import load_bundle
from tests.policies import a_bundle

TODAY = date(2026, 8, 1)
HELD = "g, user:alice, role:dev, *\n"


def _warnings(root: Path, **files: object) -> tuple[Problem, ...]:
    warnings = load_bundle(a_bundle(root, **files), today=TODAY).warnings
    assert all(each.severity is Severity.WARNING for each in warnings)
    return warnings


@pytest.mark.parametrize(
    ("policy", "people"),
    [
        ("p, role:dev, *, container.create, on:new|bind:/srv/**, *, allow\n", HELD),
        ("p, role:dev, *, *, bind:/home/{uid}/**, *, allow\n", HELD),
        ("p, user:alice, *, *, bind:/home/{uid}/**, *, allow\n", ""),
        ("p, role:dev, acme, *, bind:/srv/{tenant}/**, *, allow\n", HELD),
        ("p, role:dev, *, container.start, on:own, name=x, allow\n", HELD),
        ("p, role:dev, *, container.create, on:new, name=x, deny\n", HELD),
        ("p, role:dev, *, container.create, on:new, image=*/**, allow\n", HELD),
        ("p, role:dev, *, *, on:new, until=2026-08-01, allow\n", HELD),
        ("p, role:base, *, *, on:new, *, allow\n", "g, role:dev, role:base, *\n" + HELD),
        (
            "p, role:base, *, *, on:new, *, allow\n",
            f"g, role:dev, role:base, *\n{HELD}g, user:alice, role:base, *\n",
        ),
        ("p, role:dev, *, *, **, *, deny\n", HELD),
        ("p, role:dev, *, *.read, on:own|list|unknown, *, allow\n", HELD),
        ("p, role:dev, *, container.list, on:!own, *, deny\n", HELD),
        ("p, role:dev, *, container.list, on:*, *, allow\n", HELD),
        ("p, role:dev, *, *, on:new, *, allow\np, role:dev, *, *, on:own, *, deny\n", HELD),
    ],
)
def test_nothing_is_said_of_ordinary_rows(tmp_path: Path, policy: str, people: str):
    """A warning that everybody gets is read by nobody."""
    assert _warnings(tmp_path, policy=policy, people=people) == ()


@pytest.mark.parametrize(
    ("policy", "line", "column", "message", "suggestion"),
    [
        (
            "p, role:dev, *, *, on:new, *, allow\np, role:dev, *, *, on:new, *, allow",
            *(2, 1, "the row says the same as policy.csv:1", "take one away"),
        ),
        (
            "p, role:dev, *, *, on:new, *, allow\np, role:dev, *, *, on:new, *, deny",
            *(1, 31, "the row never settles anything: policy.csv:2 says deny", "take one away"),
        ),
        (
            "p, role:dev, *, *, on:new, *, never\np, role:dev, *, *, on:new, *, deny",
            *(2, 31, "the row never settles anything: policy.csv:1 says never", "take one away"),
        ),
        (
            "p, role:dev, *, *, on:new, until=2026-07-31, allow",
            *(1, 28, "the row ended on 2026-07-31", "take it away"),
        ),
        (
            "p, cert:ci, *, *, bind:/home/{uid}/x, *, allow",
            *(1, 19, "{uid} is never filled for cert: subjects", "{name}"),
        ),
        (
            "p, role:dev, default, *, bind:/srv/{tenant}/x, *, allow",
            *(1, 26, '{tenant} is never filled in the domain "default", which has none', ""),
        ),
        (
            "p, role:dev, *, container.list, on:own|tenant, *, allow",
            *(1, 36, 'no request of "container.list" yields on:own; expected on:list', ""),
        ),
        (
            "p, role:dev, *, container.create, on:new, name=a & label.x=b, allow",
            *(1, 43, "name, label.x is what the caller says when something is created"),
            "name the action that the condition is meant for",
        ),
        (
            "p, role:dev, *, *, on:new, name=a, allow",
            *(1, 28, "name is what the caller says when something is created"),
            "name the action that the condition is meant for",
        ),
        (
            "p, user:anonymous, *, system.ping, on:host, *, allow",
            *(1, 4, "user:anonymous is everybody who can reach the plugin's socket", ""),
        ),
        (
            "p, role:dev, *, *, **, *, allow",
            *(1, 20, "a wide allow row, and no pack that takes away"),
            "g, role:dev, pack:sockets, *",
        ),
        (
            "p, role:dev, *, container.create, bind:/x|cap.add:*, *, allow",
            *(1, 35, "a wide allow row, and no pack that takes away"),
            "g, role:dev, pack:sockets, *",
        ),
        (
            "p, *, *, container.create, bind:**, *, allow",
            *(1, 28, "a wide allow row, and no pack that takes away", ""),
        ),
        (
            "p, role:ops, *, *, on:new, *, allow\np, role:ops, *, *, on:own, *, allow",
            *(1, 4, 'nobody holds "role:ops"', "g, user:NAME, role:ops, *"),
        ),
    ],
)
def test_what_is_odd(  # noqa: PLR0913, PLR0917  a table
    tmp_path: Path, policy: str, line: int, column: int, message: str, suggestion: str
):
    """Where it is, and what to do."""
    more = "p, role:dev, *, *, rename.to:x, *, allow\n"
    (found,) = _warnings(tmp_path, policy=f"{policy}\n{more}", people=HELD)

    assert (found.location.line, found.location.column) == (line, column)
    assert (found.message, found.suggestion) == (message, suggestion)


def test_a_role_for_everybody_is_told(tmp_path: Path):
    """A link from the anonymous caller is a decision that somebody should know of."""
    (found,) = _warnings(tmp_path, people="g, user:anonymous, role:dev, *\n")

    assert Path(found.location.file).name == "people.csv"
    assert "everybody who can reach the plugin's socket" in found.message


def test_a_repeated_link_is_told(tmp_path: Path):
    """Links and groups too."""
    (found,) = _warnings(tmp_path, people=HELD * 2)

    assert found.message == "the row says the same as people.csv:1"


@pytest.mark.parametrize(
    "people",
    [
        "g, role:dev, pack:sockets, *\n",
        "g, role:dev, role:base, *\ng, role:base, pack:sockets, *\n",
    ],
)
def test_a_guard_pack_excuses_a_wide_row(tmp_path: Path, people: str):
    """Attached directly, or to what the role leads to."""
    policy = "p, role:dev, *, *, **, *, allow\np, role:base, *, *, on:own, *, allow\n"
    warnings = _warnings(
        tmp_path, bundle='packs = ["core", "sockets"]\n', policy=policy, people=HELD + people
    )

    assert [each.message for each in warnings if "wide" in each.message] == []


def test_a_role_that_only_an_unheld_role_leads_to_is_not_told_as_well(tmp_path: Path):
    """The first of the chain is."""
    policy = "p, role:a, *, *, on:new, *, allow\np, role:b, *, *, on:own, *, allow\n"

    (found,) = _warnings(tmp_path, policy=policy, people="g, role:a, role:b, *\n")

    assert found.message == 'nobody holds "role:a"'


def test_a_pack_alone_has_its_roles_elsewhere(tmp_path: Path):
    """Nothing holds it there, and that is in order; its odd rows are still told."""
    (tmp_path / "own").mkdir()
    row = "p, pack:own, *, *, pid:host, *, deny\n"
    (tmp_path / "own" / "own.csv").write_text(row * 2)

    (found,) = load_bundle(tmp_path / "own", today=TODAY).warnings

    assert found.message == "the row says the same as packs/own.csv:1"
