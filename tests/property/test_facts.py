"""Facts of random requests: the right kinds in the right spelling, and no way around them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.docker.canonical import canonical
from authz.docker.field_table import structures
from authz.docker.gotypes import Form
from authz.docker.routes import load_operations
from authz.errors import RefusedError
from authz.facts.build import describe, survey
from authz.facts.catalogue import TARGET, catalogue
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import (
    ALICE,
    DAEMON,
    a_create,
    a_raw_request,
    a_stored_container,
    answers,
    questions,
)

pytestmark = pytest.mark.property

MOST_ROUNDS = 4
OPERATIONS = [row for row in load_operations() if row.path != "*" and row.method != "GRPC"]
WORDS = st.sampled_from(
    [
        *("", "web", "data", "team", "beef", "nginx:1", "host", "bridge", "none", "private"),
        *("bind", "volume", "tmpfs", "image", "npipe", "cluster", "shared", "runc", "local"),
        *("container:web", "container:", "/etc", "//var/run/../run", "data:/x", "/srv:/x:ro,z"),
        *("SYS_ADMIN", "cap_kill", "all", "label=disable", "seccomp:{}", "no-new-privileges=0"),
        *("10.0.0.7", "::ffff:10.0.0.7", "80", "80/tcp", "1-3", "always", "on-failure", "0", "-0"),
        *("overlay", "lowerdir=/etc:/srv", "bind,ro", "type", "o", "device", "dockgate.owner"),
        *("CMD", "NONE", "*", "?x", "{name}", "a=b", "net/ipv4/x", "\u017f", "\n", "1" * 5000),
    ]
) | st.text(max_size=5)
COUNTS = st.sampled_from([0, 1, 500])
NUMBERS = st.sampled_from([0, 1, -1, 5, 2**16 - 1, 2**63 - 1, -(2**63)])
SCALARS = {
    "bool": st.booleans(),
    "string": WORDS,
    **dict.fromkeys(["uint", "uint16", "uint32", "uint64"], COUNTS),
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(0, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def values(kind):
    """Return a strategy for what a type can hold, mostly what means something."""
    match kind.form:
        case Form.LIST | Form.ARRAY:
            found = st.lists(values(kind.inner), max_size=2)
        case Form.MAP:
            found = st.dictionaries(WORDS, values(kind.inner), max_size=2)
        case Form.STRSLICE:
            found = st.lists(WORDS, max_size=2)
        case Form.SET | Form.JSON:
            found = st.just({})
        case Form.STRUCT:
            found = documents(kind.name)
        case _:
            found = SCALARS.get(kind.name, NUMBERS)
    return found


def documents(name):
    """Return a strategy for documents of a structure, of a few members each."""
    fields = structures()[name].fields.values()
    members = {field.name: field.go for field in fields if not field.legacy}
    if not members:
        return st.just({})
    return st.lists(st.sampled_from(sorted(members)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: values(members[name]) for name in names})
    )


def stored(fixed):
    """Return a strategy for an answer: sensible members, some of them replaced by anything."""
    noise = st.dictionaries(st.sampled_from([*fixed, "Labels"]), ANY_JSON, max_size=1)
    return noise.map(lambda extra: {**fixed, **extra}) | st.just(fixed) | st.just(MISSING)


OPTIONS = st.sampled_from(
    [
        None,
        {},
        {"type": "none", "o": "bind", "device": "/etc/../srv"},
        {"type": "overlay", "device": "x", "o": "lowerdir=/a:/b,upperdir=/c"},
        {"type": "ext4", "device": "dev/sda"},
        {"type": "nfs", "device": ":/x", "o": "addr=h"},
    ]
)
POINTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "Type": st.sampled_from(["bind", "volume", "image", "tmpfs", "npipe", "cluster"]),
            "Name": WORDS,
            "Source": WORDS,
            "RW": st.booleans(),
            "Driver": st.sampled_from(["", "local", "rexray"]),
        },
    ),
    max_size=2,
)
CONTAINERS = st.tuples(documents("HostConfig"), documents("Config"), POINTS).flatmap(
    lambda parts: stored(
        {
            **a_stored_container(config=parts[1], **{"IpcMode": "private", **parts[0]}),
            "Mounts": parts[2],
        }
    )
)
INSPECTED = {
    Topic.CONTAINER: CONTAINERS,
    Topic.EXEC: stored({"ContainerID": "web", "ProcessConfig": {"user": "0", "privileged": True}}),
    Topic.VOLUME: OPTIONS.flatmap(lambda options: stored({"Driver": "local", "Options": options})),
    Topic.IMAGE: stored({"Id": "sha256:" + "beef" * 16, "RepoTags": ["x:1"], "Config": {}}),
    Topic.NETWORK: stored({"Name": "team", "Driver": "bridge"}),
    Topic.SERVICE: stored({"Spec": {"Name": "web", "Labels": {}}, "PreviousSpec": {"Name": "web"}}),
    Topic.TASK: stored({"ServiceID": "web"}),
    Topic.SECRET: stored({"Spec": {"Name": "key", "Labels": None}}),
    Topic.CONFIG: stored({"Spec": {"Name": "conf"}}),
    Topic.NODE: stored({"Spec": {"Role": "worker", "Labels": {"dockgate.owner": "x"}}}),
    Topic.DAEMON: stored(dict(DAEMON)),
    Topic.PATH: stored({"path": "/run/docker.sock"}),
}


def bodies(operation):
    """Return a strategy for the body of an operation, as it would be written."""
    if operation.body not in {"json", "secret"}:
        return st.just(None)
    whole = structures()[operation.name].whole
    return documents(operation.name) if whole is None else values(whole)


@st.composite
def requests(draw):
    """Draw a request that can be read, of any operation."""
    operation = draw(st.sampled_from(OPERATIONS))
    described = structures().get(f"query:{operation.name}")
    names = sorted(described.fields) if described else []
    query = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
    pairs = [
        f"{name}={draw(st.sampled_from(['1', 'web', '%2Fetc', '%5B%5D', 'nginx', 'host']))}"
        for name in query
    ]
    path = operation.path.replace("{id}", "web").replace("{name}", "web")
    version = draw(st.sampled_from(["", "/v1.30", "/v1.45"]))
    body = draw(bodies(operation))
    target = f"{version}{path}" + (f"?{'&'.join(pairs)}" if pairs else "")
    raw = a_raw_request(operation.method, target, b"" if body is None else body)
    try:
        return canonical(raw)
    except RefusedError:
        return None


def describable(request, known):
    """Return the facts, or nothing where the request is refused."""
    try:
        return describe(request, ALICE, known)
    except RefusedError:
        return None


def check_spelling(said):
    """Hold every fact to the catalogue: its kind, its action, its one spelling."""
    listed = catalogue()
    for fact in said.facts:
        kind = fact.kind.removeprefix(TARGET)
        assert listed.can_yield(said.action, fact.kind), fact
        if not set(fact.value) & set("*?{"):
            assert listed.pattern_problem(kind, fact.value) is None, fact


SETTINGS = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@settings(max_examples=800, **SETTINGS)
@given(requests(), st.data())
def test_any_request_is_described_or_refused(request, data):
    """In four rounds at most, whatever is answered, and in the words of the catalogue."""
    if request is None:
        return
    known = {}
    for _ in range(MOST_ROUNDS):
        asked = questions(request, known)
        known |= {question: data.draw(INSPECTED[question.topic]) for question in asked}

    assert not questions(request, known)
    said = describable(request, known)
    if said:
        check_spelling(said)
        assert survey(request, ALICE, known) == said


def read(body):
    """Read a create as it would come."""
    return canonical(a_raw_request(body=body))


KNOWN = answers(
    image={"nginx": {"Config": {}}},
    container={"web": a_stored_container({"dockgate.owner": "user:alice"}, PidMode="host")},
    volume={"data": MISSING, "db": {"Driver": "local", "Options": None}},
    network={"team": {"Name": "team", "Driver": "bridge"}},
)


def facts(**host):
    """Describe a create; keywords are HostConfig's members."""
    return {str(f) for f in describe(read(a_create(**host)), ALICE, KNOWN).facts}


