"""What an operator is told, and what a reload does."""

import asyncio
import time
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from authz.admin.server import Peer
from authz.audit.chain import Kind
from authz.audit.record import Mode
from authz.errors import AuditUnavailableError, ConfigurationError, LookupFailedError, Reason
from authz.facts.questions import MISSING, Question, Topic
from authz.identity.chain import anonymous
from authz.identity.identity import Proof
from authz.lookups.lookup_pass import KEY_BYTES, Passes
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.policy.decision import Effect
from authz.runner import Parts, Runner
from authz.service import operator as operator_module
from authz.service.operator import SHADOW, UNKNOWN, WARNING, Operator, engine_warning
from authz.wire.raw import Door, RawRequest
from tests.fakes import ScriptedLookups, ScriptedSink, until
from tests.policies import CREATE_ROW, a_bundle

INFO = Question(Topic.DAEMON, "")
ROOT = Peer(pid=4711, uid=0, gid=0)


@dataclass
class Site:
    """An operator, and what he looks after."""

    operator: Operator
    runner: Runner
    policy: CurrentPolicy
    lookups: ScriptedLookups
    sink: ScriptedSink
    metrics: Metrics

    def reloads(self, outcome: str) -> float | None:
        """Return how many reloads came out so."""
        labels = {"outcome": outcome}
        return self.metrics.registry.get_sample_value("dockgate_policy_reloads_total", labels)


@pytest.fixture
def site(tmp_path):
    """Return a way to set one up; the policy lies in the test's folder."""
    made: list[Site] = []

    def build(*, version: object = "28.5.2", mode: Mode = Mode.ENFORCE) -> Site:
        answer = version if isinstance(version, Exception) else {"ServerVersion": version}
        policy = CurrentPolicy(str(a_bundle(tmp_path)))
        lookups, sink, metrics = ScriptedLookups({INFO: answer}), ScriptedSink(), Metrics()
        passes = Passes(b"k" * KEY_BYTES)
        parts = Parts((anonymous,), policy, lookups, passes, sink, mode, metrics=metrics)
        runner = Runner(parts)
        operator = Operator(runner, policy, lookups, metrics, mode)
        made.append(Site(operator, runner, policy, lookups, sink, metrics))
        return made[-1]

    yield build
    for one in made:
        one.runner.close()


# --- readiness -----------------------------------------------------------------------------------


async def test_everything_in_order_is_ready(site):
    """200, with what is in force."""
    one = site()

    answer = await one.operator.ready()

    assert (answer.status, answer.document) == (
        200,
        {
            "status": "ready",
            "mode": "enforce",
            "policy": one.policy.snapshot.digest,
            "daemon": "28.5.2",
            "warnings": [],
        },
    )


async def test_a_daemon_that_is_not_reached_degrades(site):
    """Requests without look-ups can still be judged: 200."""
    answer = await site(version=LookupFailedError("GET /info: no answer in time")).operator.ready()

    assert (answer.status, answer.document["status"], answer.document["daemon"]) == (
        200,
        "degraded",
        None,
    )
    assert answer.document["warnings"] == [
        "the daemon cannot be asked: GET /info: no answer in time"
    ]


async def test_a_daemon_that_does_not_say_its_version(site):
    """Nothing is claimed about it."""
    one = site()
    one.lookups.script = {INFO: MISSING}

    answer = await one.operator.ready()

    assert (answer.document["daemon"], answer.document["warnings"]) == (None, [])


async def test_an_audit_that_cannot_be_written_fails(site):
    """503: nothing is let through. And ready again when it can be written."""
    one = site()
    one.sink.fault = AuditUnavailableError("disk full")
    await one.runner.decide(RawRequest("GET", "/_ping"))
    failing = await one.operator.ready()
    one.sink.fault = None
    await one.runner.decide(RawRequest("GET", "/_ping"))
    ready = await one.operator.ready()

    assert (failing.status, failing.document["status"]) == (503, "failing")
    assert failing.document["warnings"] == ["disk full"]
    assert (ready.status, ready.document["status"]) == (200, "ready")


