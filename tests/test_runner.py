"""The runner: every wait has an end, every answer a record, and a defect refuses."""

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from authz import gate, inquiry, runner
from authz.audit.chain import Kind
from authz.audit.record import Asked, Mode
from authz.audit.sink import Sink
from authz.errors import AuditUnavailableError, LookupFailedError, Reason, RefusedError
from authz.facts.questions import Question, Topic
from authz.identity.chain import anonymous
from authz.identity.identity import Identity, Proof
from authz.lookups.lookup_pass import HEADER, KEY_BYTES, Passes
from authz.policy.current import CurrentPolicy
from authz.policy.decision import Effect
from authz.policy.grants import Grant, Grants, granted
from authz.policy.vocabulary import vocabulary
from authz.runner import Entrance, Parts, Runner
from authz.wire.raw import Door, RawRequest
from tests.builders import a_raw_request, a_stored_container
from tests.fakes import ScriptedLookups, ScriptedSink, until
from tests.policies import a_bundle

PING = RawRequest("GET", "/_ping")
CREATE = a_raw_request(body={"Image": "nginx"})
PRIVILEGED = a_raw_request(body={"Image": "nginx", "HostConfig": {"Privileged": True}})
EXEC_START = a_raw_request("POST", "/v1.45/exec/e1/start", {"Detach": False, "Tty": False})
ROWS = (
    "p, *, *, system.ping, on:host, *, allow\n"
    "p, *, *, container.create, on:new|image:**, *, allow\n"
    "# no-privileged: root on this host\n"
    "p, *, *, *, privileged:true, *, deny\n"
)
CHAIN = {
    Question(Topic.EXEC, "e1"): {
        "ID": "e1",
        "ContainerID": "c1",
        "ProcessConfig": {"user": "", "privileged": False},
    },
    Question(Topic.CONTAINER, "c1"): {
        **a_stored_container(),
        "Mounts": [{"Type": "volume", "Name": "data", "Destination": "/d", "Driver": "local"}],
    },
    Question(Topic.VOLUME, "data"): {
        "Name": "data",
        "Driver": "local",
        "Options": {"type": "none", "o": "bind", "device": "/srv/link"},
        "Labels": None,
    },
    Question(Topic.PATH, "/srv/link"): {"path": "/srv/data"},
}
"""An exec in a container with a volume that is a link to a folder of the host."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """Load a small policy."""
    return CurrentPolicy(str(a_bundle(tmp_path_factory.mktemp("p"), policy=ROWS, people="")))


@dataclass
class Bench:
    """A runner and the parts that it drives."""

    runner: Runner
    parts: Parts
    lookups: ScriptedLookups
    sink: ScriptedSink
    passes: Passes = field(default_factory=lambda: Passes(b"k" * KEY_BYTES))

    def counted(self, name: str, **labels: str) -> float:
        """Return a number of the metrics; 0 where nothing was counted."""
        return self.parts.metrics.registry.get_sample_value(f"dockgate_{name}", labels) or 0.0

    def decisions(self, effect: str, reason: str, enforced: str = "yes") -> float:
        """Return how many decisions came out so."""
        labels = {"door": "plugin", "effect": effect, "reason": reason, "enforced": enforced}
        return self.counted("decisions_total", **labels)


@pytest.fixture
def bench(policy):
    """Return a way to set a runner up; its thread is let go of at the end."""
    made: list[Bench] = []

    def build(  # noqa: PLR0913  a test names what it needs
        *,
        sink=None,
        mode=Mode.ENFORCE,
        script=None,
        hanging=(),
        methods=(),
        allow_reads=False,
        soon=(),
        **limits,
    ):
        lookups = ScriptedLookups(script or {}, frozenset(hanging), soon=frozenset(soon))
        sink = sink or ScriptedSink()
        passes = Passes(b"k" * KEY_BYTES)
        parts = Parts(methods or (anonymous,), policy, lookups, passes, sink, mode)
        parts = replace(parts, allow_reads=allow_reads)
        made.append(Bench(Runner(parts, **limits), parts, lookups, sink, passes))
        return made[-1]

    yield build
    for one in made:
        if isinstance(one.sink, ScriptedSink):
            one.sink.go.set()
        one.runner.close()


async def test_what_was_looked_up_is_sent_on_by_its_id(bench):
    """The answers by which a request was judged are those by which it is written."""
    script = {Question(Topic.CONTAINER, "web"): a_stored_container()}
    one = bench(mode=Mode.SHADOW, script=script)
    raw = RawRequest("GET", "/containers/web/json", door=Door.PROXY)

    verdict = await one.runner.decide(raw)

    assert verdict.forward.target == f"/containers/{'4b' * 32}/json"


async def test_an_answer_without_an_id_is_a_failed_lookup(bench):
    """What was judged could not be told to the daemon."""
    script = {Question(Topic.CONTAINER, "web"): {**a_stored_container(), "Id": ""}}
    raw = RawRequest("GET", "/containers/web/json", door=Door.PROXY)

    verdict = await bench(mode=Mode.SHADOW, script=script).runner.decide(raw)

    assert (verdict.forward, verdict.reason) == (None, Reason.LOOKUP_FAILED)


# --- the way of one request ----------------------------------------------------------------------


async def test_an_allowed_request_is_recorded_and_counted(bench):
    """One record under the verdict's id, one decision, its time, and nothing in flight."""
    one = bench()

    verdict = await one.runner.decide(CREATE)

    (record,) = one.sink.records
    assert (verdict.effect, verdict.lets_through, record.id) == (Effect.ALLOW, True, verdict.id)
    assert (record.verdict, record.reason, record.policy) == (
        Effect.ALLOW,
        Reason.RULE,
        one.parts.policy.snapshot.digest,
    )
    assert one.decisions("allow", "rule") == 1
    assert one.counted("decision_seconds_count", door="plugin") == 1
    assert one.counted("in_flight") == 0
    assert one.counted("lookups_total", topic="daemon", outcome="found") == 1
    assert one.counted("lookups_total", topic="image", outcome="missing") == 1


