"""What is kept of the daemon's answers, and what is asked afresh."""

import json
from dataclasses import dataclass, field

import pytest

from authz.errors import LookupFailedError
from authz.facts.questions import MISSING, Question, Topic
from authz.lookups import cache as module
from authz.lookups.cache import ALIVE, BEHIND, LASTS, LONGEST, MOST_AT_ONCE, Cache
from tests.fakes import Clock

WEB = "4b" * 32
NET = "7e" * 32
EXEC = "9c" * 32
RUNNING = {"Id": WEB, "State": {"Running": True, "Restarting": False}}
BY_ID = Question(Topic.CONTAINER, WEB)
BY_NAME = Question(Topic.CONTAINER, "web")
THE_NET = Question(Topic.NETWORK, NET)
THE_EXEC = Question(Topic.EXEC, EXEC)


@dataclass
class Source:
    """Answers what the script says, and runs something before it does."""

    script: dict = field(default_factory=dict)
    size: int = 100
    asked: list = field(default_factory=list)
    before: list = field(default_factory=list)

    async def sized(self, question):
        """Answer."""
        self.asked.append(question)
        while self.before:
            self.before.pop()()
        answer = self.script.get(question, MISSING)
        if isinstance(answer, Exception):
            raise answer
        return answer, self.size


@dataclass
class Scene:
    """A cache with its source and its clock, following."""

    source: Source
    clock: Clock
    cache: Cache

    async def kept(self, question, *, by=None) -> bool:
        """Ask twice, first by another question if wanted; say whether the second was kept."""
        await self.cache.answer(by or question)
        before = len(self.source.asked)
        await self.cache.answer(question)
        return len(self.source.asked) == before


@pytest.fixture
def scene():
    """Begin, with the first moment over."""
    script = {
        BY_ID: RUNNING,
        BY_NAME: RUNNING,
        THE_NET: {"Id": NET, "Scope": "local"},
        THE_EXEC: {"ID": EXEC, "ContainerID": WEB},
    }
    source, clock = Source(script), Clock()
    cache = Cache(source, clock=clock, wall=clock)
    cache.live()
    cache.follow()
    clock.now += 3
    cache._alive = clock.now
    return Scene(source, clock, cache)


def event(action="die", kind="container", actor=WEB, age=0.0, now=103.0, **attributes):
    """Write an event."""
    return json.dumps(
        {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor, "Attributes": attributes},
            "timeNano": int((now - age) * 1e9),
        }
    ).encode()


@pytest.mark.parametrize("question", [BY_ID, THE_NET, THE_EXEC])
async def test_what_was_asked_by_its_id_is_kept(question, scene):
    """An id never means another object."""
    assert await scene.kept(question)
    assert await scene.cache.answer(question) == scene.source.script[question]


async def test_a_name_is_asked_each_time(scene):
    """It can be given to another object; what it led to is known by its id."""
    assert not await scene.kept(BY_NAME)
    assert await scene.kept(BY_ID, by=BY_NAME)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (BY_ID, MISSING),
        (BY_ID, {"Id": WEB, "State": {"Running": False, "Restarting": False}}),
        (BY_ID, {"Id": WEB, "State": {"Running": True, "Restarting": True}}),
        (BY_ID, {"Id": WEB, "State": {"Running": True}}),
        (BY_ID, {"Id": WEB}),
        (BY_ID, {"Id": "web", "State": RUNNING["State"]}),
        (BY_ID, {"State": RUNNING["State"]}),
        (THE_NET, {"Id": NET, "Scope": "swarm"}),
        (Question(Topic.VOLUME, "data"), {"Name": "data"}),
        (Question(Topic.IMAGE, "nginx"), {"Id": "sha256:" + "1c" * 32}),
        (Question(Topic.SERVICE, "api"), {"ID": "0a1b"}),
    ],
)
async def test_what_can_change_without_a_word_is_asked_each_time(question, answer, scene):
    """And what is not there, which may be made at any time."""
    scene.source.script[question] = answer

    assert not await scene.kept(question)


