"""The request that would create what is there."""

import json

from authz.docker.routes import newest
from authz.tools.scan.inventory import Inventory
from authz.tools.scan.requests import container_request, labels_of, name_of, service_request
from tests.builders import DAEMON, MASKED, READONLY, a_stored_container
from tests.scanned import SERVICE

INVENTORY = Inventory((1, 41), DAEMON)


def created(stored, inventory=INVENTORY):
    """Return the body of the request."""
    return json.loads(container_request(stored, inventory).body)


def test_a_request_names_what_it_makes():
    """With the daemon's own version of the API, as far as that is described."""
    request = container_request({**a_stored_container(), "Name": "/we b"}, INVENTORY)
    assert (request.method, request.target) == ("POST", "/v1.41/containers/create?name=we%20b")
    major, minor = newest()
    later = container_request(a_stored_container(), Inventory((major, minor + 9), DAEMON))
    assert later.target.startswith(f"/v{major}.{minor}/")


def test_defaults_that_are_spelt_out_are_left_out():
    """As nobody asked for them."""
    host = created(a_stored_container())["HostConfig"]
    assert not {"Runtime", "MaskedPaths", "ReadonlyPaths", "CgroupnsMode", "CapAdd"} & set(host)
    old = {**DAEMON, "CgroupVersion": "1"}
    host = created(a_stored_container(CgroupnsMode="host"), Inventory((1, 41), old))["HostConfig"]
    assert "CgroupnsMode" not in host


def test_what_was_asked_for_stays():
    """Another runtime, a shorter mask, a namespace of the host."""
    stored = a_stored_container(
        Runtime="runsc", MaskedPaths=list(MASKED)[1:], ReadonlyPaths=READONLY, CgroupnsMode="host"
    )
    host = created(stored)["HostConfig"]
    assert host["Runtime"] == "runsc"
    assert host["MaskedPaths"] == list(MASKED)[1:]
    assert "ReadonlyPaths" not in host
    assert host["CgroupnsMode"] == "host"


def test_links_are_written_as_they_are_asked_for():
    """Not as they are stored."""
    host = created(a_stored_container(Links=["/db:/web/store"]))["HostConfig"]
    assert host["Links"] == ["db:store"]


def test_labels_of_the_gate_are_left_out():
    """A client may not set them."""
    stored = a_stored_container({"a": "b", "dockgate.owner": "user:alice"})
    assert created(stored)["Labels"] == {"a": "b"}
    assert labels_of(stored)["dockgate.owner"] == "user:alice"


def test_networks_are_those_that_were_joined():
    """The one of the network mode says so itself; what came of joining is left out."""
    networks = {
        "bridge": {"IPAMConfig": None, "IPAddress": "172.17.0.2"},
        "back": {"IPAMConfig": {"IPv4Address": "10.0.0.7"}, "Aliases": ["4b4b4b4b4b4b"]},
    }
    found = created(a_stored_container(networks=networks))["NetworkingConfig"]["EndpointsConfig"]
    assert found == {"back": {"IPAMConfig": {"IPv4Address": "10.0.0.7"}}}


def test_a_service_is_its_definition():
    """And has its name there."""
    request = service_request(SERVICE, INVENTORY)
    assert request.target == "/v1.41/services/create"
    assert json.loads(request.body)["Name"] == "spy"
    assert name_of(SERVICE) == "spy"
    assert labels_of(SERVICE) == {}
    assert name_of({"Name": "/web"}) == "web"
