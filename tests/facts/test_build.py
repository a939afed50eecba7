"""Whole requests, as facts."""

import pytest

from authz.docker.field_table import Struct, structures
from authz.docker.routes import load_operations, newest
from authz.errors import Reason, RefusedError
from authz.facts.build import describe, survey
from authz.facts.known import FactSettings
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import (
    ALICE,
    a_call,
    a_create,
    a_stored_container,
    an_api_request,
    answers,
    operation_named,
    questions,
)

PLAIN = {"Config": {"Labels": None}}
WEB = a_stored_container({"dockgate.owner": "user:alice"}, NanoCpus=2_000_000_000)


def facts(request, settings=None, **topics):
    """Describe a request by Alice."""
    return [str(f) for f in describe(request, ALICE, answers(**topics), settings).facts]


def create(body, **how):
    """Return a request to create a container."""
    return a_call("ContainerCreate", body=body, **how)


def test_a_request_about_nothing_else():
    """It says whose object it touches, and its action."""
    said = describe(a_call("SystemPing"), ALICE, {})

    assert said.action == "system.ping"
    assert [str(fact) for fact in said.facts] == ["on:host"]
    assert said.conditions == {"image": "", "name": "", "label.*": ""}


def test_what_could_not_be_read_is_said():
    """A row must name it."""
    request = an_api_request(
        operation_named("ImageLoad"), unknown_fields=("query.x", "HostConfig.Foo")
    )

    assert facts(request) == [
        "body.opaque:load",
        "field.unknown:query.x",
        "field.unknown:HostConfig.Foo",
        "on:new",
        "image.name:unknown",
    ]


@pytest.mark.parametrize("operation", load_operations(), ids=lambda row: row.name)
def test_what_is_alike_says_what_describing_it_says(operation):
    """A list is not described anew each time; what has something to say of itself is."""
    described = structures().get(f"query:{operation.name}", Struct()).fields
    path = {"id": "web", "name": "web"}
    for version in (None, (1, 30), (1, 45), (1, 99)):
        for query in ({}, dict.fromkeys(described, ("1",))):
            request = an_api_request(operation, version=version, query=query, path=path)
            found = refusal_or(survey, request)

            assert isinstance(found, tuple) or found == refusal_or(describe, request)


def refusal_or(say, request):
    """Return what comes out: facts, questions, or the words of a refusal."""
    try:
        return say(request, ALICE, {})
    except RefusedError as refused:
        return str(refused)


def test_what_is_alike_is_bounded_as_well():
    """The setting holds for a list, too."""
    with pytest.raises(RefusedError) as refused:
        survey(a_call("ContainerList"), ALICE, {}, FactSettings(max_facts=0))

    assert refused.value.reason is Reason.TOO_MANY_FACTS


@pytest.mark.parametrize(
    ("version", "said"),
    [((1, 39), True), ((1, 40), False), (newest(), False), ((1, 99), True), (None, False)],
)
def test_a_version_outside_the_tables_is_said(version, said):
    """Old ones have weaker defaults, and what newer ones mean is not known."""
    request = an_api_request(operation_named("SystemPing"), version=version)

    assert any(fact.startswith("api.version:") for fact in facts(request)) is said


def test_each_fact_is_said_once():
    """Two binds of one folder are one grant."""
    request = create(a_create(Binds=["/srv:/a", "/srv:/b"]))
    found = facts(request, image={"nginx": PLAIN})

    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "host",
    [
        {"PortBindings": {"80/tcp": [{"HostPort": "1-65535"}]}},
        {"Binds": [f"/srv/{n}:/x{n}" for n in range(2001)]},
        {"Binds": ["/srv:/x"] * 5000},
    ],
)
def test_too_much_is_refused(host):
    """What says too many things, or one thing too often, is not judged; nor is it asked about."""
    request = create(a_create(**host))

    with pytest.raises(RefusedError, match="more than 2000 things") as error:
        facts(request, image={"nginx": PLAIN})

    assert error.value.reason is Reason.TOO_MANY_FACTS
    assert questions(request, {}) == ()


def test_how_much_is_too_much_is_a_setting():
    """Each fact counts."""
    assert len(facts(a_call("ImageLoad"), FactSettings(max_facts=3))) == 3
    with pytest.raises(RefusedError, match="more than 2 things"):
        facts(a_call("ImageLoad"), FactSettings(max_facts=2))


def test_a_create_must_say_its_image():
    """The daemon answers 400, and no rule was written for it."""
    with pytest.raises(RefusedError, match=r"container\.create must say image, and") as error:
        facts(create({}))

    assert error.value.reason is Reason.MISSING_FACT


