"""Values of one kind, indexed: which rows a value finds, and by which way."""

from __future__ import annotations

import pytest

from authz.policy.bucket import SHOWN, Bucket, Filling
from authz.policy.placeholder import Fill
from authz.policy.row_check import pattern_of
from tests.policies import some_rows

ALICE = Fill({"name": "alice"})


def _bucket(kind: str, *facts: str, word: str = "allow") -> Bucket:
    filling = Filling()
    rows = some_rows(*(f"*, *, *, {fact}, *, {word}" for fact in facts))
    for order, row in enumerate(rows):
        pattern = pattern_of(row.fact)
        own = [each for each in pattern.alternatives if each.kind == kind]
        filling.add(order, pattern, own, None, row)
    return filling.bucket()


@pytest.mark.parametrize(
    ("text", "exact", "prefixes", "compared"),
    [
        ("/x", ["/x"], [], False),
        ("/x/**", ["/x"], ["/x/"], False),
        ("/x/***", ["/x"], ["/x/"], False),
        ("/**", [], ["/"], False),
        ("//**", ["/"], ["//"], False),
        ("unknown/**", [], ["unknown/"], False),
        ("/x**", [], ["/x"], False),
        ("/x*", [], ["/x"], True),
        ("/x/*/y", [], ["/x/"], True),
        ("/x?/**", [], ["/x"], True),
        ("/x*/**", [], ["/x"], True),
    ],
)
def test_a_glob_is_found_by_what_it_begins_with(text: str, exact, prefixes, compared):
    """And is compared only where that does not settle it."""
    bucket = _bucket("bind", f"bind:{text}")

    assert list(bucket.exact) == exact
    assert list(bucket.prefixes) == prefixes
    assert not bucket.always
    found = [entry for entries in bucket.prefixes.values() for entry in entries]
    assert [entry[1] is not None for entry in found] == [compared] * len(found)


@pytest.mark.parametrize("text", ["**", "*", "*/x", "?", "!/x", "!/x|/y/*"])
def test_what_begins_with_a_wildcard_is_always_asked(text: str):
    """So are lists after "!"."""
    bucket = _bucket("bind", f"bind:{text}")

    assert len(bucket.always) == 1
    assert not bucket.exact
    assert not bucket.prefixes


@pytest.mark.parametrize(
    ("text", "value", "answer"),
    [
        ("!/x|/y", "/x", False),
        ("!/x|/y", "/z", True),
        ("!/x|/y/*", "/y/z", False),
        ("!/x|/y/*", "/z", True),
    ],
)
def test_lists_of_what_is_not_meant(text: str, value: str, answer: bool):  # noqa: FBT001  a table
    """Any other value matches."""
    ((_, match, _, _),) = _bucket("bind", f"bind:{text}", word="deny").always

    assert match(value) is answer


def test_equal_lists_are_one():
    """A thousand rows that say the same are asked once."""
    assert len(_bucket("bind", *["bind:!/x|/y"] * 9, *["bind:!/x|/z"] * 9, word="deny").always) == 2
    assert len(_bucket("bind", *["bind:*/x"] * 9, word="deny").always) == 1


def test_ranges_and_words_of_one_kind():
    """Words are looked up, numbers are in the tree, and the star is everything."""
    bucket = _bucket("mem.limit", "mem.limit:none|>8g", "mem.limit:*")

    assert list(bucket.exact) == ["none"]
    assert bucket.ranges
    assert len(bucket.always) == 1


def test_rows_for_every_kind():
    """They match any value."""
    (row,) = some_rows("*, *, *, **, *, deny")
    filling = Filling()
    filling.everything(0, "door=x", row)

    assert filling.bucket().always == ((0, None, "door=x", row),)


@pytest.mark.parametrize(
    ("text", "word", "exact", "always"),
    [
        ("{name}-v", "allow", ["alice-v"], 0),
        ("!{name}", "deny", [], 1),
        ("{uid}", "deny", [], 1),
        ("{uid}", "allow", [], 0),
    ],
)
def test_placeholders_wait_for_a_caller(text: str, word: str, exact: list[str], always: int):
    """What nothing fills is a doubt where the row takes away, and else nothing."""
    waiting = _bucket("volume", f"volume:{text}", word=word)
    assert not waiting.exact
    assert not waiting.always

    filling = Filling()
    filling.fill(waiting.templates[0], ALICE)
    filled = filling.bucket()

    assert list(filled.exact) == exact
    assert len(filled.always) == always


@pytest.mark.parametrize(("uid", "answer"), [("", None), ("7", False), ("8", True)])
def test_a_list_with_a_placeholder(uid: str, answer: bool | None):  # noqa: FBT001  a table
    """Unfilled it is a doubt."""
    (template,) = _bucket("user", "user:!{uid}", word="deny").templates
    filling = Filling()
    filling.fill(template, Fill({"uid": uid} if uid else {}))
    ((_, match, _, _),) = filling.bucket().always

    assert match("7") is answer


def test_a_caller_called_unknown():
    """His name is not the word that a row must write itself."""
    (template,) = _bucket("volume", "volume:{name}").templates
    filling = Filling()
    filling.fill(template, Fill({"name": "unknown"}))

    assert filling.bucket() == Filling().bucket()


def test_some_rows_that_allow_are_remembered():
    """A person is shown a few, by their order and not by their value."""
    bucket = _bucket("bind", *(f"bind:/{n}|/x" for n in range(2 * SHOWN)))

    assert [order for order, _ in bucket.allowing] == list(range(SHOWN))
    assert _bucket("bind", "bind:/x", word="deny").allowing == ()
