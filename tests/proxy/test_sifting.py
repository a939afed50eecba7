"""Filtered answers on real sockets: what the daemon is asked, and what the client gets."""

import asyncio
import json
from dataclasses import replace

import pytest

from authz.audit.record import Mode
from authz.errors import Reason, RefusedError
from authz.facts.questions import Question, Topic
from authz.identity.chain import anonymous
from authz.identity.identity import Identity, Proof
from authz.proxy import sifting
from authz.proxy.sieve import MOST_HELD
from authz.proxy.sifting import sifters
from authz.wire.evidence import Evidence
from authz.wire.raw import Door, RawRequest
from tests.fakes import ScriptedLookups, until
from tests.proxy.scripted import a_stage, answering

ROWS = (
    "p, *, *, *, **, *, allow\n"
    "p, *, *, *, on:unknown, *, allow\n"
    "p, *, *, container.inspect, on:foreign, *, deny\n"
    "p, *, *, network.inspect, on:foreign, *, deny\n"
)
OTHERS = {"dockgate.owner": "user:ben"}
MINE = {"Id": "mine", "Names": ["/mine"], "Image": "nginx", "Labels": {}}
LIST = [MINE, {**MINE, "Id": "other", "Labels": OTHERS}, {**MINE, "Id": "more"}]
ASK = b"GET /v1.41/containers/json%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
LAST = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
EVENTS = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"


def answer_of(document):
    """Answer as the daemon does."""
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def read(answer):
    """Return status and document of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def ids(answer):
    """Return the ids in a list."""
    status, found = read(answer)
    assert status == 200
    return [each["Id"] for each in found]


def filtering(tmp_path, document=LIST, **more):
    """Run a proxy that filters before a daemon with one answer."""
    more.setdefault("rows", ROWS)
    return a_stage(tmp_path, answering(answer_of(document)), filters=True, **more)


def listing_events(*batches):
    """Return a script that begins a stream, and sends each batch when it is told to."""
    go = [asyncio.Event() for _ in batches]

    def made(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for event, batch in zip(go, batches, strict=True):
                await event.wait()
                writer.write(b"%x\r\n%s\r\n" % (len(batch), batch))
            await reader.read()

        return script

    return made, go


def an_event(kind, key, **attributes):
    """Write one."""
    return (
        json.dumps({"Type": kind, "Actor": {"ID": key, "Attributes": attributes}}).encode() + b"\n"
    )


async def test_a_list_is_filtered_and_the_next_one_too(tmp_path):
    """On one connection of the client, and one to the daemon."""
    async with filtering(tmp_path) as stage:
        first, second = (await stage.ask(ASK % b"" + LAST % b"")).split(b"HTTP/1.1 200 OK")[1:]

    assert ids(b"x 200 " + first) == ids(b"x 200 " + second) == ["mine", "more"]
    assert stage.daemon.connections == 1
    assert [(each.entries, each.hidden) for each in stage.outcomes] == [(3, 1)] * 2
    assert stage.shared.sifters.room.left == MOST_HELD


async def test_the_daemon_is_asked_for_all_in_plain(tmp_path):
    """It neither counts nor encodes."""
    async with filtering(tmp_path) as stage:
        answer = await stage.ask(LAST % b"?limit=1")

    assert ids(answer) == ["mine"]
    assert stage.daemon.heads[0].startswith(b"GET /v1.41/containers/json?all=1 HTTP/1.1\r\n")
    assert b"Encoding" not in stage.daemon.heads[0]


async def test_what_is_sent_is_what_is_signed(tmp_path):
    """A plugin behind us is asked about the changed request."""
    signed = []
    async with filtering(tmp_path) as stage:
        stage.server._services = replace(
            stage.server._services, sign=lambda sent: signed.append(sent.target) or (("A", "b"),)
        )
        await stage.ask(LAST % b"?limit=1")

    assert signed == ["/v1.41/containers/json?all=1"]
    assert b"A: b\r\n" in stage.daemon.heads[0]


async def test_a_listener_that_does_not_filter_passes_on(tmp_path):
    """And asks the daemon as it was asked."""
    async with a_stage(tmp_path, answering(answer_of(LIST)), rows=ROWS) as stage:
        answer = await stage.ask(LAST % b"?limit=1")

    assert ids(answer) == ["mine", "other", "more"]
    assert b"?limit=1 " in stage.daemon.heads[0]
    assert stage.outcomes[0].entries is None
    assert stage.server._services.sift is None


async def test_other_answers_are_not_touched(tmp_path):
    """Only lists and events have entries."""
    async with filtering(tmp_path, {"Id": "other"}) as stage:
        answer = await stage.ask(b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert read(answer) == (200, {"Id": "other"})
    assert stage.outcomes[0].entries is None


async def test_a_head_of_a_list_is_no_request(tmp_path):
    """The daemon has no such route; it would tell the length of everybody's list."""
    async with filtering(tmp_path) as stage:
        answer = await stage.ask((LAST % b"").replace(b"GET", b"HEAD"))

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert stage.daemon.heads == []


