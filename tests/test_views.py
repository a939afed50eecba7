"""Who sees what of an answer: what he could inspect, and what cannot be judged never."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from authz import gate, views
from authz.audit.record import Mode
from authz.errors import LookupFailedError
from authz.facts.listings import LISTINGS, Sighting, sighted, sighted_in_event
from authz.facts.questions import Question, Topic
from authz.identity.identity import Identity, Proof
from authz.inquiry import Asker
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.policy.grants import Grant, Grants, granted
from authz.policy.vocabulary import vocabulary
from authz.views import Around, Sight, View
from authz.wire.raw import Door, RawRequest
from tests.builders import a_call, a_stored_container
from tests.fakes import ScriptedLookups
from tests.policies import a_bundle
from tests.policy.models.samples import ACL, conf

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ANN = Identity("user:ann", tenant="red", proof=Proof.PEER)
MINE, OTHERS = {"dockgate.owner": "user:ann"}, {"dockgate.owner": "user:ben"}
LOST = "sha256:" + "ab" * 32
ROWS = (
    "p, *, *, *.read, on:own|list|host|unknown, *, allow\n"
    "p, *, *, container.inspect, on:unowned, name=red-*, allow\n"
    "p, *, *, volume.inspect, on:unowned, label.for=red, allow\n"
)
BY_IMAGE = ROWS + "p, *, *, container.inspect, on:own, image=*/secret/**, deny\n"
SHOWN, HIDDEN, FAILED = Sight.SHOWN, Sight.HIDDEN, Sight.FAILED


@pytest.fixture
def eyes(tmp_path):
    """Return a way to look with somebody's eyes, by rows."""

    def made(
        rows=ROWS,
        script=None,
        *,
        mode=Mode.ENFORCE,
        grants=None,
        listing="ContainerList",
        **more,
    ):
        path = tmp_path / "policy"
        path.mkdir(exist_ok=True)
        policy = CurrentPolicy(str(a_bundle(path, policy=rows, people="", **more)), grants=grants)
        lookups = ScriptedLookups(script or {})
        metrics = Metrics()
        around = Around(Asker(lookups, metrics), gate.Limits(), metrics, mode, lambda: NOW)
        raw = RawRequest("GET", "/containers/json", door=Door.PROXY)
        standing = gate.Standing(raw, a_call(listing), ANN, None, {})
        view = View(around, policy, standing, ANN)
        return view, lookups

    return made


def container(labels=None, name="web", image="nginx", key="c1"):
    """See a container as a list has it."""
    entry = {"Id": key, "Names": [f"/{name}"], "Image": image, "Labels": labels}
    return sighted(LISTINGS["ContainerList"].places[()], entry)


async def seen(view, *sightings):
    """Look at objects, each alone."""
    return await view.look([[each] for each in sightings])


async def test_what_another_model_asks_for_is_looked_up_as_well(eyes):
    """Where the entry does not tell it for certain."""
    model = conf(
        r="sub, act, obj, ctx",
        p="sub, act, obj, image, eft",
        m=f"{ACL} && keyMatch(r.ctx.image, p.image)",
    )
    rows = "p, user:ann, container.inspect, on:own, docker.io/library/nginx*, allow\n"
    stored = {**a_stored_container(MINE), "Id": "c1"}
    script = {Question(Topic.CONTAINER, "c1"): stored}
    view, lookups = eyes(rows, script, model=model, bundle="packs = []\n")

    assert await seen(view, container(MINE, image=LOST)) == [SHOWN]
    assert await seen(view, container(MINE), container(MINE, image="redis")) == [SHOWN, HIDDEN]
    assert lookups.asked == [Question(Topic.CONTAINER, "c1")]


async def test_one_sees_what_is_ones_own(eyes):
    """By the labels of the entry: nobody is asked."""
    view, lookups = eyes()

    found = await seen(view, container(MINE), container(OTHERS), container())

    assert found == [SHOWN, HIDDEN, HIDDEN]
    assert lookups.asked == []


async def test_conditions_are_those_of_the_object(eyes):
    """Its name, and its labels."""
    view, _ = eyes()
    see = LISTINGS["VolumeList"].places["Volumes",]
    volumes = [sighted(see, {"Name": "v", "Labels": {"for": who}}) for who in ("red", "blue")]

    assert await seen(view, container(name="red-web"), container(name="blue-web")) == [
        SHOWN,
        HIDDEN,
    ]
    assert await seen(view, *volumes) == [SHOWN, HIDDEN]


