"""What rows of another model say; tests/differential compares it with stock Casbin."""

import gc
import weakref

import pytest

from authz.errors import PolicyError, Reason, RefusedError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity
from authz.policy.bundle import load_bundle
from authz.policy.current import CurrentPolicy
from authz.policy.decision import Effect, Word
from authz.policy.snapshot import compile_snapshot
from tests.policies import a_bundle
from tests.policy.models.samples import files_of

ALLOW = "p, user:ann, image.pull, on:new, allow\n"
BOTH = "p, user:ann, image.pull, bind:/x/*, {}\n"
KEYS = "r.sub == p.sub && r.act == p.act && keyMatch(r.obj, p.obj)"


@pytest.fixture
def judged(tmp_path):
    """Return a function that judges one fact by a bundle of its own."""

    def judge(fact, *, who="user:ann", groups=(), tenant="", context=None, **written):
        snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, **files_of(written))))
        facts = Facts("image.pull", (Fact(*fact.split(":", 1)),))
        decision = snapshot.judge(Identity(who, groups, tenant), facts, context or {})
        (outcome,) = decision.outcomes
        return decision.effect, outcome

    return judge


def test_a_row_allows_and_nothing_else_does(judged):
    """No rule, no grant."""
    effect, outcome = judged("on:new", rows=ALLOW)
    assert (effect, outcome.row.location.line) == (Effect.ALLOW, 1)
    assert judged("on:own", rows=ALLOW) == (Effect.DENY, (Fact("on", "own"), None, None, ""))
    assert judged("on:new", rows=ALLOW, who="user:bob")[0] is Effect.DENY


