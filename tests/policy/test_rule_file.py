"""Every line is a row, a comment, blank, or a problem: nothing is dropped."""

from __future__ import annotations

import pytest

from authz.errors import Location
from authz.policy.note import Note
from authz.policy.rule_file import Entry, read_rules
from authz.policy.source import MAX_PROBLEMS
from authz.policy.text import render_problems
from tests.policies import a_source

ROW = "p, role:dev, *, container.create, on:new, *, allow"


def _told(text: str | bytes) -> str:
    return render_problems(read_rules(a_source(text)).problems)


def _entries(text: str) -> tuple[Entry, ...]:
    file = read_rules(a_source(text))
    assert file.problems == ()
    return file.entries


def test_rows_know_their_fields_and_places():
    """Each field is found by its column's name and knows where it stands."""
    (entry,) = _entries("\n  p ,role:dev,  * , container.create, on:new,\t*, allow \n")

    assert entry.type == "p"
    assert [cell.text for cell in entry.cells] == [
        *("role:dev", "*", "container.create", "on:new", "*", "allow")
    ]
    assert entry["action"].column == 21
    assert entry["verdict"].text == "allow"
    assert entry.location == Location("policy.csv", 2, 1)


def test_all_three_types_are_read():
    """Rows, links and groups."""
    entries = _entries(f"{ROW}\ng, user:a, role:dev, *\ng2, container.exec, site.x\n")

    assert [entry.type for entry in entries] == ["p", "g", "g2"]


def test_an_id_comes_from_the_comment_directly_above():
    """A blank line between, or no comment, leaves the place as the id."""
    text = f"# a: one [CIS 1]\n{ROW}\n{ROW}\n# b: two\n\n{ROW}\n"

    first, second, third = _entries(text)

    assert (first.id, first.note) == ("a", Note("a", "one", ("CIS 1",)))
    assert (second.id, second.note) == ("policy.csv:3", Note())
    assert (third.id, third.note) == ("policy.csv:6", Note())


def test_a_line_that_is_no_row_takes_the_comment_with_it():
    """An id never moves on to the row below the one it was written for."""
    file = read_rules(a_source(f"# a: one\nx\n{ROW}\n# b: two\n\x00\n{ROW}\n"))

    assert [entry.note for entry in file.entries] == [Note(), Note()]
    assert len(file.problems) == 2


def test_windows_line_ends_are_read():
    """CRLF is not part of the verdict."""
    (entry,) = _entries(f"{ROW}\r\n")

    assert entry["verdict"].text == "allow"


@pytest.mark.parametrize("kind", ["P", "p2", "G", "G2", "g3", "policy", "allow"])
def test_unknown_row_types_are_problems(kind: str):
    """Pitfall 2: other readers drop such a row without a word, a deny included."""
    problems = read_rules(a_source(f"{kind}, role:dev, *, *, **, *, deny")).problems

    assert [p.message for p in problems] == [f'row type is "{kind}"; expected p, g or g2']


def test_an_unknown_row_type_in_full():
    """Place, what stands there, and what was meant."""
    assert _told("P, role:dev, *, *, **, *, deny") == (
        'site/policy.csv:1:1: row type is "P"; expected p, g or g2\n'
        "  P, role:dev, *, *, **, *, deny\n"
        "  ^\n"
        "  try: p"
    )


def test_a_line_that_starts_with_a_comma_is_a_problem():
    """Pitfall 18: it aborts other readers."""
    assert _told(", role:dev") == (
        'site/policy.csv:1:1: row type is ""; expected p, g or g2\n  , role:dev\n  ^'
    )


@pytest.mark.parametrize(
    ("row", "meant"),
    [
        ("p, role:dev, container.create, on:new, *, allow", ROW),
        ("p, role:dev, *, container.create, on:new, allow", ROW),
        (
            "p, role:dev, *, on:new, *, allow",
            "p, role:dev, *, *, on:new, *, allow",
        ),
        ("p, *, container.create, on:new, *, deny", "p, *, *, container.create, on:new, *, deny"),
        (
            "p, role:dev, *, container.create, on:new, *",
            "p, subject, domain, action, fact, when, verdict",
        ),
        ("p", "p, subject, domain, action, fact, when, verdict"),
        ("g, user:a, role:dev", "g, user:a, role:dev, *"),
        ("g2, container.exec", "g2, action, group"),
    ],
)
def test_a_missing_column_is_a_problem(row: str, meant: str):
    """Pitfall 17: other readers fail only when a request reaches the row."""
    problems = read_rules(a_source(row)).problems

    assert [(p.suggestion, p.width, p.location.column) for p in problems] == [(meant, len(row), 1)]


def test_a_missing_column_in_full():
    """The whole row is underlined; the corrected one stands below."""
    assert _told("  p, role:dev, container.create, on:new, *, allow") == (
        "site/policy.csv:1:3: the row has 5 columns after p; expected 6: subject, domain, action,"
        " fact, when, verdict\n"
        "    p, role:dev, container.create, on:new, *, allow\n"
        "    ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
        "  try: p, role:dev, *, container.create, on:new, *, allow"
    )


