"""One request as one operation, or a refusal."""

import json
from dataclasses import replace

import pytest

from authz.docker.canonical import MAX_BODY, canonical
from authz.docker.forward import forward
from authz.docker.routes import load_operations
from authz.errors import Reason, RefusedError
from authz.wire.raw import BodyState, Door, RawRequest
from tests.builders import a_raw_request, operation_named

START = "/v1.45/containers/web/start"
UNSEEN = BodyState.UNSEEN


def read(*args, **kwargs):
    """Read a request as built by its parts."""
    return canonical(a_raw_request(*args, **kwargs))


def refused(*args, **kwargs):
    """Read a request that must be refused."""
    with pytest.raises(RefusedError) as refusal:
        read(*args, **kwargs)
    return refusal.value


def operations(body, **wanted):
    """Return the operations with such a body that a request can reach, by path."""
    rows = [
        row
        for row in load_operations()
        if row.body == body and row.method in {"POST", "PUT"} and not row.variant
    ]
    return [row for row in rows if all(getattr(row, key) == is_ for key, is_ in wanted.items())]


def target(operation):
    """Return a target of the operation."""
    return "/v1.45" + operation.path.replace("{id}", "web").replace("{name}", "web")


def test_a_create_is_read_in_all_its_parts():
    """Target, headers and body meet in one value."""
    request = read(
        target="/v1.45/containers/create?name=web&foo=1",
        body={"Image": "a", "hostconfig": {"privileged": True, "Bar": 1}, "Env": None},
        media="application/json; charset=utf-8",
    )

    assert request.operation.name == "ContainerCreate"
    assert request.version == (1, 45)
    assert request.path == {}
    assert request.query == {"name": ("web",)}
    assert request.body == {"Image": "a", "HostConfig": {"Privileged": True}}
    assert request.unknown_fields == ("query.foo", "HostConfig.Bar")
    assert request.opaque == ""
    assert request.content_type == "application/json"


@pytest.mark.parametrize(
    ("path", "name", "action"),
    [
        ("/build?version=2", "ImageBuildKit", "build.buildkit"),
        ("/build?version=1", "ImageBuild", "build.run"),
        ("/build?version=", "ImageBuild", "build.run"),
        ("/build", "ImageBuild", "build.run"),
        ("/build?Version=2", "ImageBuild", "build.run"),
        ("/images/create?fromImage=a", "ImageCreate", "image.pull"),
        ("/images/create?fromImage=a&fromSrc=-", "ImageCreate", "image.pull"),
        ("/images/create?fromImage=", "ImageImport", "image.import"),
        ("/images/create?fromSrc=-", "ImageImport", "image.import"),
        ("/images/create?fromimage=a&fromSrc=-", "ImageImport", "image.import"),
    ],
)
def test_the_query_tells_variants_apart(path, name, action):
    """The first whose condition holds is meant, else the last."""
    operation = read(target=path).operation

    assert (operation.name, operation.action) == (name, action)


@pytest.mark.parametrize(
    "path",
    [
        "/build?version=1&version=2",
        "/build?version=2&version=1",
        "/build?version=2&version=2",
        "/images/create?fromImage=a&fromImage=",
        "/images/create?fromImage=&fromImage=a",
    ],
)
def test_a_variant_is_chosen_once(path):
    """A repeated parameter would choose differently for another reader."""
    assert "comes twice" in refused(target=path).detail


@pytest.mark.parametrize("operation", operations("json"), ids=lambda row: row.name)
def test_a_body_that_was_not_shown_is_refused(operation):
    """Daemons hide bodies by type, size, coding and target; nobody can judge such a one."""
    refusal = refused(operation.method, target(operation), media="text/plain", state=UNSEEN)

    assert refusal.reason is Reason.BODY_INCOMPLETE
    assert refusal.detail == (
        'body of type "text/plain" was not shown; expected one of type application/json'
    )


@pytest.mark.parametrize("operation", operations("json", required=True), ids=lambda row: row.name)
def test_a_body_that_is_missing_is_refused(operation):
    """The operation cannot do without."""
    refusal = refused(operation.method, target(operation))

    assert refusal.reason is Reason.BODY_INCOMPLETE
    assert refusal.detail == f"body of {operation.name} is missing"


