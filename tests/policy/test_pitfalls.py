"""What goes wrong with a plain Casbin set-up, and does not here: one test for each.

The list is the one in the design's study of Casbin in Python; globs, callers and
threads have more tests in files of their own.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import casbin
import pytest

from authz.errors import PolicyError, RefusedError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity
from authz.policy.bundle import load_bundle
from authz.policy.casbin_engine import Engine as Oracle
from authz.policy.compiled import PLANS
from authz.policy.decision import Decision
from authz.policy.model_file import model_text
from authz.policy.roles import CACHED
from authz.policy.snapshot import Snapshot, compile_snapshot
from authz.policy.text import render_problems
from tests.policies import CREATE_ROW, a_bundle

ALICE = Identity("user:alice")
NOW = {"now": "2026-08-01T12:00:00+00:00"}
ALL = "p, *, *, *, bind:**|image:**|on:new, *, allow\n"


def _snapshot(root: Path, policy: str, people: str = "") -> Snapshot:
    return compile_snapshot(load_bundle(a_bundle(root, policy=policy, people=people)))


def _judge(snapshot: Snapshot, *facts: str, identity: Identity = ALICE, **more: str) -> Decision:
    found = tuple(Fact(*fact.split(":", 1)) for fact in facts)
    return snapshot.judge(identity, Facts("container.create", found), NOW | more)


def _refused(root: Path, **files: str | bytes) -> str:
    with pytest.raises(PolicyError) as caught:
        load_bundle(a_bundle(root, **files))
    return render_problems(caught.value.problems)


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ("Deny", 'verdict is "Deny"; expected never, except, deny or allow'),
        ("DENY", 'verdict is "DENY"'),
        ("deny # comment", "a comment stands on a line of its own"),
        ('"deny"', "quotes mean nothing here"),
        ("deny.", 'verdict is "deny."'),
    ],
)
def test_a_misspelt_verdict_is_an_error(tmp_path: Path, verdict: str, message: str):
    """1: Casbin ignores such a deny row, and an allow row elsewhere wins."""
    told = _refused(tmp_path, policy=f"{ALL}p, *, *, *, bind:/etc/**, *, {verdict}\n")

    assert message in told
    assert "policy.csv:2:" in told


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (f"P{ALL[1:]}{ALL}".encode(), 'policy.csv:1:1: row type is "P"; expected p, g or g2'),
        (b"\xef\xbb\xbf" + ALL.encode(), "policy.csv:1:1: the file starts with a byte-order mark"),
        (f"p2{ALL[1:]}".encode(), 'row type is "p2"'),
    ],
)
def test_a_row_of_no_known_type_is_an_error(tmp_path: Path, policy: bytes, message: str):
    """2: Casbin drops it silently, and so the first row after a byte-order mark."""
    assert message in _refused(tmp_path, policy=policy)


def test_a_new_policy_is_built_aside(tmp_path: Path):
    """3: while Casbin reloads, links are gone and banned users get through."""
    policy = f"{ALL}p, role:banned, *, *, **, *, deny\n"
    old = _snapshot(tmp_path / "old", policy, "g, user:alice, role:banned, *\n")

    new = _snapshot(tmp_path / "new", policy, "g, user:bob, role:banned, *\n")

    assert _judge(old, "on:new").effect == "deny"
    assert _judge(new, "on:new").effect == "allow"
    assert old.digest != new.digest


def test_rows_for_everything_count(tmp_path: Path):
    """4 and 5: the fast enforcer of Casbin never sees wildcard rows, and forgets the order."""
    snapshot = _snapshot(tmp_path, f"{ALL}p, *, *, *, **, *, deny\n")

    assert _judge(snapshot, "bind:/srv").effect == "deny"


def test_the_oracle_is_stock_casbin():
    """4 and 5: what the compiled engine is compared with is no fast enforcer either."""
    assert type(Oracle(())._enforcer) is casbin.Enforcer


def test_a_deny_is_inherited_over_any_depth(tmp_path: Path):
    """6: Casbin stops at ten hops without notice."""
    hops = "".join(f"g, role:r{n}, role:r{n + 1}, *\n" for n in range(40))
    policy = f"{ALL}p, role:r40, *, *, bind:/etc/**, *, deny\n"
    snapshot = _snapshot(tmp_path, policy, f"g, user:alice, role:r0, *\n{hops}")

    assert _judge(snapshot, "bind:/etc/passwd").effect == "deny"


def test_a_role_cycle_is_an_error(tmp_path: Path):
    """6: the other end of having no limit."""
    people = "g, role:dev, role:b, *\ng, role:b, role:dev, *\n"

    assert "role cycle: " in _refused(tmp_path, people=people)


def test_a_name_is_never_a_role(tmp_path: Path):
    """7: Casbin holds that everybody has the role of his own name."""
    snapshot = _snapshot(tmp_path, CREATE_ROW, "g, user:alice, role:dev, *\n")

    assert _judge(snapshot, "on:new", identity=Identity("cert:role:dev")).effect == "deny"
    with pytest.raises(RefusedError):
        _judge(snapshot, "on:new", identity=Identity("role:dev"))


@pytest.mark.parametrize("function", ["keyMatch", "keyMatch2", "regexMatch", "globMatch", "eval"])
def test_only_the_reviewed_model_is_read(tmp_path: Path, function: str):
    """8, 9, 10, 12, 13, 27: matchers of Casbin match more or less than they say."""
    model = model_text().replace("fact(r.obj, p.obj, r.ctx)", f"{function}(r.obj, p.obj)")

    assert "is not the reviewed model" in _refused(tmp_path, model=model)


def test_a_conditional_role_is_refused(tmp_path: Path):
    """13: beside one, Casbin replaces plain roles by equality of strings."""
    model = model_text().replace("g2 = _, _", "g2 = _, _, (_, _)")

    assert "is not the reviewed model" in _refused(tmp_path, model=model)


@pytest.mark.parametrize(
    ("pattern", "value"), [("/home/**", "/home/u/.ssh/id"), ("/home/*", "/home/.ssh")]
)
def test_a_deny_reaches_dot_files(tmp_path: Path, pattern: str, value: str):
    """10: globs of shells pass them by."""
    snapshot = _snapshot(tmp_path, f"{ALL}p, *, *, *, bind:{pattern}, *, deny\n")

    assert _judge(snapshot, f"bind:{value}").effect == "deny"


@pytest.mark.parametrize("policy", ["", "\n\n", "# nothing\n"])
def test_an_empty_policy_is_an_error(tmp_path: Path, policy: str):
    """11: Casbin evaluates it once with empty fields, and may allow everything."""
    told = _refused(tmp_path, policy=policy, people="", bundle="packs = []\n")

    assert "the policy has no p rows" in told


def test_rows_cannot_change_the_request(tmp_path: Path):
    """12: expressions in cells can; facts and their context are only compared."""
    snapshot = _snapshot(tmp_path, ALL)
    context = dict(NOW)
    facts = Facts("container.create", (Fact("on", "new"),), {"name": "x"})

    snapshot.judge(ALICE, facts, context)

    assert context == NOW
    assert facts == Facts("container.create", (Fact("on", "new"),), {"name": "x"})


def test_many_roles_load_again_and_again(tmp_path: Path):
    """14: Casbin's second load copies the graph of roles and runs out of stack."""
    people = "".join(f"g, user:u{n}, role:r{(n + k) % 60}, *\n" for n in range(300) for k in (0, 7))
    policy = "".join(f"p, role:r{n}, *, container.create, on:new, *, allow\n" for n in range(60))
    bundle = load_bundle(a_bundle(tmp_path, policy=policy, people=people))

    for _ in range(2):
        snapshot = compile_snapshot(bundle)

    assert _judge(snapshot, "on:new", identity=Identity("user:u299")).effect == "allow"


