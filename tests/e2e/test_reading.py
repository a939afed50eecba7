"""One privileged create in many disguises: none gets through, on any engine."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate

IMAGE = '"Image":"busybox","Cmd":["true"]'
HOSTILE = "{" + IMAGE + ',"HostConfig":{"Privileged":true}}'
TARGET = "/v1.41/containers/create"
JSON = "application/json"


@pytest.fixture(scope="module")
def gate(module_daemons: Daemons) -> Iterator[Gate]:
    """Run a daemon that asks Dockgate."""
    daemon = module_daemons(["dockgate"])
    with Gate(daemon) as gate:
        daemon.start()
        yield gate


@pytest.fixture(scope="module")
def daemon(gate: Gate) -> Dockerd:
    """Return the daemon that asks."""
    return gate.daemon


def request(target: str, body: str, content_type: str = JSON, framing: str = "") -> bytes:
    """Write a request as bytes; the framing is a length unless it is given."""
    payload = body.encode()
    framing = framing or f"Content-Length: {len(payload)}"
    if framing.lower().startswith("transfer-encoding"):
        payload = b"%x\r\n%s\r\n0\r\n\r\n" % (len(payload), payload)
    head = (
        f"POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: {content_type}\r\n"
        f"Connection: close\r\n{framing}\r\n\r\n"
    )
    return head.encode() + payload


DISGUISES = {
    "plain": request(TARGET, HOSTILE),
    "folded case": request(TARGET, "{" + IMAGE + ',"hostconfig":{"PRIVILEGED":true}}'),
    "a long s": request(TARGET, "{" + IMAGE + ',"Ho\u017ftConfig":{"Privileged":true}}'),
    "an escaped long s": request(TARGET, "{" + IMAGE + r',"Ho\u017ftConfig":{"Privileged":true}}'),
    "repeated": request(TARGET, "{" + IMAGE + ',"HostConfig":{"Privileged":true},"HostConfig":{}}'),
    "repeated in another case": request(
        TARGET, "{" + IMAGE + ',"HostConfig":{"Privileged":true},"hostConfig":{"Memory":0}}'
    ),
    "a charset": request(TARGET, HOSTILE, f"{JSON}; charset=utf-8"),
    "a broken parameter": request(TARGET, HOSTILE, f"{JSON}; charset"),
    "another media type": request(TARGET, HOSTILE, "text/plain"),
    "chunked": request(TARGET, HOSTILE, framing="Transfer-Encoding: chunked"),
    "two slashes": request("//v1.41/containers/create", HOSTILE),
    "a dot behind the version": request("/v1.41./containers/create", HOSTILE),
    "an escaped letter": request("/v1.41/%63ontainers/create", HOSTILE),
    "a fragment": request(TARGET + "?#%zz", HOSTILE),
    "the auth suffix": request(TARGET + "?x=/auth", HOSTILE),
    "absolute form": request("http://docker" + TARGET, HOSTILE),
    "no version": request("/containers/create", HOSTILE),
    "an old version": request("/v1.24/containers/create", HOSTILE),
    "at the top level": request(TARGET, "{" + IMAGE + ',"Privileged":true}'),
    "text behind it": request(TARGET, "{" + IMAGE + "}" + HOSTILE),
    "a byte-order mark": request(TARGET, "\ufeff" + HOSTILE),
    "as a string": request(TARGET, "{" + IMAGE + ',"HostConfig":{"Privileged":"true"}}'),
    "more than a mebibyte": request(
        TARGET, '{"Labels":{"a":"' + "x" * 1_100_000 + '"},' + HOSTILE[1:]
    ),
    "half a mebibyte": request(TARGET, '{"Labels":{"a":"' + "x" * 500_000 + '"},' + HOSTILE[1:]),
}


def privileged(daemon: Dockerd) -> list[str]:
    """Return the privileged containers that exist."""
    found = daemon.api("GET", "/v1.41/containers/json?all=true").json()
    details = [daemon.api("GET", f"/v1.41/containers/{each['Id']}/json").json() for each in found]
    return [each["Name"] for each in details if each["HostConfig"]["Privileged"]]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_disguise_gets_through(disguise, daemon):
    """No privileged container exists afterwards, and the daemon said no."""
    answer = daemon.raw(DISGUISES[disguise])
    assert privileged(daemon) == []
    # A body that nobody reads to its end can cost the client the answer.
    assert not answer or int(answer.split(b" ", 2)[1]) >= 300, answer[:300]


def test_the_same_request_without_privilege_passes(daemon):
    """The disguises fail because of what is in them, not because nothing passes."""
    ordinary = request(TARGET, "{" + IMAGE + "}", f"{JSON}; charset=utf-8")
    assert daemon.raw(ordinary).startswith(b"HTTP/1.1 201 ")


def test_start_with_a_body_is_refused(daemon):
    """Old daemons took a HostConfig there."""
    created = daemon.api("POST", TARGET, {"Image": "busybox", "Cmd": ["true"]}).json()
    target = f"/v1.41/containers/{created['Id']}/start"
    refused = daemon.api("POST", target, {"Privileged": True})
    assert refused.status == 403
    assert "legacy_form" in json.loads(refused.body)["message"]
    assert daemon.api("POST", target).status == 204