async def test_a_denial_is_recorded_counted_and_logged(bench):
    """The log line names who, what and why, and the record's id."""
    one = bench()

    with capture_logs() as logs:
        verdict = await one.runner.decide(PRIVILEGED)

    assert "no-privileged" in verdict.message
    assert one.sink.records[0].verdict is Effect.DENY
    assert one.decisions("deny", "rule") == 1
    assert logs == [
        {
            "event": "request.denied",
            "log_level": "info",
            "request": verdict.id,
            "who": "user:anonymous",
            "action": "container.create",
            "reason": "rule",
            "enforced": True,
        }
    ]


async def test_shadow_mode_lets_a_denial_through_and_says_so(bench):
    """In the record, in the metrics and in the log."""
    one = bench(mode=Mode.SHADOW)

    with capture_logs() as logs:
        verdict = await one.runner.decide(PRIVILEGED)

    assert (verdict.effect, verdict.lets_through) == (Effect.DENY, True)
    assert (one.sink.records[0].mode, one.sink.records[0].enforced) == (Mode.SHADOW, False)
    assert one.decisions("deny", "rule", enforced="no") == 1
    assert [line["enforced"] for line in logs] == [False]


async def test_shadow_mode_refuses_what_cannot_be_read(bench):
    """What nobody understood must not pass in any mode."""
    one = bench(mode=Mode.SHADOW)

    verdict = await one.runner.decide(RawRequest("GET", "/no/such/route"))

    assert (verdict.reason, verdict.lets_through) == (Reason.UNKNOWN_ROUTE, False)


async def test_nobody_is_refused_where_a_proof_is_wanted(bench):
    """No method knows the caller: refused, and recorded without one."""
    one = bench(methods=(lambda _evidence: None,))

    verdict = await one.runner.decide(PING)

    assert verdict.reason is Reason.NO_CREDENTIAL
    assert one.sink.records[0].identity is None


async def test_a_refusal_of_the_door_is_recorded(bench):
    """What the door could not read ends in the same file."""
    one = bench()
    refusal = RefusedError(Reason.UNREADABLE_REQUEST, "plugin message is empty")

    verdict = await one.runner.refuse(RawRequest("", ""), refusal)

    assert (verdict.effect, verdict.lets_through) == (Effect.REFUSE, False)
    assert one.sink.records[0].detail == "plugin message is empty"
    assert one.decisions("refuse", "unreadable_request") == 1