def test_unknown_subjects_and_tenants_are_not_kept(tmp_path: Path):
    """15: Casbin keeps every one of them for ever."""
    snapshot = _snapshot(tmp_path, ALL)

    for number in range(2 * max(PLANS, CACHED)):
        _judge(snapshot, "on:new", identity=Identity(f"user:u{number}", tenant=f"t{number}"))

    assert snapshot.engine._plan.cache_info().currsize == PLANS
    assert snapshot.callers._cached.cache_info().currsize == CACHED


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("p, *, *, bind:/etc/**, *, deny", "the row has 5 columns after p; expected 6"),
        ("p, *, *, *, bind:/etc/**, *, deny, 1", "the row has 7 columns after p; expected 6"),
        ("p, *, *, *, bind:/etc/**, *, ", "verdict is empty"),
        (", *, *, *, bind:/etc/**, *, deny", 'row type is ""'),
        ("p, *, *, *, bind:/e(tc/**, *, deny)", 'verdict is "deny)"'),
        ("p, *, *, *, bind:/etc/[a, *, deny", "the row has"),
        ('p, *, *, *, "bind:/x, /z", *, deny', "quotes mean nothing here"),
        ("p, *, *, *, bind:/etc/**, *, -1", 'verdict is "-1"'),
        ("p, *, *, *, bind:/etc/**, *, ²", 'verdict is "²"'),
    ],
)
def test_a_row_of_another_shape_is_an_error(tmp_path: Path, row: str, message: str):
    """17 to 20: Casbin fails at the request that reaches it, or reads other fields."""
    told = _refused(tmp_path, policy=f"{ALL}{row}\n".replace("[a, *, deny", "[a, *, x, deny"))

    assert message in told
    assert "policy.csv:2:" in told