LISTED = {
    "Binds": st.sampled_from(["/etc:/x", "/srv:/y:ro", "db:/z", "/v"]),
    "CapAdd": st.sampled_from(["ALL", "sys_admin", "CAP_KILL", "NET_ADMIN"]),
    "CapDrop": st.sampled_from(["NET_RAW", "KILL"]),
    "DeviceCgroupRules": st.sampled_from(["a *:* rwm", "c 1:3 r"]),
    "Devices": st.sampled_from(["/dev/sda", "/dev/kvm"]).map(lambda path: {"PathOnHost": path}),
    "Dns": st.sampled_from(["1.1.1.1", "8.8.8.8"]),
    "GroupAdd": st.sampled_from(["0", "docker"]),
    "Mounts": st.sampled_from(
        [
            {"Type": "bind", "Source": "/etc", "Target": "/x", "ReadOnly": True},
            {"Type": "volume", "Source": "data", "Target": "/y"},
            {"Type": "image", "Source": "nginx", "Target": "/z"},
        ]
    ),
    "SecurityOpt": st.sampled_from(["label=disable", "label=type:spc_t", "writable-cgroups"]),
    "Ulimits": st.sampled_from(["core", "nofile"]).map(lambda name: {"Name": name, "Soft": 1}),
    "VolumesFrom": st.just("web"),
}
SINGLE = {
    "Privileged": st.sampled_from([True]),
    "PidMode": st.sampled_from(["host", "container:web"]),
    "IpcMode": st.sampled_from(["host", "shareable"]),
    "UTSMode": st.just("host"),
    "UsernsMode": st.just("host"),
    "CgroupnsMode": st.just("host"),
    "NetworkMode": st.sampled_from(["host", "team", "container:web"]),
    "Runtime": st.just("kata"),
    "CgroupParent": st.just("/"),
    "MaskedPaths": st.just([]),
    "PublishAllPorts": st.sampled_from([True]),
    "OomScoreAdj": st.just(-5),
    "Sysctls": st.just({"net.x": "1"}),
    "Tmpfs": st.just({"/t": "exec"}),
    "VolumeDriver": st.just("rexray"),
}
HOSTS = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.lists(part, min_size=1, max_size=2) for name, part in LISTED.items()},
        **SINGLE,
    },
)
ADDED = st.sampled_from([*LISTED, *SINGLE]).flatmap(
    lambda name: st.tuples(st.just(name), (LISTED | SINGLE)[name])
)


