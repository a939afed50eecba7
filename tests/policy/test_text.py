"""Problems for a terminal and for a program."""

from __future__ import annotations

from authz.errors import Location, Problem, Severity
from authz.policy.text import problem_json, render_problem, render_problems

MISSPELT = Problem(
    Location("policies/ci-runner/policy.csv", 14, 44),
    'verdict is "dney"; expected never, except, deny or allow',
    "deny",
    "p, ci-42, group:ci, container.create, *, dney",
    4,
)


def test_a_problem_is_underlined():
    """The form that the house style shows."""
    problem = Problem(
        Location("policies/ci-runner/policy.csv", 14, 42),
        MISSPELT.message,
        "deny",
        MISSPELT.source,
        4,
    )

    assert render_problem(problem) == (
        'policies/ci-runner/policy.csv:14:42: verdict is "dney"; expected never, except, deny or'
        " allow\n"
        "  p, ci-42, group:ci, container.create, *, dney\n"
        "                                           ^~~~\n"
        "  try: deny"
    )


def test_problems_are_set_apart():
    """An empty line stands between two."""
    problem = Problem(Location("a"), "bad")

    assert render_problems([problem, problem]) == "a: bad\n\na: bad"


def test_a_warning_says_so():
    """Warnings do not look like errors."""
    problem = Problem(Location("a", 3), "odd", severity=Severity.WARNING)

    assert render_problem(problem) == "a:3: warning: odd"


def test_a_problem_without_a_column_shows_no_line():
    """There is nothing to underline."""
    assert render_problem(Problem(Location("a", 3), "odd", source="p, x")) == "a:3: odd"


def test_nothing_quoted_moves_the_cursor():
    """Escape sequences and reordering marks are written out, and the line still stands below."""
    problem = Problem(Location("a\x1b", 1, 3), "b\u202ead", "\x07", "\x1bxbad", 3)

    assert render_problem(problem) == (
        "a\\x1b:1:3: b\\u202ead\n  \\x1bxbad\n       ^~~\n  try: \\x07"
    )


def test_wide_and_combining_characters_are_counted_as_shown():
    """The mark stands below the fault on a terminal."""
    problem = Problem(Location("a", 1, 4), "bad", "", "漢e\u0301x", 1)

    assert render_problem(problem) == "a:1:4: bad\n  漢e\u0301x\n     ^"


def test_a_long_line_is_shown_around_the_fault():
    """Of a long row the reader sees the part that matters."""
    problem = Problem(Location("a", 1, 301), "bad", "", "a" * 300 + "XYZ" + "b" * 300, 3)

    assert render_problem(problem) == (
        f"a:1:301: bad\n  ...{'a' * 60}XYZ{'b' * 97}...\n  {' ' * 63}^~~"
    )


def test_a_fault_longer_than_the_screen_is_cut():
    """The underline ends with what is shown."""
    problem = Problem(Location("a", 1, 1), "bad", "", "x" * 5000, 5000)

    assert render_problem(problem) == f"a:1:1: bad\n  {'x' * 160}...\n  ^{'~' * 159}"


def test_a_fault_behind_the_end_is_marked_there():
    """Something that is missing has a place, too."""
    problem = Problem(Location("a", 1, 4), "bad", "", "abc", 1)

    assert render_problem(problem) == "a:1:4: bad\n  abc\n     ^"


def test_long_messages_are_cut():
    """A value of 4 KiB is not quoted whole."""
    assert len(render_problem(Problem(Location("a"), "x" * 5000))) == len("a: ") + 600


def test_problems_for_a_program():
    """Every member is there, with the words that people do not see escaped."""
    assert problem_json(MISSPELT) == {
        "severity": "error",
        "file": "policies/ci-runner/policy.csv",
        "line": 14,
        "column": 44,
        "width": 4,
        "message": 'verdict is "dney"; expected never, except, deny or allow',
        "suggestion": "deny",
        "source": "p, ci-42, group:ci, container.create, *, dney",
    }
