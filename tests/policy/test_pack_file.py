"""Packs: where they lie, and what may stand in them."""

import pytest

from authz.policy.pack_file import (
    is_pack,
    own_packs,
    pack_of,
    path_of,
    place_problems,
    shipped_packs,
)
from authz.policy.rule_file import read_rules
from authz.shipped import shipped
from tests.policies import a_source


def entries(text, name):
    """Return the rows of a file of that name in a bundle."""
    return read_rules(a_source(text, name)).entries


def test_the_shipped_packs_are_found():
    """By the folders that hold a file of their name."""
    assert {"core", "sockets", "pss-baseline"} <= shipped_packs()


def test_a_pack_of_the_bundle_goes_before(tmp_path):
    """Else the shipped one is read."""
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "core.csv").write_text("")

    assert own_packs(tmp_path) == {"core"}
    assert path_of("core", tmp_path) == tmp_path / "packs" / "core.csv"
    assert path_of("sockets", tmp_path) == shipped("policies", "packs", "sockets", "sockets.csv")


def test_a_folder_is_a_pack_by_its_file(tmp_path):
    """NAME/NAME.csv."""
    pack = tmp_path / "mine"
    pack.mkdir()

    assert not is_pack(pack)
    (pack / "mine.csv").write_text("")
    assert is_pack(pack)


def test_rows_know_their_pack():
    """By the name of their file in the bundle."""
    row = "p, *, *, *, bind:/x, *, never\n"

    (inside,) = entries(row, "packs/mine.csv")
    (outside,) = entries(row, "policy.csv")

    assert (pack_of(inside), pack_of(outside)) == ("mine", "")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("p, pack:mine, *, *, bind:/x, *, deny", "packs/mine.csv"),
        ("p, *, *, *, bind:/x, *, never", "packs/mine.csv"),
        ("g, pack:mine, pack:other, *", "packs/mine.csv"),
        ("p, *, *, *, mem.limit:**, *, allow", "packs/core.csv"),
        ("p, role:a, *, *, bind:/x, *, allow", "policy.csv"),
    ],
)
def test_what_may_stand_in_its_place(row, name):
    """A pack takes away; core gives the ordinary state."""
    (entry,) = entries(f"{row}\n", name)

    assert place_problems(entry) == []


@pytest.mark.parametrize(
    "row",
    [
        "p, pack:mine, *, *, bind:/x, *, allow",
        "p, pack:mine, *, container.create, bind:/x, until=2030-01-01, except",
        "p, pack:other, *, *, bind:/x, *, deny",
        "p, role:a, *, *, bind:/x, *, deny",
        "p, pack:mine, *, *, bind:/x, *, never",
        "g, pack:mine, role:a, *",
        "g, user:alice, pack:mine, *",
        "g2, container.exec, site.x",
    ],
)
def test_what_may_not_stand_in_a_pack(row):
    """It could widen access, or reach beyond whoever attaches the pack."""
    (entry,) = entries(f"{row}\n", "packs/mine.csv")

    assert place_problems(entry)


def test_rows_of_a_pack_stand_in_its_own_file():
    """Elsewhere they would change it for one bundle only."""
    (entry,) = entries("p, pack:mine, *, *, bind:/x, *, deny\n", "policy.csv")

    (problem,) = place_problems(entry)

    assert problem.suggestion == "packs/mine.csv"


def test_a_misspelt_word_is_somebody_else_s_to_tell():
    """One mistake is told once."""
    (entry,) = entries("p, pack:mine, *, *, bind:/x, *, alow\n", "packs/mine.csv")

    assert place_problems(entry) == []