async def test_what_an_operator_asked_is_recorded(bench):
    """Under the door of its own, with who and whether it was allowed."""
    one = bench()
    root = Identity("user:root", proof=Proof.PEER, uid=0)

    await one.runner.note(Asked("POST", "/reload"), root, allowed=True)
    await one.runner.note(Asked("POST", "/reload"), root, allowed=False)

    assert [(r.door, r.verdict, r.reason) for r in one.sink.records] == [
        (Door.ADMIN, Effect.ALLOW, Reason.RULE),
        (Door.ADMIN, Effect.REFUSE, Reason.BAD_CREDENTIAL),
    ]


async def test_a_note_that_cannot_be_written_shows(bench):
    """The caller is told, and so is readiness."""
    one = bench(sink=ScriptedSink(fault=AuditUnavailableError("disk full")))

    with pytest.raises(AuditUnavailableError, match="disk full"):
        await one.runner.note(Asked("POST", "/reload"), Identity("user:root"), allowed=True)
    assert one.runner.audit_problem == "disk full"


# --- questions and their answers -----------------------------------------------------------------


async def test_actions_and_stages_are_counted(bench):
    """What needs no look-up has no such stage; what cannot be read is counted as unread."""
    one = bench()
    await one.runner.decide(RawRequest("GET", "/_ping"))
    await one.runner.decide(CREATE)
    await one.runner.decide(RawRequest("GET", "/no/such/route"))

    for action, effect in (
        ("system.ping", "allow"),
        ("container.create", "allow"),
        ("unread", "refuse"),
    ):
        assert one.counted("actions_total", action=action, effect=effect) == 1
    stages = {
        stage: one.counted("stage_seconds_count", stage=stage)
        for stage in ("read", "lookup", "judge", "audit")
    }
    assert stages == {"read": 2, "lookup": 1, "judge": 2, "audit": 3}


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
async def test_a_clock_that_jumps_costs_one_look_up_at_most(bench, jump):
    """A pass of before is no longer good, the next one is; ids go on growing, times are told."""
    hands = [time.time()]
    passes = Passes(b"k" * KEY_BYTES, lambda: hands[0])
    parts = replace(bench().parts, passes=passes, now=lambda: datetime.fromtimestamp(hands[0], UTC))
    driven = Runner(parts)

    def back(value):
        return driven.decide(RawRequest("GET", "/info", ((HEADER, value),), door=Door.PLUGIN))

    before = await driven.decide(CREATE)
    stale = passes.issue("GET", "/info")
    hands[0] += jump
    refused = await back(stale)
    admitted = await back(passes.issue("GET", "/info"))
    after = await driven.decide(CREATE)
    driven.close()

    assert (refused.reason, admitted.effect) == (Reason.BAD_CREDENTIAL, Effect.ALLOW)
    assert (before.effect, after.effect) == (Effect.ALLOW, Effect.ALLOW)
    assert before.id < refused.id < after.id
    labels = {"door": "plugin"}
    spent = parts.metrics.registry.get_sample_value("dockgate_decision_seconds_sum", labels)
    assert 0 < spent < 60


async def test_a_stream_ends_with_the_grant_that_it_needs(tmp_path, bench):
    """What is under way is judged again, with what is granted then."""
    held = Grants()
    policy = CurrentPolicy(str(a_bundle(tmp_path, policy=ROWS, people="")), grants=held)
    began = datetime.now(UTC).replace(microsecond=0)
    grant = Grant(
        "01J", "user:anonymous", "container.create", ("cap.add:NET_ADMIN",), "INC-1",
        "user:root", began, began + timedelta(hours=1),
    )  # fmt: skip
    one, entrance = bench(), Entrance((anonymous,), policy)
    body = {"Image": "nginx", "HostConfig": {"CapAdd": ["NET_ADMIN"]}}
    raw = replace(a_raw_request(body=body), door=Door.PROXY)
    assert (await one.runner.decide(raw, entrance)).effect is Effect.DENY
    held.granted = (granted(grant, 1.0, vocabulary(())),)

    verdict = await one.runner.decide(raw, entrance)
    goes_on = await one.runner.still(verdict.standing, raw.evidence, entrance)
    held.granted = ()
    cut = await one.runner.still(verdict.standing, raw.evidence, entrance)

    assert verdict.effect is Effect.ALLOW
    assert goes_on is None
    assert cut.effect is Effect.DENY


