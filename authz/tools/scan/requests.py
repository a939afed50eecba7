"""The request that would create what is there already, out of the daemon's description of it.

Where the daemon spells out a default that nobody asked for, the request is
silent again, as it was. It knows both documents, and no facts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from authz.docker.routes import newest
from authz.facts.labels import RESERVED
from authz.facts.security import MASKED, READONLY
from authz.tools.scan.inventory import Inventory
from authz.wire.raw import RawRequest

ENDPOINT: Final = ("IPAMConfig", "Links", "DriverOpts", "MacAddress")
"""Members of an endpoint that a client asks for; the others are what came of it."""

_JSON = (("Content-Type", "application/json"),)

Document = Mapping[str, Any]


def container_request(container: Document, inventory: Inventory) -> RawRequest:
    """Return the create of one container."""
    config = dict(container.get("Config") or {})
    body = {
        **config,
        "Labels": _labels(config.get("Labels")),
        "HostConfig": _host(container.get("HostConfig") or {}, inventory.daemon),
        "NetworkingConfig": {"EndpointsConfig": _endpoints(container)},
    }
    name = str(container.get("Name", "")).removeprefix("/")
    return _request(f"/containers/create?name={quote(name, safe='')}", body, inventory)


def service_request(service: Document, inventory: Inventory) -> RawRequest:
    """Return the create of one service."""
    spec = dict(service.get("Spec") or {})
    return _request("/services/create", spec | {"Labels": _labels(spec.get("Labels"))}, inventory)


def name_of(document: Document) -> str:
    """Return what people call a container or a service."""
    spec = document.get("Spec") or {}
    return str(document.get("Name") or spec.get("Name") or "").removeprefix("/")


def labels_of(document: Document) -> Mapping[str, str]:
    """Return the labels, those of the gate among them."""
    inner = document.get("Config") or document.get("Spec") or {}
    return inner.get("Labels") or {}


def _request(path: str, body: Document, inventory: Inventory) -> RawRequest:
    major, minor = min(inventory.api, newest())
    target = f"/v{major}.{minor}{path}"
    return RawRequest("POST", target, _JSON, json.dumps(body).encode())


def _labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {key: value for key, value in (labels or {}).items() if not key.startswith(RESERVED)}


def _host(stored: Document, daemon: Document) -> dict[str, Any]:
    host = {name: value for name, value in stored.items() if value is not None}
    if host.get("CgroupnsMode") == ("host" if daemon.get("CgroupVersion") == "1" else "private"):
        host.pop("CgroupnsMode")
    if host.get("Runtime") == daemon.get("DefaultRuntime"):
        host.pop("Runtime", None)
    for name, ordinary in (("MaskedPaths", MASKED), ("ReadonlyPaths", READONLY)):
        if ordinary <= set(host.get(name, ordinary)):
            host.pop(name, None)
    links = [str(link) for link in host.get("Links", ())]
    if links:  # stored as /other:/this/alias
        host["Links"] = [_link(link) for link in links]
    return host


def _link(stored: str) -> str:
    other, _, alias = stored.partition(":")
    return f"{other.removeprefix('/')}:{alias.rpartition('/')[2]}"


def _endpoints(container: Document) -> dict[str, Any]:
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    mode = (container.get("HostConfig") or {}).get("NetworkMode", "")
    return {
        name: {key: endpoint[key] for key in ENDPOINT if (endpoint or {}).get(key)}
        for name, endpoint in networks.items()
        if name != mode or any((endpoint or {}).get(key) for key in ENDPOINT[:3])
    }