@pytest.mark.parametrize(
    ("body", "image", "place"),
    [
        (a_create({"Labels": {"dockgate.owner": "x"}}), PLAIN, "Labels"),
        (
            a_create(Mounts=[{"Type": "volume", "VolumeOptions": {"Labels": {"Dockgate.x": "y"}}}]),
            PLAIN,
            r"VolumeOptions\.Labels",
        ),
        (a_create(), {"Config": {"Labels": {"dockgate.owner": "x"}}}, "the image"),
    ],
)
def test_reserved_labels_of_a_create(body, image, place):
    """Its own, its volumes' and those that an image would bring."""
    with pytest.raises(RefusedError, match=f"{place} has the label") as error:
        facts(create(body), image={"nginx": image})

    assert error.value.reason is Reason.RESERVED_LABEL


def test_reserved_labels_of_a_commit():
    """The image would bring them into its containers."""
    request = a_call(
        "ImageCommit", body={"Labels": {"dockgate.owner": "x"}}, container="web", repo="app"
    )

    with pytest.raises(RefusedError, match="reserved_label"):
        facts(request, container={"web": WEB})


def test_a_commit():
    """The container, the name, and what is changed; a body can be missing."""
    request = a_call("ImageCommit", container="web", repo="app")

    assert facts(request, container={"web": a_stored_container(Privileged=True)})[:4] == [
        "on:new",
        "on:unowned",
        "image.name:docker.io/library/app",
        "target.privileged:true",
    ]


def test_an_update():
    """Limits count together with those that are there, and devices are told all the same."""
    body = {"CpuPeriod": 50_000, "Devices": [{"PathOnHost": "/dev/sda"}], "CgroupParent": "/"}
    request = a_call("ContainerUpdate", "web", body)

    assert facts(request, container={"web": WEB}) == [
        "on:own",
        "cpu.limit:2",
        "cgroup.parent:/",
        "device:/dev/sda",
    ]
    assert facts(a_call("ContainerUpdate", "web"), container={"web": MISSING}) == ["on:unknown"]


def test_a_new_name():
    """A slash before it does not count."""
    request = a_call("ContainerRename", "web", name="/db")

    assert facts(request, container={"web": WEB}) == ["on:own", "rename.to:db"]


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ("ContainerArchive", "etc/../etc/passwd", ["on:own", "archive.path:/etc/passwd"]),
        ("ContainerArchiveInfo", "/x", ["on:own", "archive.path:/x"]),
        (
            "PutContainerArchive",
            "/x",
            [
                "body.opaque:archive",
                "on:own",
                "archive.path:/x",
                "archive.compressed:unknown",
            ],
        ),
        ("ContainerCopy", "/x", ["body.opaque:copy", "on:own", "archive.path:unknown"]),
    ],
)
def test_files_of_a_container(operation, path, expected):
    """The path is told where it can be read."""
    assert facts(a_call(operation, "web", path=path), container={"web": WEB}) == expected


@pytest.mark.parametrize(
    ("operation", "query"),
    [
        ("ContainerStart", {"checkpoint_dir": "/srv/./x", "checkpoint": "c1"}),
        ("CheckpointList", {"dir": "/srv/x"}),
        ("CheckpointDelete", {"dir": "/srv//x"}),
    ],
)
def test_a_folder_of_checkpoints(operation, query):
    """A folder of the host."""
    found = facts(a_call(operation, "web", **query), container={"web": WEB})

    assert found == ["on:own", "checkpoint.dir:/srv/x"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"checkpoint_dir": "srv"}, "'srv' is not absolute"),
        ({"checkpoint": "../../../../srv/evil"}, "expected letters"),
        ({"checkpoint": "/srv/evil"}, "expected letters"),
        ({"checkpoint": ".."}, "expected letters"),
    ],
)
def test_a_checkpoint_from_elsewhere_is_refused(query, message):
    """The daemon makes a path of its name without a look at it."""
    with pytest.raises(RefusedError, match=message):
        facts(a_call("ContainerStart", "web", **query), container={"web": WEB})


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (a_call("ContainerRestart", "web"), True),
        (a_call("ContainerUnpause", "web"), True),
        (a_call("ContainerAttach", "web"), True),
        (a_call("ContainerExec", "web", {"Cmd": ["sh"]}), True),
        (a_call("ExecStart", "e1", {}), True),
        (a_call("ContainerArchive", "web", path="/"), True),
        (a_call("ContainerStop", "web"), False),
        (a_call("ContainerLogs", "web"), False),
    ],
)
def test_reaching_into_a_container(request_, said):
    """Whatever runs or reads something in a container has what the container has."""
    found = facts(
        request_,
        container={"web": a_stored_container(Privileged=True)},
        exec={"e1": {"ContainerID": "web", "ProcessConfig": {}}},
    )

    assert ("target.privileged:true" in found) is said


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (a_call("VolumeCreate", body={"Name": "data"}), "volume:data"),
        (a_call("VolumeCreate"), "volume:anonymous"),
        (a_call("NetworkCreate", body={"Name": "team"}), "net:team"),
        (a_call("NetworkConnect", "team", {"Container": "web"}), "net:team"),
        (a_call("NetworkDisconnect", "team", {"Container": "web"}), "net:team"),
        (a_call("ImageCreate", fromImage="nginx"), "image:docker.io/library/nginx"),
        (a_call("ImageImport", fromSrc="http://x/y"), "pull.url:http://x/y"),
        (a_call("ImageTag", "x", repo="app"), "image.name:docker.io/library/app"),
        (a_call("ImageBuild", remote="http://x/y"), "build.remote:http://x/y"),
        (a_call("ImageBuildKit", remote="http://x/y"), "build.remote:http://x/y"),
        (a_call("PluginPull", remote="corp/x"), "plugin.remote:docker.io/corp/x"),
        (a_call("ExecResize", "e1"), "exec.user:root"),
    ],
)
def test_every_operation_has_its_describer(request_, said):
    """The table of describers is complete."""
    found = facts(
        request_,
        container={"web": WEB},
        network={"team": {"Name": "team"}},
        volume={"data": MISSING},
        image={"x": PLAIN},
        exec={"e1": {"ContainerID": "web", "ProcessConfig": {}}},
    )

    assert said in found