async def test_a_policy_that_did_not_load_degrades(site, tmp_path):
    """The old one judges, and that is said."""
    one = site()
    a_bundle(tmp_path, policy="nonsense\n")
    await one.operator.reload()

    answer = await one.operator.ready()

    assert (answer.status, answer.document["status"]) == (200, "degraded")
    assert "1 problem, at" in answer.document["warnings"][0]


async def test_shadow_mode_is_said(site):
    """It is ready, and nobody may overlook it."""
    answer = await site(mode=Mode.SHADOW).operator.ready()

    assert (answer.document["status"], answer.document["mode"]) == ("ready", "shadow")
    assert answer.document["warnings"] == [SHADOW]


@pytest.mark.parametrize(
    "version", ["29.2.0", "29.2", "29.10.1", "30.0.0", "29.2.0-rc.1", "29.3+x"]
)
async def test_an_engine_that_asks_no_plugin_is_warned_about(site, version):
    """From 29.2 a plugin alone cannot guard the socket."""
    answer = await site(version=version).operator.ready()

    assert answer.document["warnings"] == [WARNING.format(version=version)]


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "26.1.5", "28.5.2", "29.1.9", "29.0.0-rc.3"])
def test_an_engine_that_asks_is_not_warned_about(version):
    """Distributions write something behind the numbers."""
    assert engine_warning(version) == ""


@pytest.mark.parametrize(
    "version", ["dev", "v29.1", "master-2026", "29", "29.x", "²9.1", "29.20000"]
)
def test_an_engine_that_nobody_knows_is_warned_about(version):
    """It may be newer than any number."""
    assert engine_warning(version) == UNKNOWN.format(version=version)


# --- at start ------------------------------------------------------------------------------------


async def test_the_engine_is_told_in_the_log(site):
    """Once it answers, with what that means."""
    with capture_logs() as logs:
        await site(version="29.7.2").operator.watch_engine()

    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("engine.seen", "info"),
        ("engine.not_guarded", "warning"),
    ]
    assert logs[1]["problem"] == WARNING.format(version="29.7.2")


async def test_shadow_mode_is_told_before_anything_answers(site):
    """Whatever the daemon is doing."""
    with capture_logs() as logs:
        await site(mode=Mode.SHADOW).operator.watch_engine()

    assert [line["event"] for line in logs] == ["policy.not_enforced", "engine.seen"]


async def test_a_daemon_that_starts_later_is_waited_for(site, monkeypatch):
    """The plugin is there before the daemon."""
    monkeypatch.setattr(operator_module, "EVERY", 0.001)
    one = site(version=LookupFailedError("no socket"))
    watching = asyncio.create_task(one.operator.watch_engine())
    await until(lambda: len(one.lookups.asked) > 3)

    with capture_logs() as logs:
        one.lookups.script = {INFO: {"ServerVersion": "26.1.5"}}
        await watching

    assert [line["event"] for line in logs] == ["engine.seen"]


# --- reload --------------------------------------------------------------------------------------


async def test_a_reload_puts_the_new_policy_in_force(site, tmp_path):
    """The answer has its digest."""
    one = site()
    before = one.policy.snapshot.digest
    a_bundle(tmp_path, policy=f"{CREATE_ROW}p, role:dev, *, system.ping, on:host, *, allow\n")

    with capture_logs() as logs:
        answer = await one.operator.reload()

    assert (answer.status, answer.document) == (200, {"policy": one.policy.snapshot.digest})
    assert one.policy.snapshot.digest != before
    assert one.reloads("done") == 1
    assert [line["event"] for line in logs] == ["policy.reloaded"]


async def test_a_broken_policy_is_told_with_all_its_problems(site, tmp_path):
    """And the old one stays in force."""
    one = site()
    held = one.policy.snapshot
    a_bundle(tmp_path, policy="p, role:dev, *, container.creat, on:new, *, alow\nnonsense\n")

    with capture_logs() as logs:
        answer = await one.operator.reload()

    problems = answer.document["problems"]
    assert answer.status == 422
    assert [(p["line"], p["severity"]) for p in problems] == [(1, "error")] * 2 + [(2, "error")]
    assert one.policy.snapshot is held
    assert one.reloads("failed") == 1
    assert "alow" in logs[0]["problems"]


