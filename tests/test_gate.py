"""The gate as plain functions: what a request becomes, and how it ends."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from authz import gate
from authz.audit.record import Mode
from authz.audit.redaction import Redaction
from authz.errors import Reason, RefusedError
from authz.facts.known import FactSettings
from authz.identity.chain import anonymous
from authz.identity.identity import Identity, Proof
from authz.policy.bundle import load_bundle
from authz.policy.decision import Effect
from authz.policy.snapshot import compile_snapshot
from authz.wire.evidence import Evidence
from authz.wire.raw import Door, RawRequest
from tests.builders import a_stored_container, answers
from tests.policies import a_bundle

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
ALICE = Identity("user:alice", tenant="blue")
JSON = (("Content-Type", "application/json"),)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Compile a policy with a row of every word."""
    rows = (
        "p, user:alice, *, container.create, on:new|image:**, *, allow\n"
        "p, *, *, *, privileged:true, *, deny\n"
        "p, *, *, *, bind:/srv/never, *, never\n"
        "p, *, *, *, image:**/{tenant}/**, *, deny\n"
    )
    return compile_snapshot(
        load_bundle(a_bundle(tmp_path_factory.mktemp("b"), policy=rows, people=""))
    )


def course(snapshot, body, mode=Mode.ENFORCE, identity=ALICE):
    """Drive a create through the gate."""
    raw = RawRequest("POST", "/v1.47/containers/create", JSON, body)
    one = gate.Course("01ID", raw, NOW, mode, snapshot.digest, identity)
    prepared = gate.prepare(raw, identity, snapshot)
    one.request = prepared.request
    one.facts = gate.describe(prepared, {})
    one.context = gate.context(prepared, one.facts, NOW)
    one.decision = gate.judge(identity, one.facts, one.context, snapshot)
    return one


def test_an_allowed_create(snapshot):
    """The verdict lets through, and the record has everything."""
    one = course(snapshot, b'{"Image":"nginx"}')
    verdict = one.verdict()
    record = one.record(verdict, 42, Redaction())
    assert (verdict.effect, verdict.lets_through, verdict.message) == (Effect.ALLOW, True, "")
    assert (record.id, record.time, record.took_us) == ("01ID", NOW, 42)
    assert record.asked.operation == "ContainerCreate"
    assert record.context["now"] == "2027-01-02T03:04:05+00:00"
    assert record.outcomes


@pytest.mark.parametrize(
    ("evidence", "known"),
    [
        (Evidence(listener="tcp://[::]:2376", tls="server", source="10.0.0.1"), "10.0.0.1"),
        (Evidence(source=""), ""),
        (Evidence(), None),
    ],
)
def test_where_a_caller_comes_from_is_known_or_not(evidence, known):
    """A unix socket has no address, which is known; a plugin is not told."""
    raw = RawRequest("GET", "/_ping", evidence=evidence, door=Door.PROXY)
    found = gate.arrival(raw, NOW)

    assert found.get("source") == known
    assert (found["listener"], found["tls"]) == (evidence.listener, evidence.tls)


def test_the_record_of_a_refusal_says_where_the_request_came_from():
    """Whoever tries to get in without a proof is found by that alone."""
    evidence = Evidence(listener="tcp://[::]:2376", tls="server", source="10.0.0.1")
    raw = RawRequest("GET", "/_ping", evidence=evidence, door=Door.PROXY)
    one = gate.Course("01ID", raw, NOW, Mode.ENFORCE)
    one.refusal = RefusedError(Reason.BAD_CREDENTIAL, "no")

    record = one.record(one.verdict(), 1, Redaction())

    assert record.context == {
        "door": "proxy",
        "method": "GET",
        "listener": "tcp://[::]:2376",
        "now": "2027-01-02T03:04:05+00:00",
        "tls": "server",
        "source": "10.0.0.1",
    }


def test_a_denied_create(snapshot):
    """The message names the fact, the row and the record."""
    verdict = course(snapshot, b'{"Image":"nginx","HostConfig":{"Privileged":true}}').verdict()
    assert (verdict.effect, verdict.lets_through) == (Effect.DENY, False)
    assert "privileged:true for user:alice by policy.csv:2" in verdict.message
    assert verdict.message.endswith("request 01ID")


def test_shadow_mode_lets_a_denial_through(snapshot):
    """But says that it was one."""
    body = b'{"Image":"nginx","HostConfig":{"Privileged":true}}'
    one = course(snapshot, body, Mode.SHADOW)
    verdict = one.verdict()
    assert (verdict.effect, verdict.enforced, verdict.lets_through) == (Effect.DENY, False, True)
    assert one.record(verdict, 1, Redaction()).enforced is False


def test_a_never_row_holds_in_shadow_mode(snapshot):
    """That is what never means."""
    body = b'{"Image":"nginx","HostConfig":{"Binds":["/srv/never:/x"]}}'
    verdict = course(snapshot, body, Mode.SHADOW).verdict()
    assert (verdict.enforced, verdict.lets_through) == (True, False)