async def test_questions_are_asked_round_by_round(bench):
    """The exec names its container, that its volume, that a path of the host."""
    one = bench(script=CHAIN)

    verdict = await one.runner.decide(EXEC_START)

    topics = [question.topic for question in one.lookups.asked]
    assert topics[0] is Topic.EXEC
    assert topics[1] is Topic.CONTAINER
    assert set(topics[2:-1]) == {Topic.DAEMON, Topic.VOLUME}
    assert one.lookups.asked[-1] == Question(Topic.PATH, "/srv/link")
    assert "target.bind:/srv/data" in [
        str(outcome.fact) for outcome in one.sink.records[0].outcomes
    ]
    assert verdict.effect is not Effect.REFUSE


async def test_answers_without_end_are_refused(bench, monkeypatch):
    """After the last round nothing may be left to ask."""
    monkeypatch.setattr(inquiry, "MOST_ROUNDS", 3)
    one = bench(script=CHAIN)

    verdict = await one.runner.decide(EXEC_START)

    assert verdict.reason is Reason.LOOKUP_FAILED
    assert "further questions after 3 rounds" in verdict.message
    assert len(one.lookups.asked) == 4


async def test_too_many_questions_are_not_asked(bench):
    """A request that refers to more objects than an ordinary one ever does is refused."""
    one = bench()
    binds = [f"volume{number}:/v{number}" for number in range(inquiry.MOST_QUESTIONS)]
    raw = a_raw_request(body={"Image": "nginx", "HostConfig": {"Binds": binds}})

    verdict = await one.runner.decide(raw)

    assert (verdict.reason, one.lookups.asked) == (Reason.TOO_MANY_FACTS, [])


async def test_a_lookup_that_fails_refuses(bench):
    """An object that cannot be seen cannot be judged; the other questions are given up."""
    failing = {Question(Topic.IMAGE, "nginx"): LookupFailedError("GET /images: status 500")}
    one = bench(script=failing, hanging=[Topic.DAEMON])

    verdict = await one.runner.decide(CREATE)

    assert verdict.reason is Reason.LOOKUP_FAILED
    assert "dockgate: failed: a look-up failed: GET /images: status 500" in verdict.message
    assert one.counted("lookups_total", topic="image", outcome="failed") == 1
    assert one.lookups.waiting == 0


@pytest.mark.parametrize("gone", [False, True])
async def test_what_is_asked_soon_may_raise_further_questions(bench, gone):
    """They are asked in a task, as is what had no connection after all."""
    one = bench(script=CHAIN, soon=[Topic.EXEC], mode=Mode.SHADOW)
    one.lookups.gone = gone

    verdict = await one.runner.decide(EXEC_START)

    assert verdict.reason is Reason.NO_RULE
    assert set(CHAIN) <= set(one.lookups.asked)
    assert one.counted("stage_seconds_count", stage="lookup") == 1


@pytest.mark.parametrize("hanging", [Topic.EXEC, Topic.CONTAINER])
async def test_all_that_is_asked_shares_one_limit(bench, hanging):
    """The first question, which takes no task, and those that it raises."""
    one = bench(script=CHAIN, soon=[Topic.EXEC], hanging=[hanging], time_limit=0.2)
    began = time.monotonic()

    verdict = await one.runner.decide(EXEC_START)

    assert time.monotonic() - began < runner.TIME_LIMIT
    assert (verdict.reason, verdict.lets_through) == (Reason.TIMEOUT, False)


async def test_a_lookup_that_hangs_is_not_waited_for(bench):
    """The answer comes within the limit, and nothing is left hanging."""
    one = bench(hanging=[Topic.IMAGE], time_limit=0.2)
    began = time.monotonic()

    verdict = await one.runner.decide(CREATE)

    assert time.monotonic() - began < runner.TIME_LIMIT
    assert (verdict.reason, verdict.lets_through) == (Reason.TIMEOUT, False)
    assert one.sink.records[0].reason is Reason.TIMEOUT
    assert (one.lookups.waiting, one.counted("in_flight")) == (0, 0)


