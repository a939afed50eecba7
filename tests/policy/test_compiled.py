"""The rules of evaluation, for the engine that judges and for the one it is compared with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from authz.facts.facts import Fact
from authz.policy.asking import Asking
from authz.policy.casbin_engine import Engine as CasbinEngine
from authz.policy.compiled import PLANS, Engine
from authz.policy.decision import Outcome, Word
from authz.policy.placeholder import Fill
from tests.policies import some_rows

ENGINES = {"compiled": Engine, "casbin": CasbinEngine}
ALICE = Asking(
    held=frozenset({"user:alice", "role:dev"}),
    domain="acme",
    names=frozenset({"container.create", "container.*", "site.all"}),
    fill=Fill({"name": "alice"}),
    context={"door": "plugin", "image": "a.b/c"},
)
BIND = Fact("bind", "/srv/x")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> type[Engine | CasbinEngine]:
    """Give one engine after the other."""
    return ENGINES[request.param]


def _outcome(
    engine: type[Engine | CasbinEngine], asking: Asking, fact: Fact, *texts: str
) -> Outcome:
    (outcome,) = engine(some_rows(*texts)).outcomes(asking, [fact])
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
def test_the_strongest_word_settles_a_fact(engine, words: tuple[str, ...], settling: str):
    """Whatever the order of the rows."""
    for shuffled in permutations(words):
        outcome = _outcome(
            engine, ALICE, BIND, *(f"*, *, *, bind:/srv/**, *, {word}" for word in shuffled)
        )

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
def test_every_column_counts(engine, row: str, matches: bool):  # noqa: FBT001  a table
    """Subject, tenant, action, fact and condition."""
    assert (_outcome(engine, ALICE, BIND, row).row is not None) is matches


def test_each_fact_is_judged_alone(engine):
    """In the order given, by the row that settles it."""
    asked = engine(some_rows("*, *, *, bind:**, *, allow", "*, *, *, net:host, *, deny"))
    facts = (Fact("net", "host"), BIND, Fact("pid", "host"), Fact("bind", "/b"))

    outcomes = asked.outcomes(ALICE, facts)

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
def test_what_cannot_be_known(engine, rows: tuple[str, ...], word: str | None, refuses: bool):  # noqa: FBT001  a table
    """Never an allow, and never silence in place of a deny."""
    for ordered in (rows, rows[::-1]):
        outcome = _outcome(engine, ALICE, BIND, *ordered)

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
def test_the_error_says_what_is_not_known(engine, row: str, error: str):
    """So that whoever wrote the row can mend it."""
    assert _outcome(engine, ALICE, BIND, row).error == error


def test_the_lowest_place_explains(engine):
    """Of several rows with the settling word the first one by file and line is named."""
    rows = some_rows("*, *, *, bind:**, *, deny", "*, *, *, bind:/srv/**, *, deny")

    for order in (rows, rows[::-1]):
        (outcome,) = engine(order).outcomes(ALICE, [BIND])
        assert outcome.row == rows[0]


def test_no_rows_allow_nothing(engine):
    """Casbin evaluates an empty policy once with empty fields; it never sees one here."""
    assert _outcome(engine, ALICE, BIND) == Outcome(BIND, None)


def test_a_name_is_no_role(engine):
    """Casbin's own g(x, x) is true; the names of callers are typed, so none is a role's."""
    stranger = ALICE._replace(held=frozenset({"user:role:dev", "cert:role:dev"}))

    assert _outcome(engine, stranger, BIND, "role:dev, *, *, bind:**, *, allow").row is None


def test_values_are_not_part_of_the_matcher(engine):
    """What a request or a row holds is never parsed."""
    text = 'x" || true || p.sub == "'
    fact = Fact("bind", text)

    assert _outcome(engine, ALICE, fact, "*, *, *, bind:y, *, allow").row is None
    assert _outcome(
        engine, ALICE, fact, f"*, *, *, bind:{text.replace('|', '?')}, *, allow"
    ).allowed


def test_several_threads_may_ask(engine):
    """The matcher is parsed by one thread at a time, and answers are not mixed up."""
    asked = engine(some_rows(*(f"*, *, *, bind:/{n}, *, allow" for n in range(20))))

    def ask(number: int) -> bool:
        facts = [Fact("bind", f"/{number % 40}")]
        (outcome,) = asked.outcomes(ALICE, facts)
        return outcome.allowed is (number % 40 < 20)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_nearest_rows(engine):
    """Allow rows of the caller that name a kind, in order; never those for every kind."""
    rows = some_rows(
        "*, *, *, bind:/a|/b|net:x, *, allow",
        "role:ops, *, *, bind:/c, *, allow",
        "*, *, *, bind:/d, *, deny",
        "role:dev, acme, container.create, bind.rw:/e|bind:/e, tls=none, allow",
        "*, *, *, **, *, allow",
        "*, *, *, net:y, *, allow",
    )
    asked = engine(rows)

    assert [row.id for row in asked.nearest(ALICE, {"bind"}, 5)] == ["1", "4"]
    assert [row.id for row in asked.nearest(ALICE, {"bind", "net"}, 2)] == ["1", "4"]
    assert [row.id for row in asked.nearest(ALICE, {"net"}, 5)] == ["1", "6"]
    assert asked.nearest(ALICE, {"pid"}, 5) == ()


def test_plans_are_kept_within_bounds():
    """A million callers leave no more behind than the last few."""
    engine = Engine(some_rows("*, *, *, bind:**, *, allow"))

    for number in range(PLANS + 50):
        engine.outcomes(ALICE._replace(held=frozenset({f"user:{number}"})), [BIND])

    assert engine._plan.cache_info().currsize == PLANS


def test_callers_with_the_same_roles_are_told_apart():
    """What fills a placeholder is part of who asks."""
    engine = Engine(some_rows("*, *, *, bind:/home/{name}/**, *, allow"))
    home = [Fact("bind", "/home/alice/x")]

    for name, allowed in (("alice", True), ("bob", False), ("alice", True)):
        (outcome,) = engine.outcomes(ALICE._replace(fill=Fill({"name": name})), home)
        assert outcome.allowed is allowed


def test_a_condition_is_found_out_once_for_a_request():
    """However many rows and facts ask for it."""
    asked = []

    class Context(dict):
        def get(self, key, default=None):
            asked.append(key)
            return super().get(key, default)

    rows = some_rows(*(f"*, *, *, bind:/{n}/**, door=plugin, deny" for n in range(9)))
    asking = ALICE._replace(context=Context(door="plugin"))

    outcomes = Engine(rows).outcomes(asking, [Fact("bind", f"/{n}/x") for n in range(9)])

    assert [outcome.word for outcome in outcomes] == [Word.DENY] * 9
    assert asked == ["door"]


def test_the_same_fact_has_the_same_outcome():
    """What was said once is not found out again, but for secrets, and where a condition counts."""
    engine = Engine(
        some_rows("role:dev, *, *, net:**, *, allow", "role:dev, *, *, bind:**, door=plugin, allow")
    )
    plain, secret = Fact("net", "a"), Fact("net", "a=b")

    first = engine.outcomes(ALICE, [plain, secret, BIND])
    again = engine.outcomes(ALICE, [plain, secret, BIND])
    elsewhere = engine.outcomes(ALICE._replace(context={"door": "proxy"}), [plain, secret, BIND])

    assert first == again
    assert [a is b for a, b in zip(first, again, strict=True)] == [True, False, False]
    assert [each.allowed for each in elsewhere] == [True, True, False]


def test_it_is_known_what_conditions_ask_for():
    """Whoever has to find something out can leave out what no row asks for."""
    rows = some_rows(
        "*, *, *, bind:**, name=a & label.x!=b, deny", "*, *, *, net:**, until=2027-01-01, allow"
    )

    assert Engine(rows).asked == {"name", "label.x"}