@pytest.mark.parametrize("body", [b"", b"null"])
def test_a_commit_can_do_without_a_body(body):
    """What is known to be absent is no document."""
    assert read(target="/commit?container=web", body=body).body is None


@pytest.mark.parametrize("media", [None, "", "text/plain", "application/x-tar", "text/json"])
def test_a_document_of_another_type_is_refused(media):
    """Old daemons read it all the same, and show it to nobody."""
    refusal = refused(body={"Image": "a"}, media=media)

    assert refusal.reason is Reason.UNREADABLE_REQUEST
    assert refusal.detail == f'Content-Type is "{media or ""}"; expected application/json'


@pytest.mark.parametrize("body", [b"x", b"[]", b"null", b"{}}", b'{"a": 1, "a": 2}', b" "])
def test_a_document_that_does_not_read_one_way_is_refused(body):
    """So is one that is no object."""
    assert refused(body=body).reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        {"Image": "a", "Privileged": True},
        {"Image": "a", "HostConfig": None, "binds": ["/:/h"]},
        {"Image": "a", "HostConfig": {"Capabilities": ["ALL"]}},
    ],
)
def test_a_legacy_create_is_refused(body):
    """Only old daemons apply such members."""
    assert refused(body=body).reason is Reason.LEGACY_FORM


def test_a_harmless_legacy_member_moves_in_the_proxy_alone():
    """What the daemon gets has it where it was judged; a plugin cannot change what it gets."""
    create = a_raw_request(body={"Image": "a", "Dns": ["192.0.2.1"], "VolumesFrom": []})
    with pytest.raises(RefusedError, match="Dns is a list; only old daemons") as refusal:
        canonical(create)
    assert refusal.value.reason is Reason.LEGACY_FORM

    create = replace(create, door=Door.PROXY)
    sent = json.loads(forward(create, canonical(create)).body)

    assert sent == {"Image": "a", "HostConfig": {"Dns": ["192.0.2.1"]}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/containers/web/start", {"Binds": ["/:/h"]}),
        ("/v1.45/containers/web/start", {"HostConfig": {"Privileged": True}}),
        ("/v1.45/containers/web/start", {"hostconfig": {}}),
        ("/v1.23/containers/web/start", {"Binds": ["/:/h"]}),
        ("/v1.23/containers/web/start", b""),
    ],
)
def test_a_start_with_a_hostconfig_is_refused(path, body):
    """Old daemons apply it, bare or wrapped."""
    assert refused(target=path, body=body).reason is Reason.LEGACY_FORM


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b" {}\r\n", b"\t"])
def test_a_start_with_nothing_in_it_is_taken(body):
    """Some clients send an empty document."""
    assert read(target=START, body=body).body is None


@pytest.mark.parametrize(
    "operation",
    [row for row in operations("none") if row.name != "ContainerStart"],
    ids=lambda row: row.name,
)
def test_a_body_that_nobody_reads_is_refused(operation):
    """Some daemon might read it after all."""
    refusal = refused(operation.method, target(operation), body={"a": 1})

    assert refusal.reason is Reason.UNREADABLE_REQUEST
    assert refusal.detail == f"{operation.name} has a body of 8 bytes; expected none"


def test_a_body_that_nobody_reads_stays_in_the_proxy():
    """What the daemon gets has none."""
    stop = a_raw_request(target="/v1.45/containers/web/stop?t=1", body={"t": 1})
    stop = replace(stop, door=Door.PROXY)

    assert forward(stop, canonical(stop)).body == b""


def test_a_start_with_a_body_stays_refused_in_the_proxy():
    """The client wants something that old daemons did."""
    start = replace(a_raw_request(target=START, body={"Binds": ["/:/h"]}), door=Door.PROXY)

    with pytest.raises(RefusedError) as refusal:
        canonical(start)
    assert refusal.value.reason is Reason.LEGACY_FORM