@settings(max_examples=400, **SETTINGS)
@given(documents("ContainerCreate"), HOSTS, st.data())
def test_any_create_is_described_or_refused(body, host, data):
    """Creates have most to say."""
    host |= body.get("HostConfig", {})
    request = read({**body, "Image": "nginx", "HostConfig": host})
    known = {}
    while asked := questions(request, known):
        known |= {question: data.draw(INSPECTED[question.topic]) for question in asked}

    said = describable(request, known)
    if said:
        check_spelling(said)


def granted(said):
    """Return the facts that need a row to be allowed."""
    kinds = catalogue().kinds

    def needs_a_row(fact):
        kind = kinds[fact.partition(":")[0].removeprefix(TARGET)]
        return kind.class_ == "grant" and fact.partition(":")[2] not in kind.posture

    return set(filter(needs_a_row, said))


@settings(max_examples=300, **SETTINGS)
@given(HOSTS, ADDED)
def test_asking_for_more_never_needs_less(host, added):
    """No member hides what another one grants."""
    name, value = added
    if name == "CapDrop" or (name in SINGLE and name in host):
        return  # takes something away, or says something else instead
    more = {**host, name: [*host.get(name, []), value] if name in LISTED else value}
    if name == "SecurityOpt" and not any("label" in each for each in host.get(name, [])):
        more[name] = [*more[name], "label=disable"]  # a label of one's own keeps the others away

    assert granted(facts(**host)) <= granted(facts(**more))


