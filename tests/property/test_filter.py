"""A filtered list holds the entries for which a separate inspection is allowed, in order."""

import asyncio
import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.facts.questions import Question, Topic
from authz.identity.identity import Identity, Proof
from authz.lookups.lookup_pass import KEY_BYTES, Passes
from authz.policy.current import CurrentPolicy
from authz.proxy.sieve import Room, Sieve
from authz.runner import Entrance, Parts, Runner
from authz.views import Sight
from authz.wire.raw import Door, RawRequest
from tests.fakes import ScriptedLookups, ScriptedSink
from tests.policies import a_bundle

pytestmark = pytest.mark.property

POLICIES = {
    "own": "p, *, *, *.read, on:own|tenant|unknown|host, *, allow\n",
    "all but foreign": "p, *, *, *, **, *, allow\np, *, *, *, on:foreign, *, deny\n",
    "names": "p, *, red, *.read, on:unowned, name=red-*, allow\n"
    "p, *, *, *.read, on:own, name!=blue-*, allow\n",
    "labels": "p, *, *, *.read, **, label.for=red, allow\n"
    "p, *, *, *, on:own, label.secret!=, deny\n"
    "p, *, *, container.inspect, on:unowned, label.exitCode=0, allow\n",
    "images": "p, *, *, *, **, *, allow\np, *, *, *, on:own|unowned, image=**/secret, deny\n",
    "one image": "p, *, *, *, on:own|foreign, image=docker.io/library/nginx, allow\n",
    "never": "p, *, *, *, **, *, allow\np, *, *, *, on:tenant, *, never\n",
}
"""Rows that look at whose an object is, at its name, its labels and its image."""

CALLERS = (
    Identity("user:ann", tenant="red", proof=Proof.PEER),
    Identity("user:ben", tenant="blue", proof=Proof.PEER),
    Identity("user:ann", proof=Proof.PEER),
)
LOST = "sha256:" + "ab" * 32

labels = st.dictionaries(
    st.sampled_from(["dockgate.owner", "dockgate.tenant", "for", "secret"]),
    st.sampled_from(["user:ann", "user:ben", "red", "blue", ""]),
    max_size=3,
)
names = st.sampled_from(["red-web", "blue-web", "web"])


@dataclass(frozen=True)
class Kind:
    """A list: where it is, where its objects are inspected, and what an entry is called by."""

    listed: str
    inspected: str
    operation: str
    key: str
    topic: Topic


KINDS = (
    Kind("/containers/json", "/containers/{}/json", "ContainerList", "Id", Topic.CONTAINER),
    Kind("/images/json", "/images/{}/json", "ImageList", "Id", Topic.IMAGE),
    Kind("/volumes", "/volumes/{}", "VolumeList", "Name", Topic.VOLUME),
    Kind("/networks", "/networks/{}", "NetworkList", "Id", Topic.NETWORK),
    Kind("/services", "/services/{}", "ServiceList", "ID", Topic.SERVICE),
    Kind("/secrets", "/secrets/{}", "SecretList", "ID", Topic.SECRET),
    Kind("/configs", "/configs/{}", "ConfigList", "ID", Topic.CONFIG),
    Kind("/nodes", "/nodes/{}", "NodeList", "ID", Topic.NODE),
    Kind("/events", "/containers/{}/json", "SystemEvents", "ID", Topic.CONTAINER),
)