@pytest.mark.parametrize(
    "operation",
    [row for row in operations("none") if row.name != "ContainerAttach"],
    ids=lambda row: row.name,
)
def test_a_body_that_may_be_there_is_refused(operation):
    """Only a shown length of zero proves that there is none."""
    refusal = refused(operation.method, target(operation), state=UNSEEN)

    assert refusal.reason is Reason.BODY_INCOMPLETE
    assert refusal.detail == ("body may be there and was not shown; expected Content-Length: 0")


@pytest.mark.parametrize("state", [BodyState.COMPLETE, UNSEEN])
def test_an_attach_has_no_body_to_be_shown(state):
    """What follows is the client's stream, which begins after the answer."""
    request = read(target="/containers/web/attach?stream=1", media="text/plain", state=state)

    assert (request.operation.name, request.body) == ("ContainerAttach", None)


def test_a_login_that_is_not_shown_is_opaque():
    """Most engines show it to no plugin; one that is shown is read."""
    hidden = read("POST", "/v1.45/auth", body=b"", state=UNSEEN)
    shown = read("POST", "/v1.45/auth", body={"serveraddress": "r.example"})

    assert (hidden.opaque, hidden.body) == ("auth", None)
    assert (shown.opaque, shown.body) == ("", {"serveraddress": "r.example"})
    assert refused("POST", "/v1.45/auth", body=b"").reason is Reason.BODY_INCOMPLETE


@pytest.mark.parametrize("state", list(BodyState))
@pytest.mark.parametrize("operation", operations("opaque"), ids=lambda row: row.name)
def test_an_opaque_body_is_left_alone(operation, state):
    """Whatever it holds, the request says that nobody read it."""
    request = read(
        operation.method, target(operation), body=b"\xff", media="application/x-tar", state=state
    )

    assert request.operation == operation
    assert request.opaque == operation.opaque != ""
    assert request.body is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/json"),
        ("HEAD", "/_ping"),
        ("DELETE", "/containers/web"),
        ("OPTIONS", "/containers/create"),
    ],
)
@pytest.mark.parametrize("state", list(BodyState))
def test_the_body_of_other_methods_is_not_looked_at(method, path, state):
    """The daemon leaves it alone, too."""
    request = read(method, path, body=b"\xff", media=None, state=state)

    assert request.body is None


@pytest.mark.parametrize("path", ["/containers/create", START, "/containers/web/attach"])
def test_a_body_above_the_limit_is_refused(path):
    """It was not decoded, whichever of the two noticed."""
    known = refused(target=path, body=b" " * (MAX_BODY + 1))
    told = refused(target=path, state=BodyState.TOO_LARGE)

    assert known.reason is told.reason is Reason.BODY_TOO_LARGE
    assert known.detail == "body is larger than the 262144 bytes that are read"


def test_a_site_may_set_the_limit():
    """A body of exactly the limit is read."""
    raw = a_raw_request(body=b'{"Image":"a"}')

    assert canonical(raw, max_body=13).body == {"Image": "a"}

    with pytest.raises(RefusedError, match="larger than the 12 bytes"):
        canonical(raw, max_body=12)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/create"),
        ("POST", "/containers/web/rename?name=good"),
        ("POST", "/containers/web/kill?signal=0"),
        ("POST", "/images/create?fromImage=a"),
        ("POST", "/build?networkmode=default"),
        ("POST", "/build/cancel"),
        ("POST", "/images/load"),
        ("POST", "/auth"),
        ("PUT", "/containers/web/archive?path=/"),
        ("GET", "/containers/json"),
    ],
)
@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_is_refused_everywhere(method, path, media):
    """Its values would win over those that were judged."""
    refusal = refused(method, path, body=b"name=evil", media=media)

    assert refusal.reason is Reason.UNREADABLE_REQUEST
    assert "form" in refusal.detail


def test_two_content_types_are_refused():
    """The daemon takes the first."""
    headers = (("Content-Type", "application/json"), ("content-type", "text/plain"))
    raw = RawRequest("POST", "/containers/create", headers, b"{}")

    with pytest.raises(RefusedError, match="Content-Type comes 2 times"):
        canonical(raw)