def test_questions_lead_to_further_questions():
    """An exec names its container, that a volume, that a path; then nothing is left."""
    request = a_call("ExecStart", "e1", {})
    there = {
        Question(Topic.EXEC, "e1"): {"ContainerID": "web", "ProcessConfig": {}},
        Question(Topic.CONTAINER, "web"): a_stored_container(Binds=["data:/x"]),
        Question(Topic.VOLUME, "data"): {
            "Driver": "local",
            "Options": {"type": "none", "o": "bind", "device": "/srv"},
        },
        Question(Topic.PATH, "/srv"): {"path": "/etc"},
        Question(Topic.DAEMON, ""): {},
    }
    known = {}
    rounds = []

    while asked := questions(request, known):
        rounds.append({question.topic for question in asked})
        known |= {question: there[question] for question in asked}

    assert rounds == [{Topic.EXEC}, {Topic.CONTAINER}, {Topic.VOLUME, Topic.DAEMON}, {Topic.PATH}]
    assert "target.bind:/etc" in [str(f) for f in describe(request, ALICE, known).facts]


def test_a_request_that_will_be_refused_asks_nothing():
    """The daemon is left alone."""
    assert questions(create(a_create(Binds=["x"], Mounts=[{"Type": "Bind"}])), {}) == ()


@pytest.mark.parametrize(
    ("request_", "fact"),
    [
        (a_call("CheckpointCreate", "web", {"CheckpointDir": "/srv/./x"}), "checkpoint.dir:/srv/x"),
        (a_call("SystemAuth", body={}), "registry.login:docker.io"),
        (a_call("VolumeUpdate", "v", {"Spec": {}}), "volume.cluster:on"),
        (a_call("SwarmInit", body={"ForceNewCluster": True}), "swarm.force:true"),
        (a_call("SwarmJoin", body={"RemoteAddrs": ["a:1"]}), "swarm.remote:a:1"),
        (a_call("SwarmUpdate", body={}), "swarm.autolock:off"),
        (a_call("NodeUpdate", "n", {"Role": "manager"}), "node.role:manager"),
        (a_call("ServiceCreate", body={"Mode": {"Global": {}}}), "service.mode:global"),
        (a_call("ServiceUpdate", "s", {"Mode": {"Global": {}}}), "service.mode:global"),
        (a_call("SecretCreate", body={"Name": "db"}), "secret:db"),
        (a_call("SecretUpdate", "x", {"Name": "db"}), "secret:db"),
        (a_call("ConfigCreate", body={"Name": "db"}), "config:db"),
        (a_call("ConfigUpdate", "x", {"Name": "db"}), "config:db"),
        (a_call("PluginPull", body=[{"Name": "n"}]), "plugin.privilege:n="),
        (a_call("PluginUpgrade", "x", [{"Name": "n"}]), "plugin.privilege:n="),
        (a_call("PluginSet", "x", ["a=b"]), "plugin.setting:a"),
    ],
)
def test_bodies_of_the_swarm_and_of_plugins_are_described(request_, fact):
    """Nothing of them is unread."""
    found = facts(request_)

    assert fact in found
    assert not any(known.startswith("body.opaque:") for known in found)


def test_a_checkpoint_s_folder_is_absolute():
    """In the body as in a query."""
    with pytest.raises(RefusedError, match="CheckpointDir 'x' is not absolute"):
        facts(a_call("CheckpointCreate", "web", {"CheckpointDir": "x"}))