def test_the_limit_is_what_the_daemon_can_bear():
    """Two seconds for all of it, the record included."""
    assert runner.TIME_LIMIT == 2.0
    assert runner.MOST_IN_FLIGHT == 256


async def test_lookups_wait_for_each_other(bench, monkeypatch):
    """No more than so many are with the daemon at once."""
    monkeypatch.setattr(inquiry, "LOOKUPS_AT_ONCE", 1)
    one = bench(hanging=[Topic.IMAGE, Topic.DAEMON], time_limit=0.2)

    await one.runner.decide(CREATE)

    assert len(one.lookups.asked) == 1


@pytest.mark.parametrize("step", ["prepare", "survey", "judge"])
async def test_a_defect_refuses_and_is_logged(bench, monkeypatch, step):
    """Nothing is raised at the door; the traceback is in the log, not in the answer."""

    def broken(*_args):
        raise KeyError("a secret")

    monkeypatch.setattr(gate, step, broken)
    one = bench()

    with capture_logs() as logs:
        verdict = await one.runner.decide(CREATE)

    assert (verdict.reason, verdict.lets_through) == (Reason.INTERNAL_ERROR, False)
    assert "secret" not in verdict.message
    assert one.sink.records[0].reason is Reason.INTERNAL_ERROR
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("request.judgement_failed", "error"),
        ("request.refused", "info"),
    ]


async def test_a_defect_in_a_lookup_refuses(bench):
    """Whatever a look-up raises, the request is refused."""
    one = bench(script={Question(Topic.IMAGE, "nginx"): RuntimeError("defect")})

    verdict = await one.runner.decide(CREATE)

    assert verdict.reason is Reason.INTERNAL_ERROR


# --- the record ----------------------------------------------------------------------------------


async def test_the_record_is_there_before_the_answer(bench, tmp_path):
    """Who has the answer finds its line in the file."""
    sink = Sink(tmp_path / "audit.jsonl")
    one = bench(sink=sink)

    verdict = await one.runner.decide(CREATE)

    line = json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1])
    sink.close()
    assert (line["id"], line["verdict"]) == (verdict.id, "allow")


@pytest.mark.parametrize("blocking", [False, True])
async def test_without_a_record_nothing_is_allowed(bench, blocking):
    """Refused while the disk is full, and allowed again when it is not."""
    one = bench(sink=ScriptedSink(blocking=blocking, fault=AuditUnavailableError("disk full")))

    with capture_logs() as logs:
        refused = await one.runner.decide(CREATE)
    problem = one.runner.audit_problem
    one.sink.fault = None
    allowed = await one.runner.decide(CREATE)

    assert (refused.reason, refused.lets_through) == (Reason.AUDIT_UNAVAILABLE, False)
    assert "disk full" not in refused.message
    assert problem == "disk full"
    assert logs[0]["event"] == "audit.write_failed"
    assert (one.counted("audit_failures_total"), one.decisions("refuse", "audit_unavailable")) == (
        1,
        1,
    )
    assert (allowed.effect, one.runner.audit_problem) == (Effect.ALLOW, "")


@pytest.mark.parametrize(
    ("request_", "goes_on"),
    [
        (PING, True),
        (CREATE, False),
        (PRIVILEGED, False),
        (RawRequest("GET", "/v1.45/nonsense"), False),
    ],
)
async def test_reads_may_go_on_without_a_record(bench, request_, goes_on):
    """Where that is set, and they are counted: what changes something waits for the disk."""
    one = bench(sink=ScriptedSink(fault=AuditUnavailableError("disk full")), allow_reads=True)

    with capture_logs():
        verdict = await one.runner.decide(request_)
    one.sink.fault = None
    await one.runner.decide(PING)
    one.runner.flush()

    assert verdict.lets_through is goes_on
    assert one.counted("audit_failures_total") == 1
    assert [(kind, members["count"]) for kind, members in one.sink.notes] == (
        [(Kind.UNRECORDED, 1)] if goes_on else []
    )


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("fault", [None, AuditUnavailableError("disk full")])
async def test_both_doors_share_a_write_and_what_becomes_of_it(bench, blocking, fault):
    """What the plugin holds back goes before what the proxy waits for, and neither without."""
    one = bench(sink=ScriptedSink(blocking=blocking, fault=fault))
    verdicts = []

    for _ in range(2):
        (await one.runner.decided(PING)).then(verdicts.append)
    early = (list(verdicts), one.counted("in_flight"))
    verdicts.append(await one.runner.decide(replace(PING, door=Door.PROXY)))
    late = one.counted("in_flight")

    assert (early, late) == (([], 2), 0)
    assert one.sink.writes == ([] if fault else [3])
    assert [verdict.lets_through for verdict in verdicts] == [fault is None] * 3
    assert [record.id for record in one.sink.records] == (
        [] if fault else [verdict.id for verdict in verdicts]
    )