def test_a_row_that_cannot_be_evaluated_holds_in_shadow_mode(snapshot):
    """A deny row about a tenant cannot be judged for a caller without one."""
    verdict = course(snapshot, b'{"Image":"nginx"}', Mode.SHADOW, Identity("user:alice")).verdict()
    assert (verdict.effect, verdict.reason) == (Effect.REFUSE, Reason.RULE_ERROR)
    assert not verdict.lets_through


def test_a_refusal_says_why():
    """And holds in any mode."""
    raw = RawRequest("GET", "/")
    one = gate.Course("01ID", raw, NOW, Mode.SHADOW)
    one.refusal = RefusedError(Reason.UNKNOWN_ROUTE, "GET / is no operation")
    verdict = one.verdict()
    record = one.record(verdict, 1, Redaction())
    assert verdict.message == (
        "dockgate: refused: GET / is no operation (unknown_route); request 01ID"
    )
    assert (verdict.effect, verdict.lets_through) == (Effect.REFUSE, False)
    assert (record.detail, record.outcomes, record.asked.action) == (
        "GET / is no operation",
        (),
        "",
    )


def test_what_was_never_judged_is_refused():
    """Whoever forgets a step lets nothing through."""
    verdict = gate.Course("01ID", RawRequest("GET", "/"), NOW, Mode.ENFORCE).verdict()
    assert (verdict.effect, verdict.reason) == (Effect.REFUSE, Reason.INTERNAL_ERROR)


def test_the_action_is_told_as_far_as_it_is_known(snapshot):
    """That of the facts before that of the table; of what was not read nothing."""
    one = course(snapshot, b'{"Image":"nginx"}')
    described, read = one.action, replace(one, facts=None).action

    assert described == read == "container.create"
    assert replace(one, facts=None, request=None).action == ""


def test_authenticate_asks_the_chain():
    """The first method that knows the caller names him."""
    raw = RawRequest("GET", "/_ping", evidence=Evidence())
    assert gate.authenticate(raw, (anonymous,)).subject == "user:anonymous"
    with pytest.raises(RefusedError, match="no_credential"):
        gate.authenticate(raw, ())


def test_questions_are_asked_until_all_is_known(snapshot):
    """A create by name asks for its image; the answers make an end of it."""
    raw = RawRequest("POST", "/v1.47/containers/create", JSON, b'{"Image":"nginx"}')
    prepared = gate.prepare(raw, ALICE, snapshot)
    asked = gate.survey(prepared, {})
    found = gate.survey(prepared, {question: {} for question in asked})
    assert asked
    assert found == gate.describe(prepared, {question: {} for question in asked})


def test_a_changed_copy_has_a_key_of_its_own(snapshot):
    """What was found of a request and its caller holds for no other ones."""
    raw = RawRequest("POST", "/containers/create", JSON, b'{"Image":"nginx"}')
    prepared = gate.prepare(raw, ALICE, snapshot)
    gate.survey(prepared, {})
    other = replace(prepared, identity=replace(ALICE, subject="user:bob"))

    assert prepared.key.value
    assert not other.key.value
    gate.survey(other, {})
    assert other.key.value != prepared.key.value


@pytest.mark.parametrize(
    ("door", "method", "tls", "expected"),
    [
        (Door.PLUGIN, "TLS", "none", "mutual"),
        (Door.PLUGIN, "", "none", None),
        (Door.PROXY, "", "server", "server"),
    ],
)
def test_the_transport_is_told_where_it_is_known(door, method, tls, expected, snapshot):
    """The daemon tells a plugin of client certificates and of nothing else."""
    evidence = Evidence(daemon_method=method, tls=tls)
    raw = RawRequest("GET", "/_ping", evidence=evidence, door=door)
    prepared = gate.prepare(raw, ALICE, snapshot)
    context = gate.context(prepared, gate.describe(prepared, {}), NOW)
    assert context.get("tls") == expected


@pytest.mark.parametrize(
    ("source", "verdict"),
    [("10.1.2.3", "allow"), ("192.0.2.1", "deny"), ("", "deny"), (None, "deny")],
)
def test_a_row_can_ask_where_somebody_comes_from(source, verdict, tmp_path):
    """From whose address, as far as the door is told; on a unix socket from none."""
    rows = "p, role:dev, *, container.list, on:list, source=10.*, allow\n"
    snapshot = compile_snapshot(load_bundle(a_bundle(tmp_path, policy=rows)))
    raw = RawRequest("GET", "/containers/json", evidence=Evidence(source=source), door=Door.PROXY)
    prepared = gate.prepare(raw, ALICE, snapshot)
    facts = gate.describe(prepared, {})
    context = gate.context(prepared, facts, NOW)
    assert gate.judge(ALICE, facts, context, snapshot).effect == verdict


