"""Request targets: versions, paths and escapes."""

import re

import pytest

from authz.docker.routes import load_operations
from authz.docker.target import Target, read_target
from authz.errors import Reason, RefusedError

UNREADABLE = Reason.UNREADABLE_REQUEST
UNKNOWN = Reason.UNKNOWN_ROUTE
LEGACY = Reason.LEGACY_FORM
REACHABLE = [row for row in load_operations() if row.path != "*" and row.method != "GRPC"]


def names(target):
    """Return the names of the operations that a target may mean."""
    return [operation.name for operation in target.operations]


def refused(method, target):
    """Read a target that must be refused."""
    with pytest.raises(RefusedError) as refusal:
        read_target(method, target)
    return refusal.value


@pytest.mark.parametrize("version", ["", "/v1.45"])
@pytest.mark.parametrize("operation", REACHABLE, ids=lambda row: row.name)
def test_every_operation_has_a_target(operation, version):
    """Each route exists twice: bare and below a version."""
    path = re.sub(r"{\w+}", "web", operation.path)

    target = read_target(operation.method, version + path)

    assert operation in target.operations
    assert target.version == ((1, 45) if version else None)


@pytest.mark.parametrize(
    "operation",
    [row for row in load_operations() if row not in REACHABLE],
    ids=lambda row: row.name,
)
def test_what_no_plugin_is_asked_about_has_no_target(operation):
    """The server's own OPTIONS and native gRPC come by other ways."""
    assert refused(operation.method, operation.path).reason in {UNKNOWN, UNREADABLE}


def test_a_target_is_read_in_all_its_parts():
    """Version, operation, name and parameters come out decoded."""
    target = read_target("DELETE", "/v1.41/containers/web%2Fdb?force=1&v=%31")

    assert target == Target(
        version=(1, 41),
        operations=tuple(row for row in load_operations() if row.name == "ContainerDelete"),
        path={"id": "web/db"},
        pairs=(("force", "1"), ("v", "1")),
    )


@pytest.mark.parametrize(
    ("prefix", "version"),
    [("", None), ("/v1.24", (1, 24)), ("/v1.41", (1, 41)), ("/v1.99", (1, 99))],
)
def test_one_spelling_of_a_version_is_taken(prefix, version):
    """Without one the daemon takes its own default."""
    assert read_target("POST", f"{prefix}/containers/create").version == version


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/v1.41.0/containers/create", UNREADABLE),
        ("/v01.041/containers/create", UNREADABLE),
        ("/v1.041/containers/create", UNREADABLE),
        ("/v1.41./containers/create", UNREADABLE),
        ("/v1.41.99/containers/create", UNREADABLE),
        ("/v1/containers/create", UNREADABLE),
        ("/v1..41/containers/create", UNREADABLE),
        ("/v.1.41/containers/create", UNREADABLE),
        ("/v./containers/create", UNREADABLE),
        ("/v2.0/containers/create", UNREADABLE),
        ("/v0.41/containers/create", UNREADABLE),
        ("/v1.100/containers/create", UNREADABLE),
        ("/v1.0/containers/create", LEGACY),
        ("/v1.9/containers/create", LEGACY),
        ("/v1.23/containers/web/start", LEGACY),
        ("/V1.41/containers/create", UNKNOWN),
        ("/Containers/Create", UNKNOWN),
        ("/v1.41/v1.41/containers/create", UNKNOWN),
        ("/v1.41", UNKNOWN),
        ("/v/containers/create", UNKNOWN),
        ("/v1.41x/containers/create", UNKNOWN),
        ("/libpod/containers/create", UNKNOWN),
        ("/v4.0.0/libpod/containers/create", UNKNOWN),
        ("/v1.41/libpod", UNKNOWN),
    ],
)
def test_another_version_is_refused(target, reason):
    """The daemon takes any run of digits and dots; other readers do not."""
    assert refused("POST", target).reason is reason


@pytest.mark.parametrize(
    "target",
    [
        "/containers/%63reate",
        "/containers%2fcreate",
        "/v1.41%2fcontainers%2fcreate",
        "/%76%31%2e41/containers/create",
        "/v1%2e41/containers/create",
        "/%2e%2e/containers/create",
        "/x/%2e%2e/containers/create",
        "%2Fcontainers/create",
        "/%2fcontainers/create",
        "/containers/create%2f",
        "/containers/create%00",
        "/containers/create%0a",
        "/containers/create%3Fname=x",
        "/containers/create%23",
        "/containers/web%2fstart",
        "/containers/web%2fdb%2fstart",
        "/containers/web/%73tart",
        "/build%2fprune",
        "/containers/create%",
        "/containers/create%2",
        "/containers/%zz/start",
        "/containers/%ff/start",
        "/containers/%2f/start",
        "/containers/a%2f/start",
        "/containers/a%2f%2e%2e/start",
        "/containers/a%0ab/start",
        "/containers/a%00/start",
        "/containers/a%e2%80%ae/start",
    ],
)
def test_an_escape_anywhere_but_in_a_name_is_refused(target):
    """Whoever matches before decoding, or decodes twice, would see another route."""
    assert refused("POST", target).reason in {UNREADABLE, UNKNOWN}