async def test_a_refusal_is_held_back_as_well(bench):
    """It needs no room of those that are judged."""
    one = bench(most_in_flight=1)
    held = await one.runner.decided(PING)
    over = await one.runner.decided(PING)
    unread = one.runner.refused(RawRequest("", ""), RefusedError(Reason.UNREADABLE_REQUEST, "no"))

    verdicts = [await each.holds() for each in (held, over, unread)]

    assert [verdict.reason for verdict in verdicts] == [
        Reason.RULE,
        Reason.OVERLOADED,
        Reason.UNREADABLE_REQUEST,
    ]
    assert one.sink.writes == [3]


async def test_an_outcome_is_a_second_record(bench):
    """With what is known of it, and marked where it may belong to another."""
    one = bench()

    one.runner.outcome("id-1", status=201, object_id="c0ffee", duration_s=0.25, ended="whole")
    one.runner.outcome("id-2", bytes_in=0, bytes_out=7, candidates=2)
    one.runner.outcome("id-3", entries=3, hidden=0)
    await until(lambda: one.sink.notes)

    assert one.runner.records_outcomes
    assert one.sink.notes == [
        (
            Kind.OUTCOME,
            {
                "id": "id-1",
                "status": 201,
                "object": "c0ffee",
                "took_us": 250_000,
                "ended": "whole",
            },
        ),
        (Kind.OUTCOME, {"id": "id-2", "bytes_in": 0, "bytes_out": 7, "ambiguous": 2}),
        (Kind.OUTCOME, {"id": "id-3", "entries": 3, "hidden": 0}),
    ]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_record_that_cannot_be_made_refuses(bench, blocking):
    """A defect on the way to the file is no way around the file."""
    one = bench(sink=ScriptedSink(blocking=blocking, fault=TypeError("defect")))

    with capture_logs() as logs:
        verdict = await one.runner.decide(CREATE)

    assert (verdict.reason, verdict.lets_through) == (Reason.INTERNAL_ERROR, False)
    assert logs[0]["event"] == "request.record_failed"
    assert one.counted("audit_failures_total") == 1


async def test_a_disk_is_waited_for_in_a_thread(bench):
    """The answer waits for the record, and the loop for nothing."""
    one = bench(sink=ScriptedSink(blocking=True), time_limit=20)
    one.sink.go.clear()

    deciding = asyncio.create_task(one.runner.decide(CREATE))
    await asyncio.sleep(0.05)
    early = (deciding.done(), list(one.sink.records))
    one.sink.go.set()
    verdict = await deciding

    assert early == (False, [])
    assert verdict.effect is Effect.ALLOW
    assert one.sink.threads == ["audit"]


async def test_records_of_a_thread_keep_their_order(bench):
    """The file tells in which order the decisions came."""
    one = bench(sink=ScriptedSink(blocking=True))

    verdicts = await asyncio.gather(*(one.runner.decide(CREATE) for _ in range(50)))

    assert [record.id for record in one.sink.records] == [verdict.id for verdict in verdicts]


