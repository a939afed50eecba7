"""What makes and changes a swarm: its addresses, its authority, its nodes and what it keeps.

Source: moby daemon/cluster/swarm.go and daemon/cluster/convert. Services are
described elsewhere.
"""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.labels import check_labels, check_new_labels
from authz.facts.members import (
    Document,
    flag,
    number,
    pairs,
    strings,
    table,
    tables,
    text,
    texts,
    unreadable,
)
from authz.facts.questions import Topic
from authz.facts.services import log_facts

AVAILABILITY = ("active", "pause", "drain")
ROLES = ("worker", "manager")

_ADDRESSES = (
    ("listen", "ListenAddr"),
    ("advertise", "AdvertiseAddr"),
    ("data-path", "DataPathAddr"),
)


def swarm_init_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``POST /swarm/init``; keys are locked where both places say so."""
    body: Document = request.body or {}
    spec = table(body, "Spec")
    yield from _addresses(body)
    if number(body, "DataPathPort"):
        yield Fact("swarm.addr", f"data-path-port={number(body, 'DataPathPort')}")
    yield from (Fact("swarm.addr", f"pool={pool}") for pool in strings(body, "DefaultAddrPool"))
    if flag(body, "ForceNewCluster"):
        yield Fact("swarm.force", "true")
    yield from _node_word("node.availability", body, "Availability", AVAILABILITY, "active")
    yield from _spec(spec, known, locked=flag(body, "AutoLockManagers"))


def swarm_join_facts(request: ApiRequest, _known: Known) -> Iterator[Fact]:
    """Describe ``POST /swarm/join``: this node does from then on what the managers say."""
    body: Document = request.body or {}
    yield from (Fact("swarm.remote", address) for address in strings(body, "RemoteAddrs"))
    yield from _addresses(body)
    yield from _node_word("node.availability", body, "Availability", AVAILABILITY, "active")


def swarm_update_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``POST /swarm/update``."""
    yield from _spec(request.body or {}, known, locked=True)


def node_update_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe ``POST /nodes/{id}/update``: a whole new definition of a node."""
    body: Document = request.body or {}
    _check_changed(Topic.NODE, request, known)
    yield from _node_word("node.role", body, "Role", ROLES, "")
    yield from _node_word("node.availability", body, "Availability", AVAILABILITY, "")
    yield from (Fact("node.label", pair) for pair in pairs(body, "Labels"))


def secret_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe making or changing a secret: its name, and never what it says."""
    yield from _kept(request, "secret", Topic.SECRET, known)
    driver = text(table(request.body or {}, "Driver"), "Name")
    if driver:
        yield Fact("secret.driver", driver)


def config_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe making or changing a config."""
    yield from _kept(request, "config", Topic.CONFIG, known)


def _kept(request: ApiRequest, kind: str, topic: Topic, known: Known) -> Iterator[Fact]:
    body: Document = request.body or {}
    if "id" in request.path:
        _check_changed(topic, request, known)
    else:
        check_labels(texts(body, "Labels"), "Labels")
    if text(body, "Name"):
        yield Fact(kind, text(body, "Name"))
    templating = text(table(body, "Templating"), "Name")
    if templating:
        yield Fact("templating", templating)


def _check_changed(topic: Topic, request: ApiRequest, known: Known) -> None:
    stored = known.document(topic, request.path["id"]) or {}
    labels = texts(table(stored, "Spec"), "Labels")
    check_new_labels(texts(request.body or {}, "Labels"), labels, "Labels")


def _addresses(body: Document) -> Iterator[Fact]:
    for word, member in _ADDRESSES:
        if text(body, member):
            yield Fact("swarm.addr", f"{word}={text(body, member)}")


def _node_word(
    kind: str, body: Document, member: str, words: tuple[str, ...], default: str
) -> Iterator[Fact]:
    """Yield one of a few words, whose case the daemon folds; it refuses all others."""
    word = text(body, member).lower() or default
    if word and word not in words:
        raise unreadable(f"{member} {text(body, member)!r}; expected of {', '.join(words)}")
    if word:
        yield Fact(kind, word)


def _spec(spec: Document, known: Known, *, locked: bool) -> Iterator[Fact]:
    check_labels(texts(spec, "Labels"), "Labels")
    locks = locked and flag(table(spec, "EncryptionConfig"), "AutoLockManagers")
    yield Fact("swarm.autolock", "on" if locks else "off")
    authority = table(spec, "CAConfig")
    for word, member in (("signing-cert", "SigningCACert"), ("signing-key", "SigningCAKey")):
        if text(authority, member):
            yield Fact("swarm.ca", word)
    for word, member in (("expiry", "NodeCertExpiry"), ("rotate", "ForceRotate")):
        if number(authority, member):
            yield Fact("swarm.ca", f"{word}={number(authority, member)}")
    for external in tables(authority, "ExternalCAs"):
        yield Fact("swarm.ca", f"external={text(external, 'URL')}")
        if text(external, "CACert"):
            yield Fact("swarm.ca", "external-cert")
        yield from (
            Fact("swarm.ca", f"external-option={key}") for key in texts(external, "Options")
        )
    driver = table(table(spec, "TaskDefaults"), "LogDriver")
    if driver:
        yield from log_facts(driver, known)