@st.composite
def objects(draw, kind):
    """Return how a list and an inspection tell of one object."""
    name, said = draw(names), draw(labels)
    image = draw(st.sampled_from(["nginx", "a.b/secret"]))
    stored = {"Name": f"/{name}", "Config": {"Image": image, "Labels": said}}
    match kind.operation:
        case "ContainerList":
            aliases = draw(st.lists(st.sampled_from(["/other/web", "/other/db"]), max_size=2))
            shown = draw(st.permutations([f"/{name}", *aliases]))
            image = draw(st.sampled_from([image, LOST]))
            return {"Names": shown, "Image": image, "Labels": said}, stored
        case "SystemEvents":
            own = draw(st.sampled_from([{}, {"exitCode": "0"}, {"execID": "x"}]))
            attributes = {**own, **said, "image": image, "name": name}
            return {"Type": "container", "Actor": {"Attributes": attributes}}, stored
        case "ImageList":
            # In containerd's store a list may tell of another platform's labels.
            other = draw(st.none() | labels)
            digests = [] if other is None else ["x@KEY"]
            tags = draw(st.sampled_from([["x:1"], ["<none>:<none>"], []])) if digests else ["x:1"]
            shown = said if other is None else other
            entry = {"Labels": shown, "RepoDigests": digests, "RepoTags": tags}
            return entry, {"Config": {"Labels": said}}
        case "VolumeList" | "NetworkList":
            return ({"Name": name, "Labels": said},) * 2
    return ({"Spec": {"Name": name, "Labels": said}},) * 2


lists = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(objects(kind), max_size=6))
)


def keyed(kind, at, entry, stored):
    """Give an object its id, in both forms; return it as well."""
    key = f"{at:025}" if kind.key == "ID" and kind.topic is not Topic.CONTAINER else f"{at:064x}"
    match kind.operation:
        case "VolumeList":
            key = f"{entry['Name']}-{at}"
        case "ImageList":
            key = f"sha256:{key}"
    if kind.operation == "SystemEvents":
        actor = {"ID": key, **entry["Actor"]}
        return key, {**entry, "Actor": actor}, {"Id": key, **stored}
    digests = [each.replace("KEY", key) for each in entry.get("RepoDigests", ())]
    return key, {**entry, "RepoDigests": digests, kind.key: key}, {**stored, kind.key: key}


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """Load all of them once."""
    lists_too = "p, *, *, *, on:list, *, allow\np, *, *, system.events, on:host, *, allow\n"
    return {
        name: CurrentPolicy(
            str(a_bundle(tmp_path_factory.mktemp("p"), policy=lists_too + rows, people=""))
        )
        for name, rows in POLICIES.items()
    }


async def compared(policy, identity, kind, found):
    """Return the entries that a filtered list holds, and those that can be inspected."""
    script = {Question(kind.topic, key): stored for key, _, stored in found}
    passes = Passes(b"k" * KEY_BYTES)
    entrance = Entrance((lambda _evidence: identity,), policy, identity.tenant)
    runner = Runner(Parts((), policy, ScriptedLookups(script), passes, ScriptedSink()))

    async def asked(target):
        return await runner.decide(RawRequest("GET", target, door=Door.PROXY), entrance)

    entries = [entry for _, entry, _ in found]
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in entries)
    whole = {"Volumes": entries} if kind.operation == "VolumeList" else entries
    sieve = Sieve(kind.operation, Room())
    sieve.add(lines if sieve.streams else json.dumps(whole).encode())
    batch = sieve.batch(whole=True)
    view = runner.view((await asked(kind.listed)).standing, entrance)
    sights = await view.look(batch.groups) if batch else []
    passed = sieve.passed(batch, [each is Sight.SHOWN for each in sights]) if batch else b""
    allowed = [
        entry for key, entry, _ in found if (await asked(kind.inspected.format(key))).lets_through
    ]
    runner.close()
    if sieve.streams:
        return [json.loads(line) for line in passed.splitlines()], allowed
    left = json.loads(sieve.whole_list())
    return left["Volumes"] if kind.operation == "VolumeList" else left, allowed


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(POLICIES)), st.sampled_from(CALLERS), lists)
def test_a_list_is_what_can_be_inspected(policies, name, identity, listed):
    """Whoever asks, by whatever rows, in the order of the daemon."""
    kind, drawn = listed
    found = [keyed(kind, at, *each) for at, each in enumerate(drawn)]

    shown, allowed = asyncio.run(compared(policies[name], identity, kind, found))

    assert shown == allowed
