"""The daemon gets what was judged, written anew."""

import json

import pytest

from authz.docker import forward as writing
from authz.docker.canonical import canonical
from authz.docker.forward import Edit, Pins, Plan, forward, plan
from authz.errors import RefusedError
from authz.wire.raw import Door, RawRequest
from tests.builders import a_raw_request


def sent(raw: RawRequest):
    """Return what goes on for a request."""
    return forward(raw, canonical(raw))


def test_few_targets_are_remembered_and_no_long_ones():
    """Nor any of what changes something: its parameters can be secrets."""
    writing._targets.clear()
    sent(RawRequest("DELETE", "/containers/secret"))
    sent(RawRequest("GET", f"/containers/{'x' * 600}/json"))
    assert not writing._targets

    for number in range(writing._MOST + 1):
        sent(RawRequest("GET", f"/containers/{number}/json"))
    assert len(writing._targets) == writing._MOST
    assert ("GET", "/containers/0/json") not in writing._targets


@pytest.mark.parametrize(
    ("method", "written", "target"),
    [
        ("GET", "/v1.41/containers/json?all=1&limit=5", "/v1.41/containers/json?all=1&limit=5"),
        ("GET", "/info", "/info"),
        ("GET", "/containers/json?", "/containers/json"),
        ("GET", "/containers/json?all", "/containers/json?all="),
        ("GET", "/images/a%2Fb%3Ac/json", "/images/a/b:c/json"),
        ("GET", "/images/reg:5000/a@sha256:0/json", "/images/reg:5000/a@sha256:0/json"),
        ("GET", "/volumes/a%20b%25", "/volumes/a%20b%25"),
        ("GET", "/images/get?names=a&names=b%26c", "/images/get?names=a&names=b%26c"),
        ("GET", "/containers/x/top?ps_args=a+b%2B", "/containers/x/top?ps_args=a%20b%2B"),
        ("DELETE", "/v1.41/containers/x?force=1", "/v1.41/containers/x?force=1"),
        ("GET", "/networks/", "/networks/"),
        ("GET", "/info?new=1", "/info?new=1"),
    ],
)
def test_the_target_is_written_anew(method, written, target):
    """By one rule of escaping; no version is added."""
    raw = RawRequest(method, written)

    assert (sent(raw).method, sent(raw).target) == (method, target)
    assert sent(RawRequest(method, target)).target == target


def test_the_document_is_the_canonical_one():
    """The daemon's spelling, no nulls, no unknown empty member, no blanks."""
    body = {"image": "a", "hostconfig": {"PRIVILEGED": False, "Binds": None}, "New": ""}
    found = sent(a_raw_request(body=body))

    assert json.loads(found.body) == {"Image": "a", "HostConfig": {"Privileged": False}}
    assert b" " not in found.body
    assert found.headers == (("Content-Type", "application/json"),)


def test_admitted_unknown_members_go_along():
    """They were judged by name, and a policy that admits them means them."""
    raw = a_raw_request(body=b'{"Image":"\xc3\xa9", "New": {"a": [1.50, null, true]}}')

    assert sent(raw).body == b'{"Image":"\\u00e9","New":{"a":[1.50,null,true]}}'


def test_without_a_document_there_is_no_body():
    """Whatever the client wrote where the daemon reads nothing."""
    raw = a_raw_request("POST", "/containers/x/start", b"{}")

    assert sent(raw).body == b""
    assert sent(raw).headers == ()


def test_a_body_that_is_not_read_follows_as_it_comes():
    """With its type, without parameters."""
    found = sent(a_raw_request("POST", "/images/load", media="application/x-tar; a=b"))

    assert found.body is None
    assert found.headers == (("Content-Type", "application/x-tar"),)
    assert not found.plan.reads


def test_only_headers_that_the_daemon_reads_go_on():
    """Credentials, passes and hop-by-hop headers stay."""
    raw = RawRequest(
        "POST",
        "/images/create?fromImage=a",
        (
            ("Host", "docker"),
            ("Authorization", "Bearer secret"),
            ("Dockgate-Pass", "forged"),
            ("Dockgate-Anything", "x"),
            ("Connection", "close"),
            ("Keep-Alive", "timeout=5"),
            ("X-HTTP-Method-Override", "GET"),
            ("X-Registry-Auth", "e30="),
            ("User-Agent", "Docker-Client"),
            ("X-Meta-Origin", "a"),
        ),
        door=Door.PROXY,
    )

    assert [name for name, _ in sent(raw).headers] == [
        "X-Registry-Auth",
        "User-Agent",
        "X-Meta-Origin",
    ]