@st.composite
def spelt_paths(draw):
    """Draw a path, and another spelling of it."""
    parts = draw(st.lists(st.sampled_from(["etc", "srv", "run", "a b", "..x", "."]), max_size=4))
    parts = [part for part in parts if part != "."]
    detours = ["", ".", "x/..", "x/./../y/..", "/"]
    odd = [f"{draw(st.sampled_from(detours))}/{part}" for part in parts]
    return "/" + "/".join(parts), "/" + "/".join([*odd, draw(st.sampled_from(["", ".", "x/.."]))])


@settings(max_examples=150, **SETTINGS)
@given(spelt_paths(), st.booleans())
def test_every_spelling_of_a_bind_says_the_same(paths, read_only):
    """As Binds or as Mounts, with whatever dots and slashes."""
    plain, odd = paths
    mode = ":ro" if read_only else ""
    expected = facts(Binds=[f"{plain}:/x{mode}"])

    for path in (plain, odd):
        mount = {"Type": "bind", "Source": path, "Target": "/x", "ReadOnly": read_only}
        assert facts(Binds=[f"{path}:/x{mode}"]) == expected
        assert facts(Mounts=[mount]) == expected


@settings(max_examples=60, **SETTINGS)
@given(st.sampled_from(sorted({"SYS_ADMIN", "NET_RAW", "ALL"})), st.randoms())
def test_every_spelling_of_a_capability_says_the_same(name, random):
    """In any case, with or without prefix, alone or in a list."""
    prefix = random.choice(["", "CAP_"]) if name != "ALL" else ""
    odd = "".join(random.choice([str.lower, str.upper])(letter) for letter in prefix + name)

    assert facts(CapAdd=[name]) == facts(CapAdd=[odd]) == facts(CapAdd=odd)
    assert facts(CapDrop=[name]) == facts(CapDrop=[odd]) == facts(CapDrop=odd)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("seccomp=unconfined", "seccomp:unconfined"),
        ("apparmor=unconfined", "apparmor:unconfined"),
        ("label=disable", "disable"),
        ("label=disable", "label:disable"),
        ("label=type:spc_t", "label:type:spc_t"),
        ("no-new-privileges", "no-new-privileges=true"),
        ("no-new-privileges", "no-new-privileges:1"),
        ("writable-cgroups", "writable-cgroups=T"),
        ("apparmor=docker-default", "seccomp="),
    ],
)
def test_every_spelling_of_a_security_option_says_the_same(one, other):
    """With a colon or with an equals sign."""
    assert facts(SecurityOpt=[one]) == facts(SecurityOpt=[other])


@settings(max_examples=100, **SETTINGS)
@given(HOSTS)
def test_a_stored_container_reaches_what_it_was_granted(host):
    """Whoever enters it needs a row for all that can be reached through it."""
    container = a_stored_container(**{"IpcMode": "private", **host})
    request = canonical(a_raw_request("POST", "/v1.45/containers/web/start"))
    known = {**KNOWN, Question(Topic.CONTAINER, "web"): container}
    again = {**KNOWN, Question(Topic.CONTAINER, "web"): a_stored_container()}
    kinds = catalogue().kinds

    reached = {str(f) for f in describe(request, ALICE, known).facts}
    created = {str(f) for f in describe(read(a_create(**host)), ALICE, again).facts}

    for fact in granted(created):
        kind, _, value = fact.partition(":")
        if kinds[kind].target and value != "anonymous" and "container:" not in value:
            assert f"{TARGET}{fact}" in reached