async def test_a_disk_that_hangs_refuses_at_once_after_the_first(bench):
    """The first waits for its time, the next are not queued behind it, and then work goes on."""
    one = bench(sink=ScriptedSink(blocking=True), time_limit=1.2)
    one.sink.go.clear()

    first = await one.runner.decide(CREATE)
    began = time.monotonic()
    second = await one.runner.decide(CREATE)
    took = time.monotonic() - began
    problem = one.runner.audit_problem
    one.sink.go.set()
    await until(lambda: one.sink.records)
    third = await one.runner.decide(CREATE)

    assert (first.reason, second.reason) == (Reason.AUDIT_UNAVAILABLE, Reason.AUDIT_UNAVAILABLE)
    assert took < 0.3
    assert problem == "an earlier record is still being written"
    assert third.effect is Effect.ALLOW
    assert [record.id for record in one.sink.records] == [first.id, third.id]


async def test_a_record_behind_one_that_hangs_is_given_up(bench):
    """What has not begun when its time is over is never written."""
    one = bench(sink=ScriptedSink(blocking=True), time_limit=0.4)
    one.sink.go.clear()

    first = asyncio.create_task(one.runner.decide(CREATE))
    await until(lambda: one.sink.threads)
    both = await asyncio.gather(first, one.runner.decide(CREATE))
    one.sink.go.set()
    one.runner.close()

    assert {verdict.reason for verdict in both} == {Reason.AUDIT_UNAVAILABLE}
    assert [record.id for record in one.sink.records] == [both[0].id]


async def test_a_caller_who_goes_while_it_is_written_leaves_the_record(bench):
    """Cancellation ends the wait, never the record of a decision."""
    one = bench(sink=ScriptedSink(blocking=True), time_limit=20)
    one.sink.go.clear()
    waiting = [asyncio.create_task(one.runner.decide(CREATE)) for _ in range(2)]
    await asyncio.sleep(0.05)

    for task in waiting:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    one.sink.go.set()
    await until(lambda: len(one.sink.records) == len(waiting))

    assert [type(end) for end in ended] == [asyncio.CancelledError] * 2
    assert {record.verdict for record in one.sink.records} == {Effect.ALLOW}
    assert one.counted("in_flight") == 0


async def test_a_caller_who_goes_during_the_judgement_is_gone(bench):
    """Cancellation is not swallowed, and what was not decided is not recorded."""
    one = bench(hanging=[Topic.IMAGE])
    deciding = asyncio.create_task(one.runner.decide(CREATE))
    await asyncio.sleep(0.01)

    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding

    assert (one.sink.records, one.lookups.waiting, one.counted("in_flight")) == ([], 0, 0)


# --- how many at once ----------------------------------------------------------------------------


async def test_one_question_too_many_is_refused_at_once(bench):
    """The 257th is told so while the others are still waiting; then there is room again."""
    one = bench(hanging=[Topic.IMAGE], time_limit=1)
    waiting = [asyncio.create_task(one.runner.decide(CREATE)) for _ in range(256)]
    await asyncio.sleep(0)

    began = time.monotonic()
    verdict = await one.runner.decide(CREATE)
    took = time.monotonic() - began
    in_flight = one.counted("in_flight")
    await asyncio.gather(*waiting)
    after = await one.runner.decide(PING)

    assert (verdict.reason, verdict.lets_through) == (Reason.OVERLOADED, False)
    assert took < 0.5
    assert in_flight == 256
    assert one.sink.records[0].reason is Reason.OVERLOADED
    assert after.effect is Effect.ALLOW


async def test_refusals_and_lookups_of_our_own_take_no_room(bench):
    """Somebody in flight waits for the look-up: it must come back in."""
    one = bench(hanging=[Topic.IMAGE], time_limit=0.3, most_in_flight=1)
    waiting = asyncio.create_task(one.runner.decide(CREATE))
    await asyncio.sleep(0)
    token = one.passes.issue("GET", "/images/nginx/json?manifests=1")

    refused = await one.runner.refuse(PING, RefusedError(Reason.UNREADABLE_REQUEST, "no"))
    own = await one.runner.decide(
        RawRequest("GET", "/images/nginx/json?manifests=1", ((HEADER, token),))
    )
    await waiting

    assert refused.reason is Reason.UNREADABLE_REQUEST
    assert own.effect is Effect.ALLOW


# --- passes --------------------------------------------------------------------------------------


def with_pass(token: str, method: str = "GET", target: str = "/containers/web/json") -> RawRequest:
    """Return a request that carries a pass, in another spelling of the header."""
    return RawRequest(method, target, ((HEADER.upper(), token),))