async def test_what_a_list_leaves_in_doubt_is_looked_up_where_a_row_asks_for_it(eyes):
    """An image that lost its name: shown by its id, and stored under the name."""
    stored = {**a_stored_container(MINE), "Id": "c1"}
    script = {Question(Topic.CONTAINER, "c1"): stored}
    view, lookups = eyes(BY_IMAGE, script)

    assert await seen(view, container(MINE, image=LOST)) == [SHOWN]
    assert lookups.asked == [Question(Topic.CONTAINER, "c1")]
    stored["Config"]["Image"] = "registry.example/secret/web"
    assert await seen(view, container(MINE, image=LOST)) == [HIDDEN]


async def test_a_doubt_that_changes_nothing_costs_nothing(eyes):
    """No row asks for an image, and no doubt takes away what is granted without it."""
    view, lookups = eyes()

    found = await seen(view, container(MINE, image=LOST), container(OTHERS, image=LOST))

    assert found == [SHOWN, HIDDEN]
    assert lookups.asked == []


async def test_what_is_not_known_from_the_entry_is_asked_once(eyes):
    """Two tasks of a service; a service of somebody else."""
    script = {
        Question(Topic.SERVICE, "s1"): {"ID": "s1", "Spec": {"Labels": MINE}},
        Question(Topic.SERVICE, "s2"): {"ID": "s2", "Spec": {"Labels": OTHERS}},
    }
    view, lookups = eyes(script=script)
    see = LISTINGS["TaskList"].places[()]
    tasks = [("t1", "s1"), ("t2", "s1"), ("t3", "s2"), ("t4", "gone")]
    entries = [sighted(see, {"ID": task, "ServiceID": service}) for task, service in tasks]

    assert await seen(view, *entries) == [SHOWN, SHOWN, HIDDEN, HIDDEN]
    assert [each.key for each in lookups.asked] == ["s1", "s2", "gone"]


async def test_what_cannot_be_looked_up_is_not_shown(eyes):
    """One failure takes away its own objects."""
    script = {
        Question(Topic.NETWORK, "n1"): LookupFailedError("no answer in time"),
        Question(Topic.NETWORK, "n2"): {"Id": "n2", "Name": "x", "Labels": MINE},
    }
    view, _ = eyes(script=script)
    networks = [Sighting("NetworkInspect", key) for key in ("n1", "n2")]

    assert await seen(view, *networks) == [FAILED, SHOWN]


async def test_what_raises_ever_more_questions_is_not_shown(eyes, monkeypatch):
    """There is an end to asking."""
    monkeypatch.setattr(views, "MOST_ROUNDS", 0)
    view, _ = eyes(script={Question(Topic.NETWORK, "n1"): {"Id": "n1", "Labels": MINE}})

    assert await seen(view, Sighting("NetworkInspect", "n1")) == [FAILED]


async def test_what_tells_of_nothing_or_of_too_much_is_not_shown(eyes):
    """An entry without an object; one of two, of which one is somebody else's."""
    view, _ = eyes()
    mine, others = container(MINE), container(OTHERS)

    assert await view.look([[], [mine, others], [mine, mine]]) == [FAILED, HIDDEN, SHOWN]


async def test_what_is_wrong_in_an_entry_hides_it_alone(eyes):
    """A value of another type than the daemon's."""
    view, _ = eyes()
    broken = Sighting("ContainerInspect", "c2", {"Config": {"Labels": 7}})

    assert await seen(view, broken, container(MINE)) == [FAILED, SHOWN]


async def test_a_defect_hides_and_is_told(eyes):
    """As a defect of the gate refuses."""
    view, _ = eyes()
    broken = Sighting("ContainerInspect", "c2", {"Config": {"Image": "nginx"}, "Name": "/x"})
    view.standing = view.standing._replace(request=None)
    with capture_logs() as logs, pytest.raises(AttributeError):
        await seen(view, broken)
    assert logs == []
    view, _ = eyes()
    view.around = replace(view.around, now=lambda: "no time")
    with capture_logs() as logs:
        assert await seen(view, broken) == [FAILED]
    assert logs[0]["event"] == "entry.judgement_failed"