async def test_a_denied_list_is_not_asked_for(tmp_path):
    """Filtering grants nothing."""
    rows = ROWS + "p, *, *, container.list, on:list, *, deny\n"
    async with filtering(tmp_path, rows=rows) as stage:
        assert (await stage.ask(LAST % b"")).startswith(b"HTTP/1.1 403 ")

    assert stage.daemon.heads == []


async def test_shadow_mode_shows_everything_and_says_what_it_would_hide(tmp_path):
    """In the outcome."""
    async with filtering(tmp_path, mode=Mode.SHADOW) as stage:
        assert ids(await stage.ask(LAST % b"")) == ["mine", "other", "more"]

    assert (stage.outcomes[0].entries, stage.outcomes[0].hidden) == (3, 1)


async def test_an_answer_that_is_no_list_is_a_failure(tmp_path):
    """In the daemon's own format, with the connection still good."""
    async with filtering(tmp_path, {"a": 1}) as stage:
        status, found = read(await stage.ask(LAST % b""))

    assert (status, found) == (
        502,
        {"message": "dockgate: failed: the daemon's answer cannot be read: it is no list"},
    )
    assert stage.shared.sifters.room.left == MOST_HELD


async def test_what_takes_too_long_is_a_failure(tmp_path, monkeypatch):
    """Look-ups that hang take away the answer, not the entries that could not be looked up."""
    monkeypatch.setattr(sifting, "TIME_LIMIT", 0.05)
    hanging = ScriptedLookups(hanging=frozenset({Topic.SERVICE}))
    tasks = [{"ID": "t1", "ServiceID": "s1"}]
    async with filtering(tmp_path, tasks, lookups=hanging) as stage:
        status, found = read(await stage.ask((LAST % b"").replace(b"containers/json", b"tasks")))

    assert (status, found["message"]) == (
        502,
        "dockgate: failed: it took too long to tell what may be seen",
    )


async def test_who_goes_away_meanwhile_holds_nothing(tmp_path, monkeypatch):
    """What was held is given back, when the judgement ends at the latest."""
    monkeypatch.setattr(sifting, "TIME_LIMIT", 0.2)
    hanging = ScriptedLookups(hanging=frozenset({Topic.SERVICE}))
    tasks = [{"ID": "t1", "ServiceID": "s1"}]
    async with filtering(tmp_path, tasks, lookups=hanging) as stage:
        _, writer = await stage.connect()
        writer.write((ASK % b"").replace(b"containers/json", b"tasks"))
        await until(lambda: hanging.waiting)
        assert stage.shared.sifters.room.left < MOST_HELD
        writer.transport.abort()
        await until(lambda: stage.shared.sifters.room.left == MOST_HELD)


async def test_what_a_slow_client_has_not_taken_is_held(tmp_path):
    """So that many of them cannot fill the memory."""
    many = [{**MINE, "Padding": "x" * 1000}] * 1000
    async with filtering(tmp_path, many) as stage:
        reader, writer = await stage.connect()
        writer.write(LAST % b"")
        await until(lambda: stage.outcomes)
        assert stage.shared.sifters.room.left < MOST_HELD
        found = await reader.read()
        writer.close()
        assert len(ids(found)) == 1000
        await until(lambda: stage.shared.sifters.room.left == MOST_HELD)


async def test_a_slow_client_that_goes_away_holds_nothing(tmp_path):
    """What was written for it is thrown away."""
    async with filtering(tmp_path, [{**MINE, "Padding": "x" * 1000}] * 1000) as stage:
        _, writer = await stage.connect()
        writer.write(ASK % b"")
        await until(lambda: stage.outcomes)
        assert stage.shared.sifters.room.left < MOST_HELD
        writer.transport.abort()
        await until(lambda: stage.shared.sifters.room.left == MOST_HELD)