def test_a_column_too_many_is_a_problem():
    """There is no priority column (pitfall 20), and no comma inside a value."""
    assert _told("g2, container.exec, site.x, 10") == (
        "site/policy.csv:1:29: the row has 3 columns after g2; expected 2: action, group\n"
        "  g2, container.exec, site.x, 10\n"
        "                              ^~\n"
        "  try: take the rest away"
    )


def test_one_column_is_counted_as_one():
    """Words agree with numbers."""
    assert "the row has 1 column after g;" in _told("g, user:a")


def test_an_empty_field_is_a_problem():
    """Nothing is not anything."""
    assert _told("p, role:dev, , container.create, on:new, *, allow") == (
        "site/policy.csv:1:14: domain is empty\n"
        "  p, role:dev, , container.create, on:new, *, allow\n"
        "               ^\n"
        "  try: *"
    )


def test_quotes_are_problems():
    """Pitfall 1 and 19: a quoted verdict counts as no opinion, a quoted comma as two columns."""
    assert _told('p, role:dev, *, *, "on:new, x", *, "deny"') == (
        "site/policy.csv:1:20: quotes mean nothing here: they would become part of the value\n"
        '  p, role:dev, *, *, "on:new, x", *, "deny"\n'
        "                     ^~~~~~~\n"
        "  try: on:new"
    )


@pytest.mark.parametrize("quote", ["'", "`", "\u2018", "\u201c"])
def test_other_quotes_are_problems(quote: str):
    """A word processor's quotes are quotes, too."""
    assert "try: deny" in _told(f"p, role:dev, *, *, **, *, {quote}deny{quote}")


def test_a_quoted_row_type_is_a_problem_of_quotes():
    """The type is not what is wrong."""
    assert _told('"p", role:dev') == (
        "site/policy.csv:1:1: quotes mean nothing here: they would become part of the value\n"
        '  "p", role:dev\n'
        "  ^\n"
        "  try: p"
    )


@pytest.mark.parametrize("comment", [" # not yet", "\t#x", " #"])
def test_a_trailing_comment_is_a_problem(comment: str):
    """Pitfall 1: it becomes part of the verdict, and the deny is gone."""
    problems = read_rules(a_source(f"p, role:dev, *, *, **, *, deny{comment}")).problems

    assert [p.message for p in problems] == [
        "a comment stands on a line of its own; here it would become part of the value"
    ]
    assert problems[0].location.column == 32
    assert problems[0].suggestion == "move it to the line above"


def test_a_trailing_comment_is_underlined_alone():
    """The verdict itself is fine."""
    assert _told("g, user:a, role:dev, * # x") == (
        "site/policy.csv:1:24: a comment stands on a line of its own; here it would become part of"
        " the value\n"
        "  g, user:a, role:dev, * # x\n"
        "                         ^~~\n"
        "  try: move it to the line above"
    )


def test_a_field_that_is_a_comment_is_a_problem():
    """A comma before the comment does not help."""
    assert "a comment stands on a line of its own" in _told("g, user:a, role:dev, *, # x")


def test_a_number_sign_inside_a_value_is_part_of_it():
    """A fragment of a URL is no comment."""
    (entry,) = _entries("p, role:dev, *, build.run, build.remote:https://x/y.git#main, *, allow")

    assert entry["fact"].text == "build.remote:https://x/y.git#main"


@pytest.mark.parametrize(
    ("char", "name"),
    [("\t", "a tab"), ("\u00a0", "the character U+00A0"), ("\u3000", "the character U+3000")],
)
def test_odd_white_space_inside_a_value_is_a_problem(char: str, name: str):
    """It looks like a space and is none."""
    problems = read_rules(a_source(f"g, user:a{char}b, role:dev, *")).problems

    assert [(p.message, p.location.column) for p in problems] == [(f"{name} inside a value", 10)]
    assert problems[0].suggestion == "write a space"


@pytest.mark.parametrize(
    "row",
    [
        "p, (role:dev, *, *, **, *, allow",
        "p, role:dev), *, *, **, *, deny",
        "p, [role:dev, *, *, **, *, allow",
    ],
)
def test_brackets_have_no_meaning(row: str):
    """Pitfall 18: in other readers an open bracket swallows the rest of the row."""
    (entry,) = _entries(row)

    assert len(entry.cells) == 6


def test_what_unreadable_rows_name_is_kept():
    """A role whose only row is broken is not missing as well."""
    file = read_rules(a_source("p, role:dev, x\n"))

    assert file.fragments == {"p", "role:dev", "x"}


def test_every_kind_of_mistake_in_a_row_is_told():
    """One row can be wrong in two ways."""
    problems = read_rules(a_source('g, "user:a", role:dev, * # x')).problems

    assert len(problems) == 2


def test_a_file_of_garbage_is_cut():
    """After a thousand problems nobody reads on."""
    problems = read_rules(a_source("x\n" * (MAX_PROBLEMS + 5))).problems

    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].message == "there are more than 1000 problems"


def test_problems_of_rows():
    """Problems of a field, and of the row."""
    (entry,) = _entries(f"  {ROW}")

    assert entry.problem("action", "bad", "x").location == Location("site/policy.csv", 1, 19)
    assert entry.problem("action", "bad").width == len("container.create")
    assert (entry.whole("bad").location.column, entry.whole("bad").width) == (3, len(ROW))
