"""Learning and explaining, on requests that nobody thought of: what they write allows them."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.audit.record import Mode
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect
from authz.policy.snapshot import compile_snapshot
from authz.tools.explain import explain
from authz.tools.learn.bundle import folder_of
from authz.tools.learn.lesson import Lesson
from authz.tools.learn.rows import drafted
from tests.policies import a_bundle
from tests.records import a_create, a_record, a_snapshot, read_back

pytestmark = pytest.mark.property

NAMES = st.text("abc,|*?! {}#-_.é", min_size=1, max_size=8)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map(
    lambda parts: "/srv/" + "/".join(parts)
)
HOSTS = st.fixed_dictionaries(
    {},
    optional={
        "Mounts": st.lists(
            st.builds(lambda path: {"Type": "bind", "Source": path, "Target": "/x"}, PATHS),
            max_size=2,
        ),
        "ExtraHosts": st.lists(NAMES.map(lambda name: f"{name.strip() or 'a'}:10.0.0.1")),
        "Dns": st.lists(st.sampled_from(["1.1.1.1", "::1"]), max_size=2),
        "Sysctls": st.dictionaries(st.sampled_from(["net.a", "kernel.b"]), NAMES, max_size=2),
        "CapAdd": st.lists(st.sampled_from(["NET_ADMIN", "CHOWN", "ALL"]), max_size=2),
        "Privileged": st.booleans(),
        "PidMode": st.sampled_from(["", "host"]),
        "Annotations": st.dictionaries(NAMES, NAMES, max_size=2),
        "GroupAdd": st.lists(NAMES, max_size=2),
    },
)
CALLERS = st.sampled_from(
    [
        Identity("user:alice", proof=Proof.PEER),
        Identity("cert:ci", tenant="red"),
        Identity("token:x"),
    ]
)
OBSERVE = a_snapshot("builtin:observe")


def recorded(host, identity):
    """Return the record of a create in shadow mode, if the gate can read it at all."""
    return read_back(a_record(OBSERVE, body=a_create(**host), identity=identity, mode=Mode.SHADOW))


@given(st.lists(st.tuples(HOSTS, CALLERS), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_what_was_learned_allows_what_was_done(uses):
    """Every request, of everybody, whatever characters are in it."""
    records = [recorded(*use) for use in uses]
    lesson = Lesson()
    lesson.read(records)
    learned = drafted(lesson.uses, lesson.unguarded)
    with tempfile.TemporaryDirectory() as folder:
        folder_of(lesson, learned).write(Path(folder, "b"))
        snapshot = compile_snapshot(load_bundle(Path(folder, "b")))
    assert learned.unspeakable == ()
    for record in records:
        if record.facts:
            assert record.judge(snapshot).effect is Effect.ALLOW


@given(HOSTS, CALLERS)
@settings(max_examples=40, deadline=None)
def test_what_is_proposed_allows_what_was_denied(host, identity):
    """Nothing more is needed, where no row forbids it."""
    record = recorded(host, identity)
    advice = explain(record, OBSERVE).advice
    if advice is None or advice.forbidden:
        return
    assert advice.obstacle == ""
    rows = "".join(f"{row}\n" for row in advice.proposal)
    with tempfile.TemporaryDirectory() as folder:
        snapshot = a_snapshot(a_bundle(Path(folder), policy=rows, people=""))
    assert record.judge(snapshot).effect is Effect.ALLOW