async def test_what_was_taken_is_given_up_at_once(tmp_path):
    """A client may keep its connection for hours."""
    async with filtering(tmp_path) as stage:
        reader, writer = await stage.connect()
        writer.write(ASK % b"")
        await reader.readuntil(b"]\n")

        assert stage.shared.sifters.room.left == MOST_HELD
        writer.close()


async def test_only_so_many_are_judged_at_once(tmp_path, monkeypatch):
    """Others wait for their turn."""
    monkeypatch.setattr(sifting, "TIME_LIMIT", 0.2)
    monkeypatch.setattr(sifting, "MOST_OF_ONE", sifting.MOST_AT_ONCE)
    hanging = ScriptedLookups(hanging=frozenset({Topic.SERVICE}))
    tasks = [{"ID": "t1", "ServiceID": "s1"}]
    async with filtering(tmp_path, tasks, lookups=hanging) as stage:
        writers = [(await stage.connect())[1] for _ in range(10)]
        for writer in writers:
            writer.write((ASK % b"").replace(b"containers/json", b"tasks"))
        await until(stage.shared.sifters.turns._all.locked)
        await until(lambda: len(stage.outcomes) == 10)
        for writer in writers:
            writer.close()
    assert [each.status for each in stage.outcomes] == [502] * 10


async def test_events_are_filtered_as_they_come(tmp_path):
    """By themselves, or by a look-up."""
    script = {
        Question(Topic.NETWORK, key): {"Id": key, "Labels": labels}
        for key, labels in (("n1", None), ("n2", OTHERS))
    }
    first = an_event("container", "c1", name="a") + an_event("container", "c2", **OTHERS)
    second = an_event("network", "n2") + an_event("network", "n1")
    made, go = listing_events(first, second)
    lookups = ScriptedLookups(script)
    async with a_stage(tmp_path, made, filters=True, rows=ROWS, lookups=lookups) as stage:
        reader, writer = await stage.connect()
        writer.write(EVENTS)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        for event, shown in zip(go, (b'"c1"', b'"n1"'), strict=True):
            event.set()
            assert shown in await reader.readuntil(b"}}\n\r\n")
        writer.close()
        await until(lambda: stage.outcomes)

    assert (stage.outcomes[0].entries, stage.outcomes[0].hidden) == (4, 2)


async def test_nothing_more_is_taken_from_the_daemon_while_events_are_judged(tmp_path, monkeypatch):
    """What comes meanwhile waits at the daemon."""
    monkeypatch.setattr(sifting, "TIME_LIMIT", 0.4)
    flood = b"".join(an_event("container", f"c{at}", padding="x" * 1000) for at in range(4000))
    made, go = listing_events(an_event("network", "n1"), flood)
    hanging = ScriptedLookups(hanging=frozenset({Topic.NETWORK}))
    async with a_stage(tmp_path, made, filters=True, rows=ROWS, lookups=hanging) as stage:
        reader, writer = await stage.connect()
        writer.write(EVENTS)
        await reader.readuntil(b"\r\n\r\n")
        go[0].set()
        await until(lambda: hanging.waiting)
        go[1].set()
        await asyncio.sleep(0.1)
        assert MOST_HELD - stage.shared.sifters.room.left < 1_000_000
        await until(lambda: stage.outcomes)
        writer.close()


def a_sifting(stage, methods=(anonymous,)):
    """Begin with a verdict."""
    entrance = replace(stage.server._listener.entrance, methods=methods)
    shared = stage.shared

    async def made(raw):
        verdict = await shared.runner.decide(raw, stage.server._listener.entrance)
        return sifting.sifting(shared.runner, entrance, verdict, sifters())

    return made


async def test_a_stream_goes_by_the_proofs_of_now(tmp_path):
    """Groups change while it lasts; proofs that fail change nothing here."""
    now = [Identity("user:anonymous", ("group:os/dev",), proof=Proof.PEER)]

    def proved(evidence):
        del evidence
        if not now:
            raise RefusedError(Reason.BAD_CREDENTIAL, "gone")
        return now[0]

    async with filtering(tmp_path) as stage:
        await asyncio.sleep(0)
        raw = RawRequest("GET", "/events", door=Door.PROXY)
        found = await a_sifting(stage, (proved,))(raw)
        assert found.view.identity.groups == ()
        found.renew(Evidence())
        assert found.view.identity == now[0]
        now.clear()
        found.renew(Evidence())
        assert found.view.identity.groups == ("group:os/dev",)


