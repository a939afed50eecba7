"""Which request asks which question, and that no name can make it another request."""

from urllib.parse import unquote

import pytest

from authz.errors import LookupFailedError
from authz.facts.questions import Question, Topic
from authz.lookups.targets import events, is_lookup, target

NAMED = [each for each in Topic if each not in {Topic.DAEMON, Topic.PATH, Topic.VARIANT}]

HOSTILE = [
    "../info",
    "a/../../secrets",
    "/",
    "a//b",
    "x/json?all=1",
    "x#y",
    "a b",
    "a\r\nHost: evil",
    "a\0b",
    "%2e%2e",
    "{}",
    "ü/☃",
    "...",
    ".hidden",
]
"""Names that mean something else where they are not escaped."""


@pytest.mark.parametrize(
    ("topic", "key", "expected"),
    [
        (Topic.CONTAINER, "web", "/containers/web/json"),
        (Topic.EXEC, "4b" * 32, f"/exec/{'4b' * 32}/json"),
        (Topic.VOLUME, "data", "/volumes/data"),
        (Topic.IMAGE, "nginx:1.27", "/images/nginx%3A1.27/json?manifests=1"),
        (
            *(Topic.IMAGE, "ghcr.io/a/b@sha256:00"),
            "/images/ghcr.io%2Fa%2Fb%40sha256%3A00/json?manifests=1",
        ),
        (
            *(Topic.VARIANT, "linux/arm/v7 nginx:1.27"),
            (
                "/images/nginx%3A1.27/json?platform="
                "%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm%22%2C%22variant%22%3A%22v7%22%7D"
            ),
        ),
        (Topic.NETWORK, "app_net-1~x", "/networks/app_net-1~x"),
        (Topic.DAEMON, "", "/info"),
    ],
)
def test_each_topic_has_its_request(topic, key, expected):
    """Names are escaped but for what every reader takes literally."""
    written = target(Question(topic, key))

    assert written == expected
    assert is_lookup("GET", written)


@pytest.mark.parametrize("topic", NAMED)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_one_segment(topic, name):
    """Whatever it holds, it ends neither the segment nor the path nor the line."""
    written = target(Question(topic, name))

    before, _, after = target(Question(topic, "NAME")).partition("NAME")
    segment = written.removeprefix(before).removesuffix(after)
    assert written == before + segment + after
    assert not set(segment) & set("/?#\r\n\0 ")
    assert unquote(segment, errors="strict") == name
    assert is_lookup("GET", written)


@pytest.mark.parametrize("topic", NAMED)
@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_is_no_name_is_not_asked_about(topic, name):
    """An empty name would ask for the list, and dots for a folder."""
    with pytest.raises(LookupFailedError, match=rf"is no name of a {topic}"):
        target(Question(topic, name))


@pytest.mark.parametrize("platform", ["a?b&c=d#", 'lin"ux/\r\n', "a/b/c/d/e", ""])
def test_a_platform_stays_one_parameter(platform):
    """Whatever an index says."""
    written = target(Question(Topic.VARIANT, f"{platform} nginx"))

    path, _, query = written.partition("?platform=")
    assert path == "/images/nginx/json"
    assert not set(query) & set("/?#&=+\r\n\0 ")
    assert is_lookup("GET", written)


@pytest.mark.parametrize("key", ["linux/amd64", "linux/amd64 ", "linux/amd64 .", " .."])
def test_a_platform_alone_is_not_asked_about(key):
    """It is one of an image."""
    with pytest.raises(LookupFailedError, match="is no name of a variant"):
        target(Question(Topic.VARIANT, key))


def test_half_a_surrogate_pair_is_not_asked_about():
    """There is no byte for it."""
    with pytest.raises(LookupFailedError, match="a name of a volume is not Unicode"):
        target(Question(Topic.VOLUME, "\ud800"))


def test_the_events_that_answers_depend_on_are_part_of_a_lookup():
    """These events and no others."""
    assert unquote(events(42)) == '/events?since=42&filters={"type":["container","network"]}'
    assert is_lookup("GET", events(42))


def test_the_daemon_is_not_asked_about_paths():
    """It does not tell where links lead."""
    with pytest.raises(LookupFailedError, match="the daemon cannot tell about a path"):
        target(Question(Topic.PATH, "/etc"))


@pytest.mark.parametrize(
    ("method", "written"),
    [
        ("POST", "/containers/web/json"),
        ("HEAD", "/info"),
        ("get", "/info"),
        ("GET", "/containers/json"),
        ("GET", "/containers//json"),
        ("GET", "/containers/./json"),
        ("GET", "/containers/../json"),
        ("GET", "/containers/web/json?size=1"),
        ("GET", "/containers/web/json\n"),
        ("GET", "/containers/web/logs"),
        ("GET", "/containers/a/b/json"),
        ("GET", "/v1.47/containers/web/json"),
        ("GET", "/images/json"),
        ("GET", "/images/x/get"),
        ("GET", "/volumes/"),
        ("GET", "/volumes/.."),
        ("GET", "/volumes"),
        ("GET", "/secrets/"),
        ("GET", "/swarm"),
        ("GET", "/swarm/unlockkey"),
        ("GET", "/services/x/logs"),
        ("GET", "/info/"),
        ("GET", "/infos"),
        ("GET", "/events"),
        ("GET", "/events?since=1"),
        ("GET", events(1).replace("network", "image")),
        ("GET", events(1) + "&until=2"),
        ("GET", events(1).replace("=1&", "=x&")),
        ("GET", "x/info"),
        ("GET", ""),
    ],
)
def test_nothing_else_is_a_lookup(method, written):
    """Lists, other methods, versions and whatever comes behind are never admitted."""
    assert not is_lookup(method, written)