async def test_a_defect_of_the_loader_changes_nothing(site, monkeypatch):
    """500, a traceback in the log, and the old policy in force."""
    one = site()
    held = one.policy.snapshot

    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr(one.policy, "reload", broken)
    with capture_logs() as logs:
        answer = await one.operator.reload()

    assert (answer.status, one.policy.snapshot) == (500, held)
    assert (logs[0]["event"], logs[0]["exc_info"]) == ("policy.reload_failed", True)
    assert one.reloads("failed") == 1


async def test_a_reload_is_of_everything(site, tmp_path):
    """Policies of single listeners and their files; what cannot be used is told."""
    built = site()
    other = CurrentPolicy(str(a_bundle(tmp_path / "other")))
    before, renewed = other.snapshot, []
    built.operator.also_reload([other], lambda: renewed.append(1))

    assert (await built.operator.reload()).status == 200
    assert other.snapshot is not before
    assert renewed == [1]

    def broken():
        raise ConfigurationError("cert.pem: gone")

    built.operator.also_reload([other], broken)
    answer = await built.operator.reload()
    assert (answer.status, answer.document["message"]) == (422, "cert.pem: gone")
    assert built.reloads("failed") == 1


async def test_a_broken_policy_holds_no_revocation_list_back(site, tmp_path):
    """Files are read whatever becomes of policies, and what is wrong with both is told."""
    built = site()
    other = CurrentPolicy(str(a_bundle(tmp_path / "other")))
    (tmp_path / "other/policy.csv").write_text("p, broken\n")
    renewed = []

    def broken():
        renewed.append(1)
        raise ConfigurationError("cert.pem: gone")

    built.operator.also_reload([other], broken)
    with capture_logs() as logs:
        answer = await built.operator.reload()

    assert renewed == [1]
    assert answer.status == 422
    assert answer.document["problems"]
    assert "cert.pem: gone" in [each["problems"] for each in logs]


async def test_every_hangup_reads_the_policy(site, tmp_path):
    """One that fails does not end the service, and the next is heard."""
    one = site()
    hangups: asyncio.Queue[None] = asyncio.Queue(maxsize=1)
    listening = asyncio.create_task(one.operator.reload_on(hangups))
    a_bundle(tmp_path, policy="nonsense\n")
    await hangups.put(None)
    await until(lambda: one.reloads("failed"))
    a_bundle(tmp_path)
    await hangups.put(None)
    await until(lambda: one.reloads("done"))

    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening

    assert one.policy.problem == ""


# --- notes ---------------------------------------------------------------------------------------


async def test_what_was_asked_is_recorded(site):
    """Who, what and whether he may."""
    one = site()

    await one.operator.note("POST /reload", ROOT, True)  # noqa: FBT003  the admin socket's contract

    (record,) = one.sink.records
    assert (record.door, record.verdict, record.reason) == (Door.ADMIN, Effect.ALLOW, Reason.RULE)
    assert (record.asked.method, record.asked.target) == ("POST", "/reload")
    identity = record.identity
    assert (identity.subject, identity.proof) == ("user:root", Proof.PEER)
    assert (identity.uid, identity.gid, identity.pid) == (0, 0, 4711)


async def test_who_may_not_is_recorded_by_number(site):
    """To look up a name can take for ever, so only root has one."""
    one = site()

    await one.operator.note("POST /reload", Peer(1, 1000, 1000), False)  # noqa: FBT003  the same

    (record,) = one.sink.records
    assert (record.identity.subject, record.verdict) == ("user:#1000", Effect.REFUSE)