async def test_a_change_of_groups_counts_for_the_next_event(tmp_path):
    """Each time that the stream itself is judged again."""
    dev = Identity("user:ann", ("group:os/dev",), proof=Proof.PEER)
    now = [dev]
    rows = (
        "p, *, *, system.events, on:host, *, allow\n"
        "p, group:os/dev, *, container.inspect, on:unowned, *, allow\n"
        "p, *, *, container.inspect, on:own, *, allow\n"
    )
    mine = {"dockgate.owner": "user:ann"}
    first = an_event("container", "c1")
    second = an_event("container", "c2") + an_event("container", "c3", **mine)
    made, go = listing_events(first, second)
    methods = (lambda _evidence: now[0],)
    async with a_stage(tmp_path, made, filters=True, rows=rows, methods=methods) as stage:
        reader, writer = await stage.connect()
        writer.write(EVENTS)
        go[0].set()
        assert b'"c1"' in await reader.readuntil(b"}}\n\r\n")
        now[0] = replace(dev, groups=())
        for connection in [*stage.server._connections]:
            await connection.check()
        go[1].set()
        assert b'"c2"' not in await reader.readuntil(b'user:ann"}}}\n\r\n')
        writer.close()


async def test_what_was_asked_for_meanwhile_is_seen_by_who_asked(tmp_path):
    """Another caller on the same connection, while the proofs of the one before were looked at."""
    ann, ben = (Identity(f"user:{name}", proof=Proof.JWT) for name in ("ann", "ben"))
    rows = "p, *, *, *, on:host|on:list, *, allow\np, *, *, container.inspect, on:own, *, allow\n"
    go, begun, held = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def made(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            writer.write(answer_of([]))
            await daemon.head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await go.wait()
            events = [
                an_event("container", key, **{"dockgate.owner": f"user:{key}"}) for key in who
            ]
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (sum(map(len, events)), b"".join(events)))

        return script

    who = ("ann", "ben")
    methods = (lambda evidence: ann if evidence.bearer == "ann" else ben,)
    async with a_stage(tmp_path, made, filters=True, rows=rows, methods=methods) as stage:

        async def still(_standing, _evidence):
            begun.set()
            await held.wait()

        stage.server._services = replace(stage.server._services, still=still)
        reader, writer = await stage.connect()
        writer.write((ASK % b"").replace(b"Host", b"Authorization: Bearer ann\r\nHost"))
        await reader.readuntil(b"]\n")
        (connection,) = stage.server._connections
        checking = asyncio.create_task(connection.check())
        await begun.wait()
        writer.write(EVENTS.replace(b"Host", b"Authorization: Bearer ben\r\nHost"))
        await reader.readuntil(b"\r\n\r\n")
        held.set()
        await checking
        go.set()
        told = await reader.readuntil(b"0\r\n\r\n")
        writer.close()

    assert b"user:ben" in told
    assert b"user:ann" not in told


async def test_nobody_looks_on_in_the_place_of_another(tmp_path):
    """Proofs that name somebody else end the stream elsewhere."""
    ben = Identity("user:ben", proof=Proof.JWT)
    async with filtering(tmp_path) as stage:
        await asyncio.sleep(0)
        raw = RawRequest("GET", "/events", door=Door.PROXY)
        found = await a_sifting(stage, (lambda _evidence: ben,))(raw)
        found.renew(Evidence())
        assert found.view.identity.subject == "user:anonymous"


@pytest.mark.parametrize("target", ["/info", "/containers/x/json"])
async def test_only_lists_and_events_are_sifted(tmp_path, target):
    """Anything else has one object, or none."""
    async with filtering(tmp_path) as stage:
        await asyncio.sleep(0)
        assert await a_sifting(stage)(RawRequest("GET", target, door=Door.PROXY)) is None


async def test_what_was_not_let_through_has_no_answer(tmp_path):
    """Whoever asks for it all the same has a defect, and passes nothing on."""
    async with filtering(tmp_path) as stage:
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="by what was judged"):
            await a_sifting(stage)(RawRequest("GET", "/nowhere", door=Door.PROXY))