@pytest.mark.parametrize("path", ["/services/create?#%zz", "/services/update?a=#%", "/x#/auth"])
def test_a_target_that_hides_its_body_is_refused(path):
    """Also for operations whose body nobody reads."""
    assert refused(target=path, media=None, state=UNSEEN).reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("GET", "/nowhere", Reason.UNKNOWN_ROUTE),
        ("get", "/info", Reason.UNKNOWN_ROUTE),
        ("GET", "/v1.23/info", Reason.LEGACY_FORM),
        ("GET", "/v1.45.0/info", Reason.UNREADABLE_REQUEST),
        ("GET", "http://docker/info", Reason.UNREADABLE_REQUEST),
        ("OPTIONS", "*", Reason.UNREADABLE_REQUEST),
        ("PRI", "*", Reason.UNREADABLE_REQUEST),
        ("GET", "/containers/json?limit=x", Reason.UNREADABLE_REQUEST),
        ("GET", "/containers/json?filters={", Reason.UNREADABLE_REQUEST),
        ("POST", "/build?networkmode=none;x&networkmode=host", Reason.UNREADABLE_REQUEST),
    ],
)
def test_a_target_that_cannot_be_judged_is_refused(method, path, reason):
    """Each refusal has the reason of what is wrong."""
    assert refused(method, path).reason is reason


def test_a_request_without_a_version_has_none():
    """Then the daemon takes its own default, which is not known here."""
    assert read("GET", "/version").version is None


@pytest.mark.parametrize(
    ("method", "path", "media", "body"),
    [
        ("GET", "/_ping", None, b""),
        ("GET", "/v1.24/version", None, b""),
        ("GET", "/v1.41/containers/json?all=True&limit=-1&trunc_cmd=0&size=False", None, b""),
        ("GET", "/v1.45/events?filters=%7B%22type%22%3A%7B%22container%22%3Atrue%7D%7D", None, b""),
        ("POST", "/v1.45/containers/web/start", "application/json", b""),
        ("POST", "/v1.45/containers/web/wait?condition=next-exit", "text/plain", b""),
        ("POST", "/v1.45/images/create?fromImage=a&tag=latest", "text/plain", b""),
        ("GET", "/v1.45/images/host:5000/a/b:1/json", None, b""),
        ("POST", "/v1.45/exec/1a/start", "application/json", b'{"Detach":false,"Tty":false}'),
        ("POST", "/v1.45/build?t=a&t=b&buildargs=%7B%7D&cachefrom=null", "application/tar", b""),
    ],
)
def test_what_ordinary_clients_send_is_read(method, path, media, body):
    """Nothing of it is unknown."""
    assert read(method, path, body, media=media).unknown_fields == ()


def test_the_create_of_the_command_line_is_read():
    """It sends an explicit null or zero for every member it does not set."""
    body = {
        "Hostname": "",
        "AttachStdout": True,
        "ExposedPorts": {"80/tcp": {}},
        "Env": None,
        "Cmd": ["id"],
        "Image": "alpine",
        "Volumes": {},
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": {},
        "HostConfig": {
            "Binds": ["data:/data"],
            "LogConfig": {"Type": "", "Config": {}},
            "NetworkMode": "default",
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "ConsoleSize": [24, 80],
            "CapAdd": None,
            "Privileged": False,
            "OomKillDisable": False,
            "PidsLimit": 0,
            "MemorySwappiness": -1,
            "BlkioWeightDevice": [],
            "MaskedPaths": None,
            "ReadonlyPaths": None,
        },
        "NetworkingConfig": {"EndpointsConfig": {"default": {"Links": None, "MacAddress": ""}}},
    }

    request = read(target="/v1.45/containers/create?name=web", body=body)

    assert request.operation == operation_named("ContainerCreate")
    assert request.unknown_fields == ()
    assert request.body["HostConfig"].keys() == body["HostConfig"].keys() - {
        "CapAdd",
        "MaskedPaths",
        "ReadonlyPaths",
    }
