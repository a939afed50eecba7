"""Members of HostConfig at the top level of a create, as clients of old send them.

Engines up to 26 apply them there, where no HostConfig is given. What our reader takes for
nothing has to be nothing, and what it moves has to become what the engine would have made of it.
"""

import json
from collections.abc import Iterator

import pytest

from authz.docker.canonical import canonical
from authz.docker.field_table import Legacy, structures
from authz.docker.forward import forward
from authz.docker.gotypes import Form
from authz.wire.raw import Door, RawRequest
from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import call
from tests.e2e.proxy import Front

CREATE = "/v1.41/containers/create"
JSON = {"Content-Type": "application/json"}
IMAGE = {"Image": "busybox", "Cmd": ["true"]}
LISTS = {Form.LIST, Form.ARRAY, Form.STRSLICE}
KNOWN = structures()["ContainerCreate"].fields
MOVED = {
    "AutoRemove": True,
    "BlkioDeviceReadBps": [{"Path": "/dev/null", "Rate": 1}],
    "BlkioDeviceReadIOps": [{"Path": "/dev/null", "Rate": 1}],
    "BlkioDeviceWriteBps": [{"Path": "/dev/null", "Rate": 1}],
    "BlkioDeviceWriteIOps": [{"Path": "/dev/null", "Rate": 1}],
    "BlkioWeightDevice": [{"Path": "/dev/null", "Weight": 100}],
    "Cgroup": "container:x",
    "ConsoleSize": [24, 80],
    "ContainerIDFile": "/x",
    "CpuCount": 1,
    "CpuPercent": 1,
    "CpuShares": 512,
    "DiskQuota": 1,
    "Dns": ["192.0.2.1"],
    "DnsOptions": ["ndots:1"],
    "DnsSearch": ["example.org"],
    "IOMaximumBandwidth": 1,
    "IOMaximumIOps": 1,
    "Init": True,
    "KernelMemory": 67108864,
    "KernelMemoryTCP": 67108864,
    "MemoryReservation": 67108864,
    "MemorySwappiness": 50,
}


def stored(daemon: Dockerd, body: object) -> object:
    """Make a container and return its HostConfig, or why there is none."""
    made = daemon.api("POST", CREATE, body, JSON)
    if made.status != 201:
        return made.json()["message"]
    found = daemon.api("GET", f"/v1.41/containers/{made.json()['Id']}/json").json()["HostConfig"]
    daemon.api("DELETE", f"/v1.41/containers/{made.json()['Id']}")
    # Engine 20.10 writes its default down only where any HostConfig came.
    return found | {"Runtime": found.get("Runtime") or "runc"}


def sent(body: object) -> bytes:
    """Return what the proxy makes of a create."""
    raw = RawRequest(
        "POST", CREATE, tuple(JSON.items()), json.dumps(body).encode(), door=Door.PROXY
    )
    found = forward(raw, canonical(raw)).body
    assert found is not None
    return found


@pytest.fixture(scope="module")
def front(module_daemons: Daemons, certificates: Certificates) -> Iterator[Front]:
    """Run a daemon, and the proxy before it."""
    daemon = module_daemons()
    daemon.start()
    front = Front(daemon, certificates)
    with front:
        yield front


@pytest.fixture(scope="module")
def daemon(front: Front) -> Dockerd:
    """Return the daemon behind it."""
    return front.daemon


@pytest.fixture(scope="module")
def applies(daemon: Dockerd) -> bool:
    """Say whether this engine applies such members; engine 27 brought API 1.46."""
    version = daemon.api("GET", "/version").json()["ApiVersion"]
    return tuple(map(int, version.split("."))) < (1, 46)


def test_every_member_that_moves_is_tried():
    """A row that lets another one move needs a value here."""
    assert set(MOVED) == {name for name, known in KNOWN.items() if known.legacy.moves}


@pytest.mark.parametrize("name", MOVED)
def test_a_member_becomes_what_the_engine_made_of_it(name, daemon, applies):
    """Moved into HostConfig it is stored as an old engine stores it from the top level."""
    old = {**IMAGE, name: MOVED[name]}
    plain = old if applies else {**IMAGE, "HostConfig": {name: MOVED[name]}}

    assert stored(daemon, sent(old)) == stored(daemon, plain)


@pytest.mark.parametrize("name", MOVED)
def test_beside_a_hostconfig_a_member_stays_what_it_was(name, daemon, applies):
    """Old engines apply one of them there, newer ones none; the proxy does what the old did."""
    old = {**IMAGE, name: MOVED[name], "HostConfig": {}}
    filled = {name: MOVED[name]} if KNOWN[name].legacy is Legacy.FILLED else {}
    plain = old if applies else {**IMAGE, "HostConfig": filled}

    assert stored(daemon, sent(old)) == stored(daemon, plain)


def test_an_empty_list_is_nothing_to_the_engine(daemon):
    """So the plugin, which lets the request go on as it came, may take it for nothing."""
    names = [
        name
        for name, known in KNOWN.items()
        if known.legacy and known.legacy is not Legacy.SET and known.go.form in LISTS
    ]
    assert {"VolumesFrom", "Binds", "CapAdd", "SecurityOpt"} <= set(names)

    empty = {name: [] for name in names}

    found = stored(daemon, IMAGE | empty)

    assert without_empty(found) == without_empty(stored(daemon, IMAGE))


def without_empty(document):
    """Leave out what an empty list differs from nothing in: how it is written."""
    return {name: value for name, value in document.items() if value not in ([], None)}


def test_an_old_client_gets_its_name_servers_through_the_proxy(front, daemon):
    """As dockerode sends them, with an empty list beside them; what endangers is refused."""
    old = {**IMAGE, "Dns": ["192.0.2.1"], "VolumesFrom": [], "Volumes": {}}

    made = call(front.front, "POST", CREATE, json.dumps(old).encode(), JSON)

    assert made.status == 201, made
    found = daemon.api("GET", f"/v1.41/containers/{made.json()['Id']}/json").json()
    assert found["HostConfig"]["Dns"] == ["192.0.2.1"]
    facts = {fact["fact"] for fact in front.records()[-1]["facts"]}
    assert "dns:192.0.2.1" in facts

    refused = call(
        front.front, "POST", CREATE, json.dumps(old | {"Privileged": True}).encode(), JSON
    )
    assert refused.status == 403
    assert "Privileged is true; only old daemons apply it there" in refused.json()["message"]
