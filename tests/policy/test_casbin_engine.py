"""What Casbin does wrong by itself. How rows are evaluated is tested for both engines at once."""

from __future__ import annotations

import logging

import pytest

from authz.facts.facts import Fact
from authz.policy.asking import Asking
from authz.policy.casbin_engine import Engine
from authz.policy.placeholder import Fill
from tests.policies import some_rows

ALICE = Asking(
    held=frozenset({"user:alice", "role:dev"}),
    domain="acme",
    names=frozenset({"container.create", "container.*", "site.all"}),
    fill=Fill({"name": "alice"}),
    context={"door": "plugin", "image": "a.b/c"},
)
BIND = Fact("bind", "/srv/x")


def test_requests_leave_nothing_behind():
    """Unknown subjects and tenants are not kept by a role manager."""
    engine = Engine(some_rows("*, *, *, bind:**, *, allow"))
    for number in range(50):
        asking = ALICE._replace(held=frozenset({f"user:{number}"}), domain=f"t{number}")
        engine.outcomes(asking, [BIND])

    managers = [engine._enforcer.model["g"][name].rm for name in ("g", "g2")]
    assert [vars(manager) for manager in managers] == [{}, {}]


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture):
    """Casbin would log each denied request in words of its own."""
    caplog.set_level(logging.DEBUG)

    for row in ("*, *, *, net:**, *, allow", "*, *, *, bind:**, *, deny"):
        Engine(some_rows(row)).outcomes(ALICE, [BIND])

    assert [record for record in caplog.records if record.name.startswith("casbin")] == []


def test_an_answer_that_contradicts_its_row_is_a_defect(monkeypatch: pytest.MonkeyPatch):
    """Were Casbin to allow by a deny row, nothing would be answered."""
    engine = Engine(some_rows("*, *, *, bind:**, *, deny"))
    (rule, line), *_ = engine.candidates(ALICE)
    monkeypatch.setattr(engine._enforcer, "enforce_ex", lambda *_: (True, line))

    with pytest.raises(AssertionError, match="Casbin's answer True is not that of 1"):
        engine.outcomes(ALICE, [BIND])
    assert rule.takes