async def test_the_policy_and_the_grants_are_those_of_now(eyes, tmp_path):
    """A view lasts as long as its stream; what counts is what is in force at each look."""
    grants = Grants()
    view, _ = eyes(grants=grants)
    words = vocabulary(view.policy.snapshot.bundle.groups)
    until = NOW.replace(hour=13)
    facts = ("on:foreign",)
    grant = Grant("g", "user:ann", "container.inspect", facts, "INC-1", "user:root", NOW, until)
    assert await seen(view, container(OTHERS)) == [HIDDEN]

    grants.granted = (granted(grant, float("inf"), words),)
    assert await seen(view, container(OTHERS)) == [SHOWN]
    grants.granted = ()
    (tmp_path / "policy/policy.csv").write_text(ROWS.replace("on:own|list", "on:list"))
    view.policy.reload()
    assert await seen(view, container(MINE)) == [HIDDEN]


async def test_many_objects_leave_room_for_others(eyes, monkeypatch):
    """Between them the loop goes on."""
    monkeypatch.setattr(views, "PAUSE", 2)
    view, _ = eyes()

    assert await seen(view, *[container(MINE)] * 5) == [SHOWN] * 5


async def test_it_is_counted_what_became_of_objects(eyes):
    """By what became of them."""
    view, _ = eyes()
    await seen(view, container(MINE), container(MINE), container(OTHERS))

    registry = view.around.metrics.registry
    name = "dockgate_list_entries_total"
    assert registry.get_sample_value(name, {"outcome": "shown"}) == 2
    assert registry.get_sample_value(name, {"outcome": "hidden"}) == 1


async def test_shadow_mode_says_what_would_be_hidden(eyes):
    """Whoever writes the answer shows all of it."""
    view, _ = eyes(mode=Mode.SHADOW)

    assert view.shows_all
    assert await seen(view, container(OTHERS)) == [HIDDEN]
    assert not eyes()[0].shows_all


# --- events --------------------------------------------------------------------------------------


def an_event(kind, key, **attributes):
    """See the objects of an event."""
    return sighted_in_event({"Type": kind, "Actor": {"ID": key, "Attributes": attributes}})


async def test_the_end_of_what_was_seen_is_seen(eyes):
    """Nothing is left that could be looked up; what was known before decides."""
    networks = {
        key: {"Id": key, "Name": key, "Labels": who} for key, who in (("n1", MINE), ("n2", OTHERS))
    }
    script = {Question(Topic.NETWORK, key): each for key, each in networks.items()}
    view, lookups = eyes(script=script)
    groups = [an_event("network", key, name=key) for key in ("n1", "n2", "n3")]
    assert await view.look(groups) == [SHOWN, HIDDEN, HIDDEN]

    lookups.script = {}
    assert await view.look(groups) == [SHOWN, HIDDEN, HIDDEN]


async def test_only_so_much_is_remembered(eyes, monkeypatch):
    """What was seen longest ago is forgotten first."""
    monkeypatch.setattr(views, "MOST_REMEMBERED", 1)
    script = {Question(Topic.NETWORK, key): {"Id": key, "Labels": MINE} for key in ("n1", "n2")}
    view, lookups = eyes(script=script)
    groups = [an_event("network", key) for key in ("n1", "n2")]
    await view.look(groups)
    lookups.script = {}

    assert await view.look(groups) == [HIDDEN, SHOWN]


async def test_an_attribute_is_no_label_to_a_condition(eyes):
    """A condition on a label is answered by a look-up, not by an exit code."""
    rows = ROWS + "p, *, *, container.inspect, on:unowned, label.exitCode=0, allow\n"
    stored = {**a_stored_container({"exitCode": "0"}), "Id": "c1"}
    view, lookups = eyes(rows, {Question(Topic.CONTAINER, "c1"): stored})

    assert await view.look([an_event("container", "c2", exitCode="0")]) == [HIDDEN]
    assert await view.look([an_event("container", "c1", exitCode="0")]) == [SHOWN]
    assert [each.key for each in lookups.asked] == ["c2", "c1"]


async def test_a_container_that_uses_something_must_be_visible_too(eyes):
    """A network of mine, joined by somebody else's container."""
    script = {
        Question(Topic.NETWORK, "n1"): {"Id": "n1", "Labels": MINE},
        Question(Topic.CONTAINER, "c1"): a_stored_container(OTHERS),
    }
    view, _ = eyes(script=script)

    assert await view.look([an_event("network", "n1", container="c1")]) == [HIDDEN]
    assert await view.look([an_event("network", "n1")]) == [SHOWN]