def test_a_missing_key_is_not_known(tmp_path: Path):
    """21: Casbin raises; here nothing is allowed and a deny refuses."""
    allow = _snapshot(tmp_path / "a", "p, *, *, *, on:new, tls=mutual, allow\n")
    deny = _snapshot(tmp_path / "b", f"{ALL}p, *, *, *, on:new, tls!=mutual, deny\n")

    assert _judge(allow, "on:new").reason == "no_rule"
    assert _judge(deny, "on:new").reason == "rule_error"
    assert _judge(allow, "on:new", tls="mutual").effect == "allow"


def test_a_pattern_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """22: above 512 patterns Python compiles each of them for each request."""
    policy = "".join(f"p, *, *, *, bind:/srv/{n}/*/x, *, allow\n" for n in range(600))
    snapshot = _snapshot(tmp_path, policy)
    facts = [f"bind:/srv/{n}/y/x" for n in range(600)]
    first = _judge(snapshot, *facts)

    monkeypatch.setattr(re, "compile", None)

    assert _judge(snapshot, *facts) == first
    assert first.effect == "allow"


def test_a_request_with_many_values_is_not_slow(tmp_path: Path):
    """23 and 24: the evaluator of Casbin walks through every container that it touches."""
    snapshot = _snapshot(tmp_path, f"{ALL}p, *, *, *, bind:/{'*a' * 30}, *, deny\n")
    labels = {f"label.{n}": "x" * 100 for n in range(5000)}
    start = time.thread_time()

    _judge(snapshot, f"bind:{'a' * 4000}b", **labels)

    assert time.thread_time() - start < 0.2


@pytest.mark.parametrize(
    "value",
    ["p.example.com/x", "my-r.example.com/x", "a!b", "a&&b", "a#b", "m.example.com/g(x)"],
)
def test_values_are_never_rewritten(tmp_path: Path, value: str):
    """25 and 26: Casbin rewrites p. and r. inside literals, and words of its own."""
    snapshot = _snapshot(tmp_path, f"p, *, *, *, bind:/{value}, image=*/**, allow\n")

    assert _judge(snapshot, f"bind:/{value}", image="p.example.com/r.x").effect == "allow"
    assert _judge(snapshot, f"bind:/x{value}", image="p.example.com/r.x").effect == "deny"


def test_days_end_in_utc(tmp_path: Path):
    """28: Casbin compares with the local time of the host."""
    snapshot = _snapshot(tmp_path, "p, *, *, *, on:new, until=2026-08-01, allow\n")

    assert _judge(snapshot, "on:new", now="2026-08-02T01:00:00+02:00").effect == "allow"
    assert _judge(snapshot, "on:new", now="2026-08-01T23:00:00-02:00").effect == "deny"