async def test_what_cannot_be_recorded_is_not_done(site):
    """The error goes to the socket, which then does nothing."""
    one = site()
    one.sink.fault = AuditUnavailableError("disk full")

    with pytest.raises(AuditUnavailableError):
        await one.operator.note("POST /reload", ROOT, True)  # noqa: FBT003  the same


async def test_changed_files_are_read_again(site, tmp_path, monkeypatch):
    """Of every policy, without anybody asking."""
    monkeypatch.setattr(operator_module, "LOOK", 0.01)
    one = site()
    other = CurrentPolicy(str(a_bundle(tmp_path / "other")))
    one.operator.also_reload([other], lambda: None)
    before = one.policy.snapshot.digest, other.snapshot.digest

    watching = asyncio.create_task(one.operator.watch_files())
    with capture_logs() as logged:
        ping = "p, role:dev, *, system.ping, on:host, *, allow\n"
        a_bundle(tmp_path / "other", policy=CREATE_ROW + ping)
        await until(lambda: other.snapshot.digest != before[1])
        await until(lambda: one.reloads("done") == 1)
    watching.cancel()

    assert one.policy.snapshot.digest == before[0]
    assert [each["event"] for each in logged] == ["policy.files_changed", "policy.reloaded"]


async def test_a_grant_is_a_record_of_its_own_kind(site):
    """What became of it and by whom; an end by itself is nobody's doing."""
    found = site()
    event = {"event": "granted", "grant": "01J"}

    await found.operator.note_grant(ROOT, event)
    await found.operator.note_grant(None, event)

    (kind, first), (_, second) = found.sink.notes
    assert kind is Kind.GRANT
    assert (first["grant"], first["uid"], first["pid"]) == ("01J", "0", "4711")
    assert first["id"] < second["id"]
    assert "uid" not in second


async def test_readiness_tells_of_what_others_warn_of(site):
    """Such as grants in force, and receivers of records that are away."""
    found = site()
    found.operator.also_warn(lambda: ["user:alice is granted container.exec"])
    found.operator.also_warn(lambda: ["records are not sent on"])

    assert (await found.operator.ready()).document["warnings"] == [
        "user:alice is granted container.exec",
        "records are not sent on",
    ]


async def test_the_state_is_measured_when_it_is_asked_for(site, tmp_path):
    """Which policy, since when, whether it is the newest, and whether anything can be recorded."""
    found = site(mode=Mode.SHADOW)
    value = found.metrics.registry.get_sample_value
    found.operator.metrics()
    digest = found.policy.snapshot.digest
    assert value("dockgate_policy_info", {"digest": digest}) == 1
    assert (value("dockgate_policy_stale"), value("dockgate_shadow")) == (0, 1)
    assert abs(value("dockgate_policy_loaded_timestamp_seconds") - time.time()) < 60
    assert value("dockgate_audit_failing") == value("dockgate_audit_waiting") == 0

    a_bundle(tmp_path, policy=CREATE_ROW + CREATE_ROW.replace("on:new", "on:own"))
    await found.operator.reload()
    a_bundle(tmp_path, policy="nonsense")
    await found.operator.reload()
    found.sink.fault = AuditUnavailableError("No space left on device")
    text = found.operator.metrics().decode()

    assert text.count("dockgate_policy_info{") == 1
    assert digest not in text
    assert value("dockgate_policy_stale") == 1
    assert value("dockgate_audit_failing") == 1


async def test_whether_the_daemon_answers_is_measured(site, monkeypatch):
    """Again and again; that it went away is told once."""
    monkeypatch.setattr(operator_module, "PULSE", 0.001)
    found = site()
    value = found.metrics.registry.get_sample_value
    with capture_logs() as logs:
        await found.operator.watch_engine()
        assert value("dockgate_daemon_up") == 1
        watching = asyncio.create_task(found.operator.watch_daemon())
        found.lookups.script = {INFO: LookupFailedError("gone")}
        await until(lambda: value("dockgate_daemon_up") == 0)
        await asyncio.sleep(0.01)
        watching.cancel()

    assert [each["event"] for each in logs] == ["engine.seen", "engine.lost"]
