"""Swarms, their nodes, and what they keep."""

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.swarm import (
    config_facts,
    node_update_facts,
    secret_facts,
    swarm_init_facts,
    swarm_join_facts,
    swarm_update_facts,
)
from tests.builders import a_call, a_known, words

RESERVED = {"dockgate.owner": "user:bob"}
ORDINARY = ["node.availability:active", "swarm.autolock:off"]


def init(**body):
    """Return the facts of an init."""
    return words(swarm_init_facts(a_call("SwarmInit", body=body), a_known()))


def changed(**spec):
    """Return the facts of an update of the swarm."""
    return words(swarm_update_facts(a_call("SwarmUpdate", body=spec), a_known()))


def node(labels=None, **body):
    """Return the facts of an update of a node."""
    known = a_known(node={"n1": {"Spec": {"Labels": labels or {}}}})
    return words(node_update_facts(a_call("NodeUpdate", "n1", body), known))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ORDINARY),
        ({"ListenAddr": "0.0.0.0:2377"}, ["swarm.addr:listen=0.0.0.0:2377", *ORDINARY]),
        ({"AdvertiseAddr": "eth0"}, ["swarm.addr:advertise=eth0", *ORDINARY]),
        ({"DataPathAddr": "eth0"}, ["swarm.addr:data-path=eth0", *ORDINARY]),
        ({"DataPathPort": 7777}, ["swarm.addr:data-path-port=7777", *ORDINARY]),
        ({"DefaultAddrPool": ["10.0.0.0/8"]}, ["swarm.addr:pool=10.0.0.0/8", *ORDINARY]),
        ({"ForceNewCluster": True}, ["swarm.force:true", *ORDINARY]),
        ({"Availability": "Drain"}, ["node.availability:drain", "swarm.autolock:off"]),
    ],
)
def test_an_init_says_where_it_listens(body, expected):
    """And what it takes over."""
    assert init(**body) == expected


@pytest.mark.parametrize(
    ("top", "spec", "expected"),
    [(False, True, "off"), (True, False, "off"), (True, True, "on")],
)
def test_keys_are_locked_where_both_places_say_so(top, spec, expected):
    """Clients send both, and engines differ in which one counts."""
    body = {
        "AutoLockManagers": top,
        "Spec": {"EncryptionConfig": {"AutoLockManagers": spec}},
    }

    assert f"swarm.autolock:{expected}" in init(**body)


def test_a_join_hands_the_node_over():
    """To every manager that it names."""
    body = {"RemoteAddrs": ["a:1", "b:2"], "ListenAddr": "c:3", "JoinToken": "secret"}

    found = words(swarm_join_facts(a_call("SwarmJoin", body=body), a_known()))

    assert found == [
        "swarm.remote:a:1",
        "swarm.remote:b:2",
        "swarm.addr:listen=c:3",
        "node.availability:active",
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"EncryptionConfig": {"AutoLockManagers": True}}, ["swarm.autolock:on"]),
        ({}, ["swarm.autolock:off"]),
        (
            {"CAConfig": {"SigningCACert": "c", "SigningCAKey": "k"}},
            ["swarm.autolock:off", "swarm.ca:signing-cert", "swarm.ca:signing-key"],
        ),
        (
            {"CAConfig": {"NodeCertExpiry": 5, "ForceRotate": 2}},
            ["swarm.autolock:off", "swarm.ca:expiry=5", "swarm.ca:rotate=2"],
        ),
        (
            {"CAConfig": {"ExternalCAs": [{"URL": "u", "CACert": "c", "Options": {"a": "b"}}, {}]}},
            [
                "swarm.autolock:off",
                "swarm.ca:external=u",
                "swarm.ca:external-cert",
                "swarm.ca:external-option=a",
                "swarm.ca:external=",
            ],
        ),
        (
            {"TaskDefaults": {"LogDriver": {"Name": "syslog", "Options": {"a": "b"}}}},
            ["swarm.autolock:off", "log:syslog", "log.opt:a=b"],
        ),
    ],
)
def test_a_swarm_has_an_authority_and_defaults(spec, expected):
    """Keys and certificates are told, and not shown."""
    assert changed(**spec) == expected


def test_reserved_labels_of_a_swarm_are_refused():
    """It has no owner."""
    with pytest.raises(RefusedError, match="Labels has the label"):
        changed(Labels=RESERVED)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"Role": "MANAGER", "Availability": "active"},
            ["node.role:manager", "node.availability:active"],
        ),
        ({"Labels": {"a": "b"}}, ["node.label:a=b"]),
    ],
)
def test_a_node_changes_as_a_whole(body, expected):
    """The daemon folds the case of the words."""
    assert node(**body) == expected


@pytest.mark.parametrize("body", [{"Role": "leader"}, {"Availability": "off"}])
def test_a_word_that_no_engine_knows_is_refused(body):
    """The daemon refuses it, too."""
    with pytest.raises(RefusedError, match="expected of"):
        node(**body)


def test_a_node_keeps_its_labels():
    """An update sends all of them back; new ones that are reserved are refused."""
    assert node(RESERVED, Labels=RESERVED) == ["node.label:dockgate.owner=user:bob"]
    with pytest.raises(RefusedError) as refusal:
        node(Labels=RESERVED)
    assert refusal.value.reason is Reason.RESERVED_LABEL


@pytest.mark.parametrize("kind", ["secret", "config"])
@pytest.mark.parametrize(("verb", "target"), [("Create", ""), ("Update", "x")])
def test_secrets_and_configs_are_told_by_name(kind, verb, target):
    """What they say is nobody's business."""
    describe = {"secret": secret_facts, "config": config_facts}[kind]
    body = {"Name": "db", "Data": "aGk=", "Labels": {"a": "b"}, "Templating": {"Name": "golang"}}

    found = words(describe(a_call(f"{kind.capitalize()}{verb}", target, body), a_known()))

    assert found == [f"{kind}:db", "templating:golang"]


@pytest.mark.parametrize("kind", ["secret", "config"])
@pytest.mark.parametrize(("verb", "target"), [("Create", ""), ("Update", "x")])
def test_reserved_labels_are_refused(kind, verb, target):
    """Whoever makes or changes it."""
    describe = {"secret": secret_facts, "config": config_facts}[kind]
    request = a_call(f"{kind.capitalize()}{verb}", target, {"Labels": RESERVED})

    with pytest.raises(RefusedError, match="Labels has the label"):
        list(describe(request, a_known()))


def test_a_secret_may_come_from_a_driver():
    """Then a plugin says what it is."""
    body = {"Driver": {"Name": "vault", "Options": {"token": "x"}}}

    assert words(secret_facts(a_call("SecretCreate", body=body), a_known())) == [
        "secret.driver:vault"
    ]
