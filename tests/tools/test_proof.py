"""A policy's own tests decide whether it comes in force. How a case is judged is the CLI's test."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.errors import PolicyError
from authz.policy.bundle import load_bundle
from authz.policy.current import CurrentPolicy
from authz.policy.snapshot import compile_snapshot
from authz.tools.proof import CASES, prove
from tests.policies import a_bundle

PING = '[[case]]\nname = "{name}"\nrequest = "GET /_ping"\nexpect = "{expect}"\n'


def _site(root: Path, *expected: str) -> Path:
    cases = "".join(PING.format(name=f"ping {n}", expect=each) for n, each in enumerate(expected))
    return a_bundle(root, files={CASES: cases} if cases else {})


def test_tests_that_hold_prove_a_policy(tmp_path: Path):
    """Nothing is said; nor is it of a policy without any."""
    prove(compile_snapshot(load_bundle(_site(tmp_path / "a", "allow"))))
    prove(compile_snapshot(load_bundle(_site(tmp_path / "b"))))


def test_every_test_that_fails_is_told(tmp_path: Path):
    """With its place, and what came instead."""
    snapshot = compile_snapshot(load_bundle(_site(tmp_path, "deny", "allow", "refuse")))

    with pytest.raises(PolicyError) as caught:
        prove(snapshot)

    assert [(p.location.file, p.location.line, p.message) for p in caught.value.problems] == [
        (str(tmp_path / CASES), 1, 'the test "ping 0" fails: expected deny, got allow'),
        (str(tmp_path / CASES), 9, 'the test "ping 2" fails: expected refuse, got allow'),
    ]


def test_a_test_that_tells_too_little_is_told_so(tmp_path: Path):
    """The message has no id, of which there would be no record."""
    case = PING.format(name="stop", expect="allow").replace("GET /_ping", "POST /containers/w/stop")
    snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, files={CASES: case})))

    with pytest.raises(PolicyError) as caught:
        prove(snapshot)

    assert caught.value.problems[0].message.endswith(
        "expected allow, got deny: dockgate: denied: on:unknown for user:anonymous: "
        "no row allows it; nothing is given of container w"
    )


def test_a_policy_that_fails_its_tests_does_not_come_in_force(tmp_path: Path):
    """The one before stays."""
    policy = CurrentPolicy(str(_site(tmp_path, "allow")), prove)
    held = policy.snapshot
    _site(tmp_path, "deny")

    with pytest.raises(PolicyError):
        policy.reload()

    assert policy.snapshot is held
    assert "tests.toml" in policy.problem