@pytest.mark.parametrize(
    "target", ["/services/a%2Flogs", "/containers/a/attach%2fws", "/images/a%2fjson"]
)
def test_an_escaped_slash_makes_no_verb(target):
    """The decoded route would differ from the written one."""
    assert refused("GET", target).reason is UNREADABLE


def test_an_escape_that_changes_the_route_names_the_problem():
    """The caller learns what to write otherwise."""
    refusal = refused("DELETE", "/containers/web%2Fcheckpoints%2Fone")

    assert refusal.reason is UNREADABLE
    assert refusal.detail.endswith("escapes a character that is no part of a name")


@pytest.mark.parametrize(
    ("method", "target", "path"),
    [
        ("GET", "/containers/web%2Fdb/json", {"id": "web/db"}),
        ("GET", "/v1.41/containers/web%2fdb/json", {"id": "web/db"}),
        ("GET", "/images/host%3A5000%2Fa%40sha256%3A1/json", {"name": "host:5000/a@sha256:1"}),
        ("GET", "/images/host:5000/a@sha256:1/json", {"name": "host:5000/a@sha256:1"}),
        ("GET", "/containers/%77eb/json", {"id": "web"}),
        ("GET", "/containers/a%252fb/json", {"id": "a%2fb"}),
        ("GET", "/containers/a%2Fb%2Fjson/json", {"id": "a/b/json"}),
        ("GET", "/volumes/a%20b", {"name": "a b"}),
        ("GET", "/volumes/a+b", {"name": "a+b"}),
        ("GET", "/volumes/%C3%A9", {"name": "é"}),
        ("GET", "/services/a%25b", {"id": "a%b"}),
    ],
)
def test_a_name_is_decoded_once(method, target, path):
    """Clients escape slashes and colons in names of images and containers."""
    assert read_target(method, target).path == path


@pytest.mark.parametrize(
    "target",
    [
        "//v1.41/containers/create",
        "/v1.41//containers/create",
        "/v1.41/containers//create",
        "//auth/containers/create",
        "/./containers/create",
        "/x/../containers/create",
        "/containers/./create",
        "/containers/create/.",
        "/containers/create/..",
        "/..",
    ],
)
def test_an_unclean_path_is_refused(target):
    """The daemon redirects it; a reader that cleans first would judge another one."""
    refusal = refused("POST", target)

    assert refusal.reason is UNREADABLE
    assert "is not clean" in refusal.detail


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "?",
        "containers/create",
        "http://docker/v1.41/containers/create",
        "HTTP://docker/v1.41/containers/create",
        "\\containers\\create",
        " /containers/create",
    ],
)
def test_a_target_is_a_path(target):
    """The absolute form and others reach the same handlers."""
    refusal = refused("POST", target)

    assert refusal.reason is UNREADABLE
    assert "expected a path that starts with a slash" in refusal.detail


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/containers/create#/auth", "path"),
        ("/services/create#?x", "path"),
        ("/containers/create;x=y", "path"),
        ("/containers/create\\", "path"),
        ("/containers/cre ate", "path"),
        ("/containers/create\t", "path"),
        ("/containers/create\n", "path"),
        ("/containers/créate", "path"),
        ("/containers/[web]", "path"),
        ("/containers/\udcff", "path"),
        ("/services/create?#%zz", "query"),
        ("/services/create?#", "query"),
        ("/services/create?x=#%", "query"),
        ("/services/create?x= ", "query"),
        ("/services/create?x=\x7f", "query"),
        ("/services/create?x=\n", "query"),
        ("/services/create?x=é", "query"),
        ("/services/create?x=\udcff", "query"),
        ("/services/create?%zz", "query"),
        ("/services/create?a;b", "query"),
    ],
)
def test_a_character_that_no_client_needs_is_refused(target, place):
    """A fragment alone hides the body from a plugin, and the rest are read in several ways."""
    refusal = refused("POST", target)

    assert refusal.reason is UNREADABLE
    assert refusal.detail.startswith(place)


@pytest.mark.parametrize(
    "target",
    ["/build?buildargs=hunter2#", "http://docker/build?buildargs=hunter2", "/x?a=hunter2"],
)
def test_a_refusal_shows_nothing_of_the_query(target):
    """Parameters hold secrets, and a refusal is written down."""
    assert "hunter2" not in refused("POST", target).detail


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/containers/create"),
        ("PUT", "/containers/create"),
        ("post", "/containers/create"),
        ("", "/containers/create"),
        ("HEAD", "/containers/json"),
        ("CONNECT", "/containers/create"),
        ("POST", "/containers/create/"),
        ("DELETE", "/containers/web/"),
        ("POST", "/"),
    ],
)
def test_no_route_is_said_to_be_none(method, target):
    """Methods count to the letter, and a trailing slash is another path."""
    refusal = refused(method, target)

    assert refusal.reason is UNKNOWN
    assert refusal.detail.endswith("is no operation of the Docker Engine API")


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("/build?version=2", ["ImageBuildKit", "ImageBuild"]),
        ("/images/create?fromImage=a", ["ImageCreate", "ImageImport"]),
        ("/containers/create?", ["ContainerCreate"]),
        ("/containers/create?a=?b", ["ContainerCreate"]),
    ],
)
def test_all_that_a_path_may_mean_comes_back(target, first):
    """Telling variants apart by the query is somebody else's business."""
    assert names(read_target("POST", target)) == first
