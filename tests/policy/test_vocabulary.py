"""Actions and their groups, those of the catalogue and those of a site."""

from __future__ import annotations

from authz.errors import Location
from authz.facts.catalogue import catalogue
from authz.policy.links import Group
from authz.policy.vocabulary import Vocabulary, vocabulary


def _words(*pairs: tuple[str, str]) -> Vocabulary:
    return vocabulary(Group(action, group, Location("policy.csv", 1, 1)) for action, group in pairs)


def test_the_catalogue_has_its_groups():
    """Each action stands for itself, a generated group for its actions, a star for all."""
    words = _words()

    assert words.actions("container.exec") == {"container.exec"}
    assert "container.start" in words.actions("container.run")
    assert words.actions("*") == catalogue().actions
    assert words.actions("container.exce") == frozenset()
    assert {"container.exec", "container.run"} <= words.known


def test_a_site_has_groups_of_its_own():
    """They hold actions, generated groups, and each other."""
    words = _words(
        ("container.exec", "site.a"),
        ("site.a", "site.b"),
        ("container.run", "site.b"),
    )

    assert words.actions("site.a") == {"container.exec"}
    assert words.actions("site.b") == {"container.exec", *words.actions("container.run")}
    assert {"site.a", "site.b"} <= words.known


def test_a_cycle_ends():
    """Cycles do not load, and do not hang the check either."""
    words = _words(("site.a", "site.b"), ("site.b", "site.a"), ("container.exec", "site.a"))

    assert words.actions("site.a") == words.actions("site.b") == {"container.exec"}


def test_generated_groups_are_not_extended():
    """Such a row is an error elsewhere; it gives nothing here."""
    words = _words(("container.exec", "container.run"))

    assert "container.exec" not in words.actions("container.run")
    assert words.own == {}


def test_the_names_of_an_action():
    """What a row may write to mean it."""
    names = _words(("container.start", "site.a")).names()

    assert {"container.start", "container.run", "site.a"} <= names["container.start"]
    assert "site.a" not in names["container.exec"]