def test_a_session_keeps_what_it_exposes():
    """Its methods come in a header of their own, several times."""
    raw = RawRequest(
        "POST",
        "/session",
        (
            ("X-Docker-Expose-Session-Grpc-Method", "/a"),
            ("X-Docker-Expose-Session-Grpc-Method", "/b"),
        ),
    )

    assert len(sent(raw).headers) == 2


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/info", Plan()),
        ("POST", "/containers/x/attach", Plan(switch="tcp", bare=True)),
        ("POST", "/exec/x/start", Plan(switch="tcp", bare=True)),
        ("GET", "/containers/x/attach/ws", Plan(switch="websocket")),
        ("POST", "/session", Plan(reads=False, switch="h2c")),
        ("POST", "/grpc", Plan(reads=False, switch="h2c")),
        ("POST", "/images/create?fromImage=a", Plan()),
        ("POST", "/images/create?fromSrc=-", Plan(reads=False)),
        ("PUT", "/containers/x/archive", Plan(reads=False)),
    ],
)
def test_the_plan_comes_before_the_judgement(method, target, expected):
    """Which bodies are read, and which connections can be taken over."""
    assert plan(method, target) == expected


def test_there_is_no_plan_for_what_cannot_be_read():
    """The gate will refuse it."""
    with pytest.raises(RefusedError):
        plan("GET", "//info")


def test_further_headers_come_last():
    """The rest of it stays as it was judged."""
    found = sent(RawRequest("GET", "/info"))

    assert found.signed(()) is found
    assert found.signed((("A", "b"),)).headers == (("A", "b"),)
    assert sent(a_raw_request("GET", "/info?new=1", media=None)).target == "/info?new=1"


def test_pins_take_the_place_of_names():
    """In the path, the parameters and the document, and nowhere else."""
    raw = a_raw_request(body={"image": "a", "hostConfig": {"pidMode": "container:a"}})
    found = forward(
        raw,
        canonical(raw),
        Pins(body=(Edit(("HostConfig", "PidMode"), "container:0f"), Edit(("Image",), "0e"))),
    )
    assert json.loads(found.body) == {"Image": "0e", "HostConfig": {"PidMode": "container:0f"}}

    raw = RawRequest("POST", "/v1.41/commit?container=a&repo=a")
    found = forward(raw, canonical(raw), Pins(query={"container": "0f"}))
    assert found.target == "/v1.41/commit?container=0f&repo=a"

    raw = RawRequest("GET", "/v1.41/containers/a/json?size=1")
    found = forward(raw, canonical(raw), Pins(path={"id": "0f"}))
    assert found.target == "/v1.41/containers/0f/json?size=1"


@pytest.mark.parametrize("labels", ["", ',"Labels":null', ',"labels":{}'])
def test_an_edit_adds_what_is_not_there(labels):
    """In a document that was read, and in one that goes along as it came."""
    edit = Edit(("Labels", "a"), "b")
    for unknown in ("", ',"New":1'):
        raw = a_raw_request(body=f'{{"Image":"x"{labels}{unknown}}}'.encode())
        written = json.loads(forward(raw, canonical(raw), Pins(body=(edit,))).body)
        found = {name.lower(): value for name, value in written.items()}
        assert (found["image"], found["labels"], len(found)) == ("x", {"a": "b"}, 2 + bool(unknown))


def test_pins_find_members_that_go_along_as_they_were_spelt():
    """With an admitted unknown member the client's own document is sent on."""
    body = b'{"IMAGE":"a","hostconfig":{"VolumeSFrom":["a:ro"],"New":1},"Image2":"a"}'
    raw = a_raw_request(body=body)
    edit = Edit(("HostConfig", "VolumesFrom"), ["0f:ro"])
    found = forward(raw, canonical(raw), Pins(body=(edit, Edit(("Image",), "0e"))))

    assert found.body == (
        b'{"IMAGE":"0e","hostconfig":{"VolumeSFrom":["0f:ro"],"New":1},"Image2":"a"}'
    )