def forwarded(snapshot, body, door, mode=Mode.ENFORCE):
    """Drive a create through the gate up to what is sent on."""
    one = course(snapshot, body, mode)
    one.raw = replace(one.raw, door=door)
    one.forward = gate.forward(gate.prepare(one.raw, ALICE, snapshot), {})
    return one.verdict()


def test_what_is_let_through_is_sent_on(snapshot):
    """Written anew from what was judged, by the door that can change requests."""
    verdict = forwarded(snapshot, b'{"image":"nginx"}', Door.PROXY)

    assert verdict.forward.body == b'{"Image":"nginx"}'
    assert verdict.forward.target == "/v1.47/containers/create"
    assert verdict.standing.identity == ALICE
    assert verdict.standing.raw.body == b""
    assert forwarded(snapshot, b'{"Image":"nginx"}', Door.PLUGIN).forward is None


def test_what_was_looked_up_is_sent_on_by_its_id(snapshot):
    """The plugin's door changes nothing."""
    raw = RawRequest("POST", "/v1.47/containers/web/start", door=Door.PROXY)
    found = answers(container={"web": a_stored_container()})
    prepared = gate.prepare(raw, ALICE, snapshot)

    assert gate.forward(prepared, found).target == f"/v1.47/containers/{'4b' * 32}/start"
    assert gate.forward(replace(prepared, raw=replace(raw, door=Door.PLUGIN)), found) is None


def test_images_are_pinned_by_a_setting(snapshot):
    """Not without it: people read names in lists."""
    raw = RawRequest("POST", "/containers/create", JSON, b'{"Image":"nginx"}', door=Door.PROXY)
    found = answers(image={"nginx": {"Id": "sha256:" + "1c" * 32}})
    prepared = gate.prepare(raw, ALICE, snapshot)
    pinning = replace(prepared, limits=gate.Limits(pin_images=True))

    assert gate.forward(prepared, found).body == b'{"Image":"nginx"}'
    assert gate.forward(pinning, found).body == b'{"Image":"sha256:%s"}' % (b"1c" * 32)


def test_owners_are_written_by_a_setting_of_the_proxy(snapshot):
    """The plugin's door changes nothing, so its facts stay as strict."""
    raw = RawRequest("POST", "/volumes/create", JSON, b'{"Name":"x"}', door=Door.PROXY)
    limits = gate.Limits(proxied=FactSettings(labels=True))
    who = replace(ALICE, proof=Proof.PEER)
    prepared = gate.prepare(raw, who, snapshot, limits)

    written = gate.forward(prepared, {}).body

    labels = {"dockgate.owner": ALICE.subject, "dockgate.tenant": ALICE.tenant}
    assert json.loads(written) == {"Name": "x", "Labels": labels}
    assert not limits.facts_of(Door.PLUGIN).labels
    assert gate.forward(gate.prepare(raw, who, snapshot), {}).body == raw.body


def test_what_is_denied_is_not_sent_on(snapshot):
    """Unless nobody enforces the denial."""
    body = b'{"Image":"nginx","HostConfig":{"Privileged":true}}'

    assert forwarded(snapshot, body, Door.PROXY).forward is None
    assert forwarded(snapshot, body, Door.PROXY, Mode.SHADOW).forward is not None


def test_a_doors_tenant_is_the_callers():
    """A proof that names another one does not hold there."""
    raw = RawRequest("GET", "/info", evidence=Evidence())

    def proved(_: Evidence) -> Identity:
        return ALICE

    assert gate.authenticate(raw, (anonymous,), "ci").tenant == "ci"
    assert gate.authenticate(raw, (proved,), "blue").tenant == "blue"
    with pytest.raises(RefusedError, match="for tenant 'blue'; expected 'ci'"):
        gate.authenticate(raw, (proved,), "ci")


def test_what_is_under_way_is_judged_again(snapshot, tmp_path):
    """By the policy and the proofs of now, on the facts of its beginning."""
    standing = forwarded(snapshot, b'{"Image":"nginx"}', Door.PROXY).standing
    later = NOW.replace(year=2028)
    decision, context = gate.again(standing, ALICE, snapshot, later)
    assert decision.effect is Effect.ALLOW
    assert context["now"].startswith("2028-")

    rows = "p, user:alice, *, container.create, on:new, *, allow\n"
    stricter = compile_snapshot(load_bundle(a_bundle(tmp_path, policy=rows, people="")))
    assert gate.again(standing, ALICE, stricter, later)[0].effect is Effect.DENY
    with pytest.raises(RefusedError, match="not the one who began"):
        gate.again(standing, Identity("user:bob", tenant="blue"), snapshot, later)


def test_what_was_not_described_cannot_stand(snapshot):
    """There would be nothing to judge again."""
    one = course(snapshot, b'{"Image":"nginx"}')
    one.raw = replace(one.raw, door=Door.PROXY)
    one.forward = gate.forward(gate.prepare(one.raw, ALICE, snapshot), {})
    one.facts = None

    assert one.verdict().standing is None