async def test_a_failure_is_no_answer(scene):
    """It is told, and the next one asks again."""
    scene.source.script[BY_ID] = LookupFailedError("no daemon")
    with pytest.raises(LookupFailedError):
        await scene.cache.answer(BY_ID)
    scene.source.script[BY_ID] = RUNNING

    assert await scene.cache.answer(BY_ID) == RUNNING


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        (event("die"), {BY_ID, THE_EXEC}),
        (event("rename"), {BY_ID, THE_EXEC}),
        (event("something new"), {BY_ID, THE_EXEC}),
        (event("connect", "network", NET, container=WEB), {BY_ID, THE_EXEC, THE_NET}),
        (event("destroy", "network", NET), {THE_NET}),
        (event("die", actor="5d" * 32), set()),
        (event("exec_create: sh"), set()),
        (event("exec_die", execID=EXEC), set()),
        (event("health_status: healthy"), set()),
        (event("die", age=BEHIND + 0.1), {BY_ID, THE_EXEC, THE_NET}),
        (b"{", {BY_ID, THE_EXEC, THE_NET}),
        (b"[]", {BY_ID, THE_EXEC, THE_NET}),
        (b'{"Type":"container"}', {BY_ID, THE_EXEC, THE_NET}),
        (event("die").replace(b'"ID"', b'"id"'), {BY_ID, THE_EXEC, THE_NET}),
        (event("die").replace(b'"die"', b"7"), {BY_ID, THE_EXEC, THE_NET}),
        (b"[" * 100_000, {BY_ID, THE_EXEC, THE_NET}),
    ],
)
async def test_an_event_drops_what_it_is_about(line, gone, scene):
    """And everything where that cannot be told."""
    for question in (BY_ID, THE_NET, THE_EXEC):
        await scene.cache.answer(question)
    scene.cache.tell([line])

    assert set(scene.cache._entries) == {BY_ID, THE_NET, THE_EXEC} - gone


async def test_an_answer_that_an_event_overtook_is_not_kept(scene):
    """It may be from before the change, and no further event would come."""
    scene.source.before.append(lambda: scene.cache.tell([event("rename")]))
    await scene.cache.answer(BY_ID)
    assert scene.cache._entries == {}

    scene.source.before.append(scene.cache.lose)
    await scene.cache.answer(BY_ID)
    assert scene.cache._entries == {}


@pytest.mark.parametrize("how", ["lose", "forget", "follow"])
async def test_without_events_everything_is_asked(how, scene):
    """Also for a moment after they begin, or may have been missed."""
    await scene.cache.answer(BY_ID)
    getattr(scene.cache, how)()

    assert not scene.cache.current
    assert not await scene.kept(BY_ID)
    scene.clock.now += BEHIND
    scene.cache._alive = scene.clock.now
    assert scene.cache.current is (how != "lose")


async def test_a_process_that_stood_still_believes_nothing(scene):
    """Events may wait in the socket: neither before nor shortly after the next sign of life."""
    await scene.cache.answer(BY_ID)
    scene.clock.now += ALIVE + 0.1
    assert not scene.cache.current
    scene.cache.live()
    assert not scene.cache.current
    assert scene.cache._entries == {}


async def test_many_events_at_once_may_not_be_all(scene):
    """The daemon drops some for a reader that is slow."""
    await scene.cache.answer(THE_NET)
    scene.cache.tell([event("top")] * MOST_AT_ONCE)
    assert scene.cache.current
    scene.cache.tell([event("top")] * (MOST_AT_ONCE + 1))
    assert not scene.cache.current


async def test_nothing_is_believed_for_long(scene):
    """An event that was lost is made good by time."""
    await scene.cache.answer(BY_ID)
    scene.clock.now += LASTS
    scene.cache._alive = scene.clock.now
    before = len(scene.source.asked)
    await scene.cache.answer(BY_ID)

    assert len(scene.source.asked) == before + 1


async def test_room_is_bounded(scene, monkeypatch):
    """By number, by bytes, and for one document; the oldest goes first."""
    monkeypatch.setattr(module, "MOST_ENTRIES", 2)
    monkeypatch.setattr(module, "MOST_BYTES", 250)
    ids = [f"{number:064x}" for number in range(4)]
    for id_ in ids:
        question = Question(Topic.NETWORK, id_)
        scene.source.script[question] = {"Id": id_, "Scope": "local"}
        await scene.cache.answer(question)
    assert [question.key for question in scene.cache._entries] == ids[2:]

    scene.source.size = 200
    await scene.cache.answer(BY_ID)
    assert list(scene.cache._entries) == [BY_ID]
    assert scene.cache._size == 200

    scene.source.size = LONGEST + 1
    await scene.cache.answer(THE_NET)
    assert list(scene.cache._entries) == [BY_ID]


async def test_a_newer_answer_takes_the_older_ones_place(scene):
    """A name that is asked again brings what its id has now."""
    await scene.cache.answer(BY_ID)
    newer = {**RUNNING, "Name": "/web"}
    scene.source.script[BY_NAME] = newer
    await scene.cache.answer(BY_NAME)

    assert await scene.cache.answer(BY_ID) == newer
    assert scene.cache._size == 100
