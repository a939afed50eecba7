"""What one caller needs of an index: merged, in order, and left as early as can be."""

from __future__ import annotations

from authz.facts.facts import Fact
from authz.policy import plan as module
from authz.policy.bucket import Filling
from authz.policy.combine import combine
from authz.policy.decision import Outcome, Row
from authz.policy.placeholder import Fill
from authz.policy.plan import Lookup, Plan
from authz.policy.row_check import pattern_of
from tests.policies import some_rows

HOLDS = {"door=a": True, "door=b": False, "door=c": None}


def _block(*texts: str, start: int = 0) -> dict:
    """Return rows as a block; their order begins at ``start``."""
    fillings: dict[str, Filling] = {}
    for order, row in enumerate(some_rows(*texts), start):
        pattern = pattern_of(row.fact)
        when = None if row.when == "*" else row.when
        if pattern.everything:
            fillings.setdefault("**", Filling()).everything(order, when, row)
        for kind in pattern.kinds:
            own = [each for each in pattern.alternatives if each.kind == kind]
            fillings.setdefault(kind, Filling()).add(order, pattern, own, when, row)
    return {kind: filling.bucket() for kind, filling in fillings.items()}


def _ids(*rows: Row | None) -> list[str]:
    return [row.id if row else "" for row in rows]


def _settled(value: str, *texts: str, kind: str = "bind") -> list[str]:
    return _ids(*Plan([_block(*texts)], Fill({}))[kind].settle(value, HOLDS))


def test_the_first_in_order_settles():
    """Wherever in the index it stands."""
    rows = [f"*, *, *, bind:{text}, *, deny" for text in ("**/y", "/x/**", "/x/y", "/x/*", "/*/y")]

    for first in range(len(rows)):
        assert _settled("/x/y", *rows[first:]) == ["1", ""]


def test_conditions_count():
    """What does not hold is passed over, what is not known is a doubt if it takes away."""
    texts = ["bind:/x, door=b, never", "bind:/x, door=c, except", "bind:/x, door=c, deny"]
    rows = [f"*, *, *, {text}" for text in texts]

    assert _settled("/x", *rows) == ["", "3"]
    assert _settled("/x", *rows, "*, *, *, bind:/x, door=a, allow") == ["4", "3"]
    assert _settled("/x", "*, *, *, bind:/x, *, never", *rows) == ["1", ""]


def test_the_strongest_doubt_is_named():
    """Of several."""
    rows = [f"*, *, *, bind:{text}, door=c, deny" for text in ("*/x", "/x", "/**")]

    assert _settled("/x", *rows) == ["", "1"]
    assert _settled("/x", *rows[::-1]) == ["", "1"]


def test_a_doubt_weaker_than_what_is_certain_does_not_matter():
    """It would not have been reached."""
    rows = ["*, *, *, bind:/**, *, never", "*, *, *, bind:/x, door=c, deny"]

    assert _settled("/x", *rows) == ["1", ""]


def test_unknown_is_found_only_where_it_is_written():
    """By no glob, list or row for everything."""
    texts = ("bind:**", "bind:!/x", "bind:u*", "bind:{uid}", "**")

    assert _settled("unknown", *(f"*, *, *, {text}, *, deny" for text in texts)) == ["", ""]
    assert _settled("unknown", "*, *, *, bind:unknown, *, deny") == ["1", ""]


def test_rows_for_every_kind_leave_some_out():
    """Two kinds must be named."""
    row = "*, *, *, **, *, allow"

    assert _settled("x", row, kind="net") == ["1", ""]
    assert _settled("x", row, kind="field.unknown") == ["", ""]


def test_short_values_and_long_prefixes():
    """A value is not looked up at lengths that it does not have."""
    rows = ("*, *, *, bind:/x/**, *, deny", "*, *, *, bind:/x/y/z/**, *, deny")

    assert _settled("/x/y", *rows) == ["1", ""]
    assert _settled("/", *rows) == ["", ""]


