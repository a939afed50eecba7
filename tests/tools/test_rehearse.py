"""Rehearsals: the same gate, without asking anybody."""

from datetime import UTC, datetime

import pytest

from authz.errors import ConfigurationError
from authz.facts.questions import MISSING, Question, Topic
from authz.identity.identity import Identity
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect
from authz.policy.snapshot import compile_snapshot
from authz.tools.rehearse import answers_from, rehearse
from authz.wire.raw import RawRequest
from tests.policies import a_bundle

ALICE = Identity("user:alice")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Compile a small policy."""
    rows = (
        "# run: containers of one's own\n"
        "p, user:alice, *, container.exec, on:own, *, allow\n"
        "# no-root: not as root\n"
        "p, *, *, *, exec.privileged:true, *, deny\n"
        "p, user:alice, *, system.info, on:host, until=2027-01-31, allow\n"
    )
    return compile_snapshot(
        load_bundle(a_bundle(tmp_path_factory.mktemp("b"), policy=rows, people=""))
    )


def execute(snapshot, body, given):
    """Rehearse an exec in the container web."""
    headers = (("Content-Type", "application/json"),)
    raw = RawRequest("POST", "/v1.47/containers/web/exec", headers, body)
    return rehearse(raw, ALICE, snapshot, answers_from(given))


def test_given_answers_count(snapshot):
    """The owner is known, so the row fits."""
    found = execute(snapshot, b'{"Cmd":["sh"]}', {"container": {"web": {"owner": "user:alice"}}})
    assert found.verdict.effect is Effect.ALLOW
    assert (found.operation, "run" in found.because) == ("ContainerExec", True)


def test_what_nobody_told_is_unknown(snapshot):
    """And no row matches it by accident."""
    found = execute(snapshot, b'{"Cmd":["sh"]}', {})
    assert found.verdict.effect is Effect.DENY
    assert "on:unknown" in found.verdict.message


def test_because_names_the_rows_that_deny(snapshot):
    """Not those that allow."""
    given = {"container": {"web": {"owner": "user:alice"}}}
    found = execute(snapshot, b'{"Cmd":["sh"],"Privileged":true}', given)
    assert found.because == {"no-root"}


def test_because_of_a_refusal_is_its_reason(snapshot):
    """There are no rows."""
    found = rehearse(RawRequest("GET", "/v1.47/nothing"), ALICE, snapshot)
    assert found.because == {"unknown_route"}
    assert found.operation == ""


def test_conditions_see_the_given_time(snapshot):
    """A row with an end holds before it and not after."""
    raw = RawRequest("GET", "/v1.47/info")
    before = rehearse(raw, ALICE, snapshot, now=datetime(2027, 1, 31, tzinfo=UTC))
    after = rehearse(raw, ALICE, snapshot, now=datetime(2027, 2, 1, tzinfo=UTC))
    assert (before.verdict.effect, after.verdict.effect) == (Effect.ALLOW, Effect.DENY)


@pytest.mark.parametrize(
    ("given", "topic", "key", "expected"),
    [
        ({"volume": {"data": {"missing": True}}}, Topic.VOLUME, "data", MISSING),
        ({"daemon": {"OSType": "linux"}}, Topic.DAEMON, "", {"OSType": "linux"}),
        ({"path": {"/a": {"path": "/b"}}}, Topic.PATH, "/a", {"path": "/b"}),
        (
            {"exec": {"e1": {"container": "web", "user": "root"}}},
            *(Topic.EXEC, "e1"),
            {"ID": "e1", "ContainerID": "web", "ProcessConfig": {"user": "root"}},
        ),
        (
            {"image": {"nginx": {"user": "1000"}}},
            *(Topic.IMAGE, "nginx"),
            {"Id": "", "RepoTags": [], "Config": {"User": "1000"}},
        ),
        (
            {"image": {"nginx": {"owner": "user:bob", "Config": {"Labels": {"a": "b"}}}}},
            *(Topic.IMAGE, "nginx"),
            {
                "Id": "",
                "RepoTags": [],
                "Config": {"User": "", "Labels": {"a": "b", "dockgate.owner": "user:bob"}},
            },
        ),
        ({"task": {"t1": {"service": "s1"}}}, Topic.TASK, "t1", {"ID": "t1", "ServiceID": "s1"}),
        (
            {"service": {"s1": {"owner": "user:bob", "Spec": {"Mode": {}}}}},
            *(Topic.SERVICE, "s1"),
            {
                "ID": "s1",
                "Spec": {"Name": "s1", "Mode": {}, "Labels": {"dockgate.owner": "user:bob"}},
            },
        ),
        (
            {"secret": {"db": {"Spec": {"Name": "x", "Labels": {"a": "b"}}}}},
            *(Topic.SECRET, "db"),
            {"ID": "db", "Spec": {"Name": "x", "Labels": {"a": "b"}}},
        ),
        (
            {"network": {"app": {"tenant": "blue", "Driver": "bridge"}}},
            *(Topic.NETWORK, "app"),
            {"Name": "app", "Driver": "bridge", "Labels": {"dockgate.tenant": "blue"}},
        ),
    ],
)
def test_short_forms_are_spelt_out(given, topic, key, expected):
    """As the daemon's inspect documents have them."""
    assert answers_from(given)[Question(topic, key)] == expected


def test_what_nobody_told_of_is_named_where_a_fact_fails_for_it(snapshot):
    """Not where it fails for something else, or where nothing fails."""
    unknown = execute(snapshot, b'{"Cmd":["sh"]}', {})
    owned = {"container": {"web": {"owner": "user:alice"}}}
    fine = execute(snapshot, b'{"Cmd":["sh"]}', owned)
    denied = execute(snapshot, b'{"Cmd":["sh"],"Privileged":true}', owned)

    assert unknown.unanswered[0] == Question(Topic.CONTAINER, "web")
    assert unknown.missing.startswith("container web")
    assert (fine.unanswered, denied.unanswered) == ((), ())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"teapot": {}}, "given.teapot is not known; expected one of container"),
        ({"volume": 1}, "given.volume is 1; expected a table"),
        ({"volume": {"data": 1}}, "given.volume.data is 1; expected a table"),
        ({"container": {"web": {"Config": 1}}}, "given: Config is 1; expected a table"),
        ({"container": {"web": {"Config": {"Labels": "x"}}}}, "Labels is 'x'; expected a table"),
        ({"container": {"web": {"HostConfig": []}}}, r"HostConfig is \[\]; expected a table"),
        ({"exec": {"e": {"ProcessConfig": 1}}}, "ProcessConfig is 1; expected a table"),
        ({"image": {"nginx": {"Config": True}}}, "Config is True; expected a table"),
        ({"volume": {"data": {"Labels": 1}}}, "Labels is 1; expected a table"),
        (
            {"container": {"web": {"onwer": "user:a"}}},
            r"given\.container\.web\.onwer is not known; expected missing, owner or tenant, or a",
        ),
        ({"exec": {"e": {"owner": "user:a"}}}, r"e\.owner .*; expected missing, container or user"),
        ({"task": {"n": {"owner": "user:a"}}}, r"n\.owner is not .* expected missing or service,"),
        ({"container": {"web": {"owner": "al"}}}, r'web\.owner: "al" has no known type; expected'),
    ],
)
def test_other_tables_are_told(given, message):
    """With what was expected."""
    with pytest.raises(ConfigurationError, match=message):
        answers_from(given)
