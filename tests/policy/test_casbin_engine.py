"""Evaluation through stock Casbin: words, doubts, and what Casbin does wrong by itself."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations

import pytest

from authz.errors import Location
from authz.facts.facts import Fact
from authz.policy.casbin_engine import Asking, Engine
from authz.policy.decision import Outcome, Row, Word
from authz.policy.placeholder import Fill

ALICE = Asking(
    held=frozenset({"user:alice", "role:dev"}),
    domain="acme",
    names=frozenset({"container.create", "container.*", "site.all"}),
    fill=Fill({"name": "alice"}),
    context={"door": "plugin", "image": "a.b/c"},
)
BIND = Fact("bind", "/srv/x")


def _rows(*texts: str) -> list[Row]:
    """Read rows as they stand in a file, without the "p"; the id is the place in the list."""
    rows = []
    for number, text in enumerate(texts, start=1):
        *cells, word = (cell.strip() for cell in text.split(","))
        place = Location("policy.csv", number, 1)
        rows.append(Row(*cells, Word(word), str(number), place))
    return rows


def _outcome(asking: Asking, fact: Fact, *texts: str) -> Outcome:
    (outcome,) = Engine(_rows(*texts)).outcomes(asking, [fact])
    return outcome


@pytest.mark.parametrize(
    ("words", "settling"),
    [
        ((), ""),
        (("allow",), "allow"),
        (("deny",), "deny"),
        (("allow", "deny"), "deny"),
        (("allow", "deny", "except"), "except"),
        (("allow", "deny", "except", "never"), "never"),
        (("allow", "never"), "never"),
        (("except",), "except"),
    ],
)
def test_the_strongest_word_settles_a_fact(words: tuple[str, ...], settling: str):
    """Whatever the order of the rows."""
    for shuffled in permutations(words):
        outcome = _outcome(ALICE, BIND, *(f"*, *, *, bind:/srv/**, *, {word}" for word in shuffled))

        assert (outcome.word or "") == settling
        assert outcome.allowed is (settling in ("allow", "except"))
        assert (outcome.row.word if outcome.row else "") == settling


@pytest.mark.parametrize(
    ("row", "matches"),
    [
        ("*, *, *, bind:**, *, allow", True),
        ("user:alice, *, *, bind:**, *, allow", True),
        ("role:dev, *, *, bind:**, *, allow", True),
        ("role:ops, *, *, bind:**, *, allow", False),
        ("*, acme, *, bind:**, *, allow", True),
        ("*, other, *, bind:**, *, allow", False),
        ("*, default, *, bind:**, *, allow", False),
        ("*, *, container.create, bind:**, *, allow", True),
        ("*, *, container.*, bind:**, *, allow", True),
        ("*, *, site.all, bind:**, *, allow", True),
        ("*, *, container.start, bind:**, *, allow", False),
        ("*, *, *, **, *, allow", True),
        ("*, *, *, net:**, *, allow", False),
        ("*, *, *, bind:/other/**, *, allow", False),
        ("*, *, *, bind:**, door=plugin, allow", True),
        ("*, *, *, bind:**, door=proxy, allow", False),
        # Casbin rewrites "p." and "r." inside literals; values are no part of the matcher here
        ("*, *, *, bind:**, image=a.b/c, allow", True),
    ],
)
def test_every_column_counts(row: str, matches: bool):  # noqa: FBT001  a table
    """Subject, tenant, action, fact and condition."""
    assert (_outcome(ALICE, BIND, row).row is not None) is matches


def test_each_fact_is_judged_alone():
    """In the order given, by the row that settles it."""
    engine = Engine(_rows("*, *, *, bind:**, *, allow", "*, *, *, net:host, *, deny"))
    facts = (Fact("net", "host"), BIND, Fact("pid", "host"), Fact("bind", "/b"))

    outcomes = engine.outcomes(ALICE, facts)

    assert tuple(outcome.fact for outcome in outcomes) == facts
    assert [outcome.word for outcome in outcomes] == [Word.DENY, Word.ALLOW, None, Word.ALLOW]
    assert [outcome.row.id if outcome.row else "" for outcome in outcomes] == ["2", "1", "", "1"]


UNKNOWN_WHEN = "tls=mutual"
UNFILLED = "bind:/srv/{uid}"
DOUBTS = [
    # a row that gives and may match or not gives nothing
    ((f"*, *, *, bind:**, {UNKNOWN_WHEN}, allow",), None, False),
    ((f"*, *, *, {UNFILLED}, *, allow",), None, False),
    ((f"*, *, *, bind:**, {UNKNOWN_WHEN}, except", "*, *, *, bind:**, *, deny"), "deny", False),
    # one that takes away refuses
    ((f"*, *, *, bind:**, {UNKNOWN_WHEN}, deny",), "deny", True),
    ((f"*, *, *, {UNFILLED}, *, deny", "*, *, *, bind:**, *, allow"), "deny", True),
    ((f"*, *, *, {UNFILLED}, *, never", "*, *, *, bind:**, *, deny"), "never", True),
    # unless it does not matter
    ((f"*, *, *, bind:**, {UNKNOWN_WHEN}, deny", "*, *, *, bind:**, *, except"), "except", False),
    ((f"*, *, *, bind:**, {UNKNOWN_WHEN}, deny", "*, *, *, bind:**, *, deny"), "deny", False),
    (("*, *, *, bind:**, *, deny", f"*, *, *, {UNFILLED}, *, deny"), "deny", False),
    ((f"*, *, *, bind:**, {UNKNOWN_WHEN} & door=proxy, deny",), None, False),
    ((f"*, *, *, {UNFILLED}, door=proxy, deny",), None, False),
    ((f"*, *, *, net:**, {UNKNOWN_WHEN}, deny",), None, False),
]


@pytest.mark.parametrize(("rows", "word", "refuses"), DOUBTS)
def test_what_cannot_be_known(rows: tuple[str, ...], word: str | None, refuses: bool):  # noqa: FBT001  a table
    """Never an allow, and never silence in place of a deny."""
    for ordered in (rows, rows[::-1]):
        outcome = _outcome(ALICE, BIND, *ordered)

        assert (outcome.word, bool(outcome.error)) == (word, refuses)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (
            f"*, *, *, {UNFILLED}, *, deny",
            'the row\'s fact "bind:/srv/{uid}" cannot be compared for this caller',
        ),
        (
            "*, *, *, bind:**, tls=mutual, deny",
            'the row\'s condition "tls=mutual" cannot be known',
        ),
    ],
)
def test_the_error_says_what_is_not_known(row: str, error: str):
    """So that whoever wrote the row can mend it."""
    assert _outcome(ALICE, BIND, row).error == error


def test_the_lowest_place_explains():
    """Of several rows with the settling word the first one by file and line is named."""
    rows = _rows("*, *, *, bind:**, *, deny", "*, *, *, bind:/srv/**, *, deny")

    for order in (rows, rows[::-1]):
        (outcome,) = Engine(order).outcomes(ALICE, [BIND])
        assert outcome.row == rows[0]


def test_no_rows_allow_nothing():
    """Casbin evaluates an empty policy once with empty fields; it never sees one here."""
    assert _outcome(ALICE, BIND) == Outcome(BIND, None)


def test_a_name_is_no_role():
    """Casbin's own g(x, x) is true; the names of callers are typed, so none is a role's."""
    stranger = replace(ALICE, held=frozenset({"user:role:dev", "cert:role:dev"}))

    assert _outcome(stranger, BIND, "role:dev, *, *, bind:**, *, allow").row is None


def test_requests_leave_nothing_behind():
    """Unknown subjects and tenants are not kept by a role manager."""
    engine = Engine(_rows("*, *, *, bind:**, *, allow"))
    for number in range(50):
        asking = replace(ALICE, held=frozenset({f"user:{number}"}), domain=f"t{number}")
        engine.outcomes(asking, [BIND])

    managers = [engine._enforcer.model["g"][name].rm for name in ("g", "g2")]
    assert [vars(manager) for manager in managers] == [{}, {}]


def test_values_are_not_part_of_the_matcher():
    """What a request or a row holds is never parsed."""
    text = 'x" || true || p.sub == "'
    fact = Fact("bind", text)

    assert _outcome(ALICE, fact, "*, *, *, bind:y, *, allow").row is None
    assert _outcome(ALICE, fact, f"*, *, *, bind:{text.replace('|', '?')}, *, allow").allowed


def test_several_threads_may_ask():
    """The matcher is parsed by one thread at a time, and answers are not mixed up."""
    engine = Engine(_rows(*(f"*, *, *, bind:/{n}, *, allow" for n in range(20))))

    def ask(number: int) -> bool:
        facts = [Fact("bind", f"/{number % 40}")]
        (outcome,) = engine.outcomes(ALICE, facts)
        return outcome.allowed is (number % 40 < 20)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture):
    """Casbin would log each denied request in words of its own."""
    caplog.set_level(logging.DEBUG)

    _outcome(ALICE, BIND, "*, *, *, net:**, *, allow")
    _outcome(ALICE, BIND, "*, *, *, bind:**, *, deny")

    assert [record for record in caplog.records if record.name.startswith("casbin")] == []


def test_an_answer_that_contradicts_its_row_is_a_defect(monkeypatch: pytest.MonkeyPatch):
    """Were Casbin to allow by a deny row, nothing would be answered."""
    engine = Engine(_rows("*, *, *, bind:**, *, deny"))
    (rule, line), *_ = engine.candidates(ALICE)
    monkeypatch.setattr(engine._enforcer, "enforce_ex", lambda *_: (True, line))

    with pytest.raises(AssertionError, match="Casbin's answer True is not that of 1"):
        engine.outcomes(ALICE, [BIND])
    assert rule.takes
