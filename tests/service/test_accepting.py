"""What a policy has to pass before it comes in force."""

import gc
import weakref

import pytest
from structlog.testing import capture_logs

from authz.errors import PolicyError
from authz.policy.bundle import load_bundle
from authz.policy.current import CurrentPolicy
from authz.policy.snapshot import compile_snapshot
from authz.service.accepting import accept
from tests.policies import a_bundle
from tests.policy.models.samples import files_of

OWN = {"m": "r.sub == p.sub && r.act == p.act && keyMatch(r.obj, p.obj)"}
OPEN = "p, user:ann, container.create, *, allow\n"
CASE = '[[case]]\nname = "ping"\nrequest = "GET /_ping"\nexpect = "allow"\n'


def accepted(root, *, tests="", **files):
    """Write a bundle and let it pass; return what the log says."""
    files["files"] = {"tests.toml": tests} if tests else {}
    snapshot = compile_snapshot(load_bundle(a_bundle(root, **files)))
    with capture_logs() as logs:
        accept(snapshot)
    return logs


def test_what_a_model_of_its_own_leaves_open_is_logged(tmp_path):
    """And what it does not is not; nor is the reviewed model looked at."""
    (line,) = accepted(tmp_path / "open", **files_of({**OWN, "rows": OPEN}))
    assert (line["event"], line["log_level"]) == ("policy.exposed", "warning")
    assert line["problem"].startswith('policy.csv:1:1: "user:ann" may mount /run/docker.sock, ')
    closed = OPEN.replace("*", "image:*")
    assert accepted(tmp_path / "closed", **files_of({**OWN, "rows": closed})) == []
    assert accepted(tmp_path / "reviewed", tests=CASE) == []


def test_a_test_that_fails_keeps_it_out(tmp_path):
    """Whatever else there is to say."""
    with pytest.raises(PolicyError):
        accepted(tmp_path, tests=CASE, **files_of({**OWN, "rows": OPEN}))


def test_a_policy_whose_tests_refuse_something_is_let_go_of(tmp_path):
    """What was refused keeps no policy: nobody collects a cycle of a load."""
    refused = CASE.replace("_ping", "nothing").replace("allow", "refuse")
    root = a_bundle(tmp_path, files={"tests.toml": refused})
    policy = CurrentPolicy(str(root), accept)
    engine = weakref.ref(policy.snapshot.engine)
    gc.disable()
    try:
        policy.reload()
        policy._retiring.join(10)
        assert engine() is None
    finally:
        gc.enable()
