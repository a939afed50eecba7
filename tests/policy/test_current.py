"""The policy in force: replaced as a whole, or not at all."""

import threading
import weakref

import pytest

from authz.errors import PolicyError
from authz.facts.facts import Fact, Facts
from authz.identity.identity import Identity
from authz.policy import current
from authz.policy.current import CurrentPolicy
from authz.policy.grants import Grants
from tests.policies import CREATE_ROW, a_bundle

OTHER_ROW = "p, role:dev, *, container.create, on:own, *, allow\n"


def test_without_a_policy_there_is_no_service(tmp_path):
    """The first load has to succeed."""
    with pytest.raises(PolicyError):
        CurrentPolicy(str(tmp_path / "none"))


def test_a_reload_puts_the_new_policy_in_force(tmp_path):
    """It is returned; who holds the old one keeps it."""
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    held = policy.snapshot
    a_bundle(tmp_path, policy=CREATE_ROW + OTHER_ROW)

    loaded = policy.reload()

    assert policy.snapshot is loaded
    assert loaded.digest != held.digest
    assert len(held.bundle.rows) + 1 == len(loaded.bundle.rows)


def test_a_policy_is_proved_without_what_is_granted(tmp_path):
    """A reload during an incident neither fails nor passes because of a grant."""
    held, seen = Grants(), []
    policy = CurrentPolicy(
        str(a_bundle(tmp_path)), lambda snapshot: seen.append(snapshot.grants), held
    )
    policy.reload()

    assert policy.snapshot.grants is held
    assert len(seen) == 2
    assert held not in seen


def test_a_broken_policy_changes_nothing(tmp_path):
    """The good one stays, the problem is remembered until a load succeeds."""
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    held = policy.snapshot
    a_bundle(tmp_path, policy="nonsense\n")

    with pytest.raises(PolicyError):
        policy.reload()
    broken = (policy.snapshot, policy.problem)
    a_bundle(tmp_path)
    policy.reload()

    assert broken[0] is held
    assert broken[1].startswith("1 problem, at ")
    assert policy.problem == ""


@pytest.mark.parametrize(
    ("error", "problem"), [(MemoryError(), "MemoryError"), (OSError("gone"), "gone")]
)
def test_whatever_fails_changes_nothing(tmp_path, monkeypatch, error, problem):
    """A load can fail in ways that no one foresaw."""
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    held = policy.snapshot

    def broken(_reference, **_how):
        raise error

    monkeypatch.setattr(current, "load_bundle", broken)
    with pytest.raises(type(error)):
        policy.reload()

    assert policy.snapshot is held
    assert policy.problem == problem


def test_the_policy_that_was_read_last_stays(tmp_path, monkeypatch):
    """Of two reloads at once the first cannot end behind the second."""
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    reading, go = threading.Event(), threading.Event()
    load = current.load_bundle

    def slow(reference, **how):
        found = load(reference, **how)
        reading.set()
        assert go.wait(10)
        return found

    monkeypatch.setattr(current, "load_bundle", slow)
    first = threading.Thread(target=policy.reload)
    first.start()
    assert reading.wait(10)
    a_bundle(tmp_path, policy=CREATE_ROW + OTHER_ROW)
    second = threading.Thread(target=policy.reload)
    second.start()
    second.join(0.1)
    go.set()
    for thread in (first, second):
        thread.join(10)

    assert policy.snapshot.digest == CurrentPolicy(str(tmp_path)).snapshot.digest


def test_the_old_policy_goes_when_nobody_judges_by_it(tmp_path, monkeypatch):
    """Without any help of the collector, which does not look at policies."""
    monkeypatch.setattr(current, "POLL", 0.001)
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    held = policy.snapshot
    engine = weakref.ref(held.engine)

    policy.reload()
    in_use = engine()
    del held
    policy._retiring.join(10)

    assert in_use is not None
    del in_use
    assert engine() is None


def test_a_policy_that_is_never_let_go_does_not_stop_reloads(tmp_path, monkeypatch):
    """Whoever holds it longer than a request may take pays for its end himself."""
    monkeypatch.setattr(current, "LONGEST", 0.01)
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    held = policy.snapshot

    policy.reload()
    policy.reload()

    assert held.bundle.rows


def test_a_policy_has_all_its_parts(tmp_path):
    """Those of which there may be many."""
    snapshot = CurrentPolicy(str(a_bundle(tmp_path))).snapshot

    parts = snapshot.parts()

    for some in (snapshot.bundle.rows, snapshot.bundle.links, snapshot.engine._blocks.values()):
        assert all(any(one is part for part in parts) for one in some)


def test_no_decision_is_of_a_mixture(tmp_path):
    """Two facts that change places: one of them is allowed at any time, never both or none."""
    bundles = [f"p, *, *, container.create, on:{word}, *, allow\n" for word in ("new", "own")]
    policy = CurrentPolicy(str(a_bundle(tmp_path, policy=bundles[0], people="")))
    facts = Facts("container.create", (Fact("on", "new"), Fact("on", "own")))
    seen, ended = set(), threading.Event()

    def judge():
        while not ended.is_set():
            decision = policy.snapshot.judge(Identity("user:ann"), facts, {})
            seen.add(tuple(outcome.allowed for outcome in decision.outcomes))

    judging = threading.Thread(target=judge)
    judging.start()
    for number in range(1, 21):
        a_bundle(tmp_path, policy=bundles[number % 2], people="")
        policy.reload()
    ended.set()
    judging.join()

    assert seen == {(True, False), (False, True)}


def test_a_change_counts_once_it_has_come_to_rest(tmp_path):
    """Not while files are still being written, and once only."""
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    rules = tmp_path / "policy.csv"

    before = policy.changed()
    rules.write_text(CREATE_ROW * 2)
    moving = policy.changed()
    rules.write_text(CREATE_ROW + OTHER_ROW)
    moving_on = policy.changed()
    resting = policy.changed()
    policy.reload()

    assert (before, moving, moving_on, resting) == (False, False, False, True)
    assert not policy.changed()


def test_what_was_refused_is_not_read_again_and_again(tmp_path):
    """Until somebody has mended it."""
    policy = CurrentPolicy(str(a_bundle(tmp_path)))
    (tmp_path / "policy.csv").write_text("nonsense\n")

    with pytest.raises(PolicyError):
        policy.reload()
    after = [policy.changed() for _ in range(3)]
    (tmp_path / "policy.csv").write_text(CREATE_ROW)
    mended = [policy.changed() for _ in range(2)]

    assert after == [False, False, False]
    assert mended == [False, True]
