"""Cases as text: what is written is read back as it was."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from authz.policy.case_file import load_cases
from authz.tools.drafts.cases import case_text, cases_text

PING = {"name": "ping", "request": "GET /_ping", "expect": "allow"}
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=3000)
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3))
def test_whatever_is_written_is_read_back(body, document):
    """Long strings, line ends, quotes and odd keys."""
    given_tables = {"container": {"web": document}}
    written = case_text(PING | {"body": body, "given": given_tables})
    (case,) = tomllib.loads(written)["case"]
    assert case.get("body", "") == body
    assert case["given"] == given_tables


def test_lines_are_short_enough_for_the_reader(tmp_path):
    """Of a body of some kilobytes, too."""
    body = '{"Cmd": ["' + "words and more " * 2000 + '"]}'
    path = tmp_path / "tests.toml"
    path.write_text(case_text(PING | {"body": body}))
    assert load_cases(path)[0].body == body.encode()


def test_names_are_told_apart(tmp_path):
    """The reader takes no two cases of one name."""
    path = tmp_path / "tests.toml"
    path.write_text(cases_text([PING, PING, PING | {"name": "other"}]))
    assert [case.name for case in load_cases(path)] == ["ping", "ping (2)", "other"]


def test_what_is_empty_is_left_out():
    """But for the reasons of a denial: none is a reason, too."""
    case = PING | {"as": "", "groups": [], "body": None, "because": []}
    assert tomllib.loads(case_text(case)) == {"case": [PING | {"because": []}]}


def test_what_is_null_is_not_there():
    """TOML has no null, in tables, lists and inline tables alike."""
    given = {"daemon": {"A": None, "B": [None, 1, {"C": None, "D": 2}]}}
    (case,) = tomllib.loads(case_text(PING | {"given": given}))["case"]
    assert case["given"] == {"daemon": {"B": [1, {"D": 2}]}}


def test_a_long_list_stands_on_several_lines():
    """As many as it has entries."""
    written = case_text(PING | {"because": [f"row-{n}-{'x' * 30}" for n in range(9)]})
    assert max(map(len, written.splitlines())) < 100