async def test_a_lookup_of_our_own_is_let_in_once(bench):
    """Counted as a pass, neither recorded nor counted as a decision; again it is refused."""
    one = bench()
    raw = with_pass(one.passes.issue("GET", "/containers/web/json"))

    first = await one.runner.decide(raw)
    recorded = len(one.sink.records)
    again = await one.runner.decide(raw)

    assert (first.effect, recorded, one.lookups.asked) == (Effect.ALLOW, 0, [])
    assert (again.effect, again.reason) == (Effect.REFUSE, Reason.BAD_CREDENTIAL)
    assert one.counted("passes_total", outcome="admitted") == 1
    assert one.counted("passes_total", outcome="refused") == 1
    assert one.decisions("allow", "rule") == 0


@pytest.mark.parametrize(
    ("token", "method", "target"),
    [
        ("", "GET", "/containers/web/json"),
        ("forged.00", "GET", "/containers/web/json"),
        ("\ud800.\ud800", "GET", "/containers/web/json"),
        (Passes(b"x" * KEY_BYTES).issue("GET", "/info"), "GET", "/info"),
        (Passes(b"k" * KEY_BYTES).issue("GET", "/containers/db/json"), "GET", "/containers/w/json"),
        (Passes(b"k" * KEY_BYTES).issue("GET", "/_ping"), "GET", "/_ping"),
        (
            Passes(b"k" * KEY_BYTES).issue("POST", "/containers/create"),
            "POST",
            "/containers/create",
        ),
        (Passes(b"k" * KEY_BYTES, lambda: time.time() - 60).issue("GET", "/info"), "GET", "/info"),
    ],
    ids=["empty", "forged", "surrogates", "foreign", "moved", "no-lookup", "a-change", "old"],
)
async def test_a_pass_that_does_not_hold_refuses_and_is_recorded(bench, token, method, target):
    """Even where the policy would have allowed the request without any pass."""
    one = bench()

    verdict = await one.runner.decide(with_pass(token, method, target))

    assert (verdict.reason, verdict.lets_through) == (Reason.BAD_CREDENTIAL, False)
    assert one.sink.records[0].reason is Reason.BAD_CREDENTIAL
    assert one.counted("passes_total", outcome="refused") == 1


async def test_a_failure_of_the_system_ends_no_stream(policy):
    """Keys that do not come in time are no denial; a proof that does not hold is one."""

    async def hanging(_evidence):
        await asyncio.Event().wait()

    def expired(_evidence):
        raise RefusedError(Reason.BAD_CREDENTIAL, "it has expired")

    sink = ScriptedSink()
    parts = Parts(
        methods=(anonymous,),
        policy=policy,
        lookups=ScriptedLookups(),
        passes=Passes(b"k" * KEY_BYTES),
        sink=sink,
    )
    driver = Runner(parts, time_limit=0.1)
    try:
        raw = RawRequest("GET", "/_ping", door=Door.PROXY)
        standing = (await driver.decide(raw)).standing
        evidence = raw.evidence
        slow = Entrance((anonymous,), policy, before=hanging)
        over = Entrance((expired,), policy)
        assert await driver.still(standing, evidence, Entrance((anonymous,), policy)) is None
        assert await driver.still(standing, evidence, slow) is None
        verdict = await driver.still(standing, evidence, over)
    finally:
        driver.close()

    assert verdict.reason is Reason.BAD_CREDENTIAL
    assert [record.reason for record in sink.records] == [Reason.RULE, Reason.BAD_CREDENTIAL]


async def test_a_pass_is_worth_nothing_at_the_proxy(policy):
    """A client could have stolen one; what it asks is judged."""
    sink = ScriptedSink()
    passes = Passes(b"k" * KEY_BYTES)
    parts = Parts(
        methods=(anonymous,),
        policy=policy,
        lookups=ScriptedLookups(),
        passes=passes,
        sink=sink,
    )
    driver = Runner(parts)
    try:
        stolen = ((HEADER, passes.issue("GET", "/info")),)
        verdict = await driver.decide(RawRequest("GET", "/info", stolen, door=Door.PROXY))
    finally:
        driver.close()

    assert verdict.effect is Effect.DENY
    assert len(sink.records) == 1