def test_ranges_count():
    """Like everything else, in order."""
    rows = ("*, *, *, port:80/tcp, *, deny", "*, *, *, port:*, *, allow")

    assert _settled("80/tcp", *rows, kind="port") == ["1", ""]
    assert _settled("80/udp", *rows, kind="port") == ["2", ""]


def test_several_blocks_are_one():
    """The caller's, his roles' and everybody's."""
    weak = _block("*, *, *, bind:*/x, *, allow", "*, *, *, net:a, *, allow", start=7)
    strong = _block("*, *, *, bind:/*/x, *, deny", "*, *, *, bind:a*, *, allow", start=1)
    plan = Plan([weak, strong], Fill({}))

    assert plan["bind"].settle("/a/x", {})[0].word == "deny"
    assert plan["bind"] is plan["bind"]
    assert _ids(*plan.allowing(["bind", "net"])) == ["2", "1", "2"]


def test_long_lists_are_not_copied_for_each_caller(monkeypatch):
    """They are asked one after the other instead, to the same effect."""
    blocks = [_block("*, *, *, bind:*/x, *, allow", start=7), _block("*, *, *, bind:*x, *, deny")]
    buckets = [block["bind"] for block in blocks]
    merged = Lookup(buckets).settle("/x", {})

    monkeypatch.setattr(module, "_MERGED", 1)
    apart = Lookup(buckets)

    assert [
        entries is bucket.always for entries, bucket in zip(apart._always, buckets, strict=True)
    ]
    assert apart.settle("/x", {}) == merged


def test_small_tables_are_one_for_a_caller(monkeypatch):
    """Looked up once, to the same effect as one after the other."""
    blocks = [
        _block("*, *, *, bind:/x|/y|/z/**, *, allow", start=7),
        _block("*, *, *, bind:/x|/z/**, *, deny", "*, *, *, bind:/a, *, allow"),
    ]
    buckets = [block["bind"] for block in blocks]
    merged = Lookup(buckets)

    monkeypatch.setattr(module, "_MERGED", 1)
    apart = Lookup(buckets)

    assert [len(merged._exact), len(apart._exact)] == [1, 2]
    for value in ("/x", "/y", "/z", "/z/a", "/a", "/b"):
        assert merged.settle(value, {}) == apart.settle(value, {})


def test_small_trees_are_one_for_a_caller(monkeypatch):
    """A value is read once, to the same effect."""
    blocks = [
        _block("*, *, *, port:80/tcp|90/udp, *, allow", start=7),
        _block("*, *, *, port:1-80/*, *, deny"),
    ]
    buckets = [block["port"] for block in blocks]
    merged = Lookup(buckets)

    monkeypatch.setattr(module, "_MERGED", 1)
    apart = Lookup(buckets)

    assert [len(merged._ranges), len(apart._ranges)] == [1, 2]
    for value in ("80/tcp", "80/udp", "90/udp", "90/tcp", "http"):
        assert merged.settle(value, {}) == apart.settle(value, {})


def test_placeholders_are_filled_for_the_caller():
    """Once, and only where there are any."""
    block = _block("*, *, *, bind:/home/{name}/**, *, allow")

    for name, found in (("ann", "1"), ("bob", "")):
        lookup = Plan([block], Fill({"name": name}))["bind"]
        assert _ids(*lookup.settle("/home/ann/x", {})) == [found, ""]


def test_few_outcomes_are_remembered():
    """Whoever asks for ever new values takes no memory by that."""
    plan = Plan([], Fill({}))
    for number in range(3 * module.SETTLED):
        plan.remember(Outcome(Fact("net", str(number)), None))

    assert 0 < len(plan.settled) <= module.SETTLED


def test_few_decisions_are_remembered_and_only_settled_ones():
    """One in which an outcome is another one each time could be another one next time."""
    plan = Plan([], Fill({}))
    for number in range(3 * module.DECIDED):
        outcome = Outcome(Fact("net", str(number)), None)
        plan.keep(combine((outcome,)))
        assert (outcome.fact,) not in plan.decided

        plan.remember(outcome)
        plan.keep(combine((outcome,)))
        assert plan.decided[outcome.fact,].outcomes == (outcome,)

    assert 0 < len(plan.decided) <= module.DECIDED
