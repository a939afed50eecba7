"""What a build is told by its query."""

import pytest

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.facts.image_build import build_facts
from authz.facts.questions import Question, Topic
from tests.builders import a_call, a_known, a_stored_container, words


def facts(*, known=None, **query):
    """Describe a build, without the network that it has in any case."""
    found = words(build_facts(a_call("ImageBuild", **query), known or a_known()))
    assert any(fact.startswith("build.net:") for fact in found)
    return [fact for fact in found if fact != "build.net:default"]


def test_an_ordinary_build():
    """It says its network."""
    assert words(build_facts(a_call("ImageBuild"), a_known())) == ["build.net:default"]


def test_names_that_are_given():
    """Every tag, without what an empty one says."""
    assert facts(t=["app:1", "", "r.corp/app"]) == [
        "image.name:docker.io/library/app",
        "image.name:r.corp/app",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"remote": "https://example.com/x.git"}, ["build.remote:https://example.com/x.git"]),
        ({"networkmode": "host"}, ["build.net:host"]),
        ({"extrahosts": ["a:1.2.3.4,b:::1", ""]}, ["host.extra:a:1.2.3.4", "host.extra:b:::1"]),
        ({"cgroupparent": "/"}, ["build.cgroup:/", "cgroup.parent:/"]),
        ({"shmsize": "64"}, ["shm.size:64"]),
        ({"shmsize": "+0064"}, ["shm.size:64"]),
        ({"shmsize": "000"}, []),
        ({"buildargs": '{"HTTP_PROXY": "x", "A": null}'}, ["build.arg:HTTP_PROXY", "build.arg:A"]),
        ({"buildargs": "null"}, []),
        ({"squash": "1"}, ["build.opt:squash"]),
        ({"squash": "off"}, ["build.opt:squash"]),
        ({"squash": "\x1c0"}, ["build.opt:squash"]),
        ({"squash": " NO\n"}, []),
        ({"securityopt": ["x"]}, ["build.opt:securityopt=x"]),
        ({"cachefrom": '["x"]', "outputs": "[]"}, ["build.opt:cachefrom"]),
        ({"session": "s", "buildid": "b"}, ["build.opt:session", "build.opt:buildid"]),
    ],
)
def test_what_a_build_asks_for(query, expected):
    """Everything that reaches beyond the build's own context."""
    assert facts(**query) == expected


def test_a_frontend():
    """A build argument can choose the program that reads the Dockerfile."""
    assert facts(buildargs='{"BUILDKIT_SYNTAX": "corp/frontend:1"}') == [
        "build.arg:BUILDKIT_SYNTAX",
        "build.frontend:docker.io/corp/frontend",
    ]
    assert facts(buildargs='{"BUILDKIT_SYNTAX": null}') == ["build.arg:BUILDKIT_SYNTAX"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('[{"Name": "nofile", "Soft": 1024, "Hard": 2048}]', ["ulimit:nofile=1024:2048"]),
        ('[{"name": "core", "HARD": -1}]', ["ulimit:core=0:-1"]),
        ('[{"Name": "core", "Soft": null, "Hard": -0}]', ["ulimit:core=0:0"]),
        ("[]", []),
        ("null", []),
    ],
)
def test_process_limits(written, expected):
    """Names fold their case, and nothing is 0, as Go has it."""
    assert facts(ulimits=written) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"ulimits": "{}"}, "not a JSON list"),
        ({"ulimits": '["x"]'}, "something else than objects"),
        ({"ulimits": '[{"Name": "a", "NAME": "b"}]'}, "differ in case only"),
        ({"ulimits": '[{"Soft": 1}]'}, "without a name"),
        ({"ulimits": '[{"Name": ["a"]}]'}, "without a name"),
        ({"ulimits": '[{"Name": "a", "Soft": 1e3}]'}, "no whole number"),
        ({"ulimits": '[{"Name": "a", "Hard": "1"}]'}, "no whole number"),
        ({"buildargs": "[]"}, "not a JSON object"),
        ({"shmsize": "-1"}, "shmsize is -1"),
        ({"t": ["a b"]}, "t 'a b'"),
        ({"buildargs": '{"BUILDKIT_SYNTAX": "a b"}'}, "BUILDKIT_SYNTAX"),
        ({"labels": '{"dockgate.owner": "user:bob"}'}, "reserved_label"),
    ],
)
def test_what_the_daemon_would_not_read_is_refused(query, message):
    """Nor what only Dockgate may say."""
    with pytest.raises(RefusedError, match=message):
        facts(**query)


def test_labels_are_the_callers():
    """Values that are no texts do not matter."""
    assert facts(labels='{"app": "x", "y": 1}') == []


def test_the_network_of_a_container_is_the_one_behind_it():
    """The host's network does not hide behind a container of one's own."""
    web = a_stored_container({"dockgate.owner": "user:alice"}, NetworkMode="host")
    known = a_known(container={"web": web})

    found = list(build_facts(a_call("ImageBuild", networkmode="container:/web"), known))

    assert found == [
        Fact("build.net", "container:own"),
        Fact("build.net", "host", looked_up=True),
    ]


def test_the_network_of_a_container_that_is_not_known():
    """It is asked about, and unknown until then."""
    known = a_known()

    assert facts(known=known, networkmode="container:web") == ["build.net:container:unknown"]
    assert list(known.pending) == [Question(Topic.CONTAINER, "web")]