def test_the_effect_says_which_row_settles(judged):
    """The last one that allows, the first one that denies, or the first of all."""
    rows = BOTH.format("allow") + BOTH.format("allow") + BOTH.format("deny") + BOTH.format("deny")
    first = {"e": "priority(p.eft) || deny", "m": KEYS}
    assert judged("bind:/x/a", rows=rows, m=KEYS)[1].row.location.line == 3
    assert judged("bind:/x/a", rows=rows[: len(rows) // 2], m=KEYS)[1].row.location.line == 2
    assert judged("bind:/x/a", rows=rows, **first)[1].row.location.line == 1
    only = {"e": "some(where (p.eft == allow))", "m": KEYS}
    assert judged("bind:/x/a", rows=rows[: len(rows) // 2], **only)[1].row.location.line == 1


def test_a_priority_is_a_number(judged):
    """9 before 10, whatever stands first."""
    rows = "".join(
        f"p, {priority}, user:ann, image.pull, on:new, {word}\n"
        for priority, word in ((10, "allow"), (9, "deny"))
    )
    written = {"p": "priority, sub, act, obj, eft", "e": "priority(p.eft) || deny"}
    assert judged("on:new", rows=rows, **written)[1].word is Word.DENY


def test_groups_are_links_of_their_caller(judged):
    """For ``g``; ``==`` compares with the caller alone."""
    written = {"g": {"g": "_, _"}, "m": "g(r.sub, p.sub) && r.act == p.act && r.obj == p.obj"}
    rows = "p, group:os/dev, image.pull, on:new, allow\np, role:ops, image.pull, on:own, allow\n"
    people = "g, group:os/dev, role:ops\n"
    groups = ("group:os/dev",)
    assert judged("on:new", groups=groups, rows=rows, people=people, **written)[0] is Effect.ALLOW
    assert judged("on:own", groups=groups, rows=rows, people=people, **written)[0] is Effect.ALLOW
    assert judged("on:own", rows=rows, people=people, **written)[0] is Effect.DENY


def test_roles_belong_to_a_tenant(judged):
    """Where the role definition has three places."""
    written = {
        "r": "sub, dom, act, obj",
        "g": {"g": "_, _, _"},
        "m": "g(r.sub, p.sub, r.dom) && r.act == p.act && r.obj == p.obj",
        "rows": "p, role:dev, image.pull, on:new, allow\n",
        "people": "g, user:ann, role:dev, acme\n",
    }
    assert judged("on:new", tenant="acme", **written)[0] is Effect.ALLOW
    assert judged("on:new", **written)[0] is Effect.DENY


@pytest.mark.parametrize(
    ("matcher", "row", "people"),
    [
        ("g2(r.act, p.act) && r.obj == p.obj", "pulling, on:new", "g2, image.pull, pulling\n"),
        ("r.act == p.act && g2(r.obj, p.obj)", "image.pull, any", "g2, on:new, any\n"),
    ],
)
def test_actions_and_facts_have_groups(judged, matcher, row, people):
    """By a role definition of their own."""
    written = {"g": {"g": "_, _", "g2": "_, _"}, "m": f"g(r.sub, p.sub) && {matcher}"}
    rows = f"p, user:ann, {row}, allow\n"
    assert judged("on:new", rows=rows, people=people, **written)[0] is Effect.ALLOW
    assert judged("on:own", rows=rows, people=people, **written)[0] is Effect.DENY


def test_another_kind_is_not_written_out_by_a_longer_one(judged):
    """Whoever lets a reach into unknown binds go has not spoken of making them."""
    m = "r.sub == p.sub && r.act == p.act && eval(p.rule)"
    rows = (
        "p, user:ann, image.pull, "
        'keyMatch(r.obj, "bind:*") || r.obj == "target.bind:unknown", allow\n'
    )
    shape = {"p": "sub, act, rule, eft", "m": m, "rows": rows}

    assert judged("bind:/x", **shape)[0] is Effect.ALLOW
    assert judged("target.bind:unknown", **shape)[0] is Effect.ALLOW
    assert judged("bind:unknown", **shape)[0] is Effect.DENY


@pytest.mark.parametrize("fact", ["bind:unknown", "field.unknown:X", "body.opaque:build"])
def test_what_is_not_known_has_to_be_written_out(judged, fact):
    """A pattern gives nothing that nobody could tell; it does take it away."""
    everything = "p, user:ann, image.pull, *, {}\n"
    assert judged(fact, rows=everything.format("allow"), m=KEYS)[0] is Effect.DENY
    own = f"p, user:ann, image.pull, {fact}, allow\n"
    assert judged(fact, rows=own, m=KEYS)[0] is Effect.ALLOW
    both = own + everything.format("deny")
    assert judged(fact, rows=both, m=KEYS)[1].word is Word.DENY


def test_what_a_request_does_not_say_refuses_it(judged):
    """As Casbin fails; another row may settle it before."""
    written = {"r": "sub, act, obj, ctx", "m": f'{KEYS} && r.ctx.tls == "mutual"'}
    effect, outcome = judged("on:new", rows=ALLOW, **written)
    assert effect is Effect.REFUSE
    assert outcome.error == 'the row asks for "r.ctx.tls", which is not known'
    assert judged("on:new", rows=ALLOW, context={"tls": "mutual"}, **written)[0] is Effect.ALLOW
    assert judged("on:own", rows=ALLOW, **written)[0] is Effect.DENY


@pytest.mark.parametrize("value", ["/x/y\n", "/x\ny"])
def test_a_line_break_refuses(judged, value):
    """Expressions of Casbin pass over it at the end, and ``/*`` stops at it elsewhere."""
    effect, outcome = judged(f"bind:{value}", rows=BOTH.format("allow"), m=KEYS)
    assert effect is Effect.REFUSE
    assert "line break" in outcome.error


def test_a_caller_cannot_be_a_role(judged):
    """Names that only policies give are no proof."""
    with pytest.raises(RefusedError) as caught:
        judged("on:new", who="role:dev")
    assert caught.value.reason is Reason.BAD_CREDENTIAL


def test_a_policy_ends_with_its_last_user(tmp_path):
    """Nothing in it refers to itself: the collector does not look at it again."""
    snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, **files_of({"m": KEYS}))))
    snapshot.judge(Identity("user:ann"), Facts("image.pull", (Fact("on", "new"),)), {})
    assert len(snapshot.parts()) == 3
    seen = weakref.ref(snapshot.brought)
    gc.disable()
    try:
        del snapshot
        assert seen() is None
    finally:
        gc.enable()


def test_a_bundle_is_reloaded_with_its_model(tmp_path):
    """From one model to another, and back to none that loads."""
    folder = a_bundle(tmp_path, **files_of({"rows": ALLOW}))
    current = CurrentPolicy(str(folder))
    facts = Facts("image.pull", (Fact("on", "own"),))
    assert current.snapshot.judge(Identity("user:ann"), facts, {}).effect is Effect.DENY
    a_bundle(tmp_path, **files_of({"rows": ALLOW.replace("on:new", "on:*"), "m": KEYS}))
    assert current.reload().judge(Identity("user:ann"), facts, {}).effect is Effect.ALLOW
    a_bundle(tmp_path, **files_of({"e": "nonsense"}))
    with pytest.raises(PolicyError):
        current.reload()
    assert current.snapshot.judge(Identity("user:ann"), facts, {}).effect is Effect.ALLOW
