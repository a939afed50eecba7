"""Namespaces of a container."""

import pytest

from authz.errors import RefusedError
from authz.facts.namespaces import namespace_facts
from authz.facts.questions import MISSING
from tests.builders import DAEMON, a_known, a_stored_container, words

OLD_GROUPS = {**DAEMON, "CgroupVersion": "1"}
PRIVATE = ["pid:private", "ipc:private", "uts:private", "userns:default", "cgroupns:default"]


def facts(*, known=None, version=(1, 45), stored=False, **host):
    """Describe the namespaces; keywords are HostConfig's members."""
    return words(namespace_facts(host, known or a_known(), version=version, stored=stored))


def test_an_ordinary_container_has_its_own():
    """Defaults are spelt out."""
    assert facts() == PRIVATE


@pytest.mark.parametrize(
    ("member", "fact"),
    [
        ("PidMode", "pid:host"),
        ("IpcMode", "ipc:host"),
        ("UTSMode", "uts:host"),
        ("UsernsMode", "userns:host"),
        ("CgroupnsMode", "cgroupns:host"),
    ],
)
def test_the_host_s_namespaces(member, fact):
    """Each of them can be the host's."""
    assert set(facts(**{member: "host"})) - set(PRIVATE) == {fact}


@pytest.mark.parametrize("mode", ["private", "shareable", "none"])
def test_ipc_modes(mode):
    """Modes that are written are taken."""
    assert facts(IpcMode=mode)[1] == f"ipc:{mode}"


@pytest.mark.parametrize(
    ("version", "stored", "value"),
    [
        ((1, 39), False, "shareable"),
        ((1, 40), False, "private"),
        (None, False, "private"),
        (None, True, "shareable"),
    ],
)
def test_the_default_of_ipc(version, stored, value):
    """Shareable below API 1.40, and where an engine of old stored nothing."""
    assert facts(version=version, stored=stored)[1] == f"ipc:{value}"


@pytest.mark.parametrize(
    ("labels", "whose"),
    [({"dockgate.owner": "user:alice"}, "own"), ({"dockgate.owner": "user:bob"}, "foreign")],
)
def test_namespaces_of_another_container(labels, whose):
    """Whose container it is decides, not its name."""
    known = a_known(container={"db": a_stored_container(labels)})

    found = facts(known=known, PidMode="container:db", IpcMode="container:/db")

    assert found[:2] == [f"pid:container:{whose}", f"ipc:container:{whose}"]


@pytest.mark.parametrize("known", [a_known(), a_known(container={"db": MISSING})])
def test_another_container_that_is_not_known(known):
    """An open question and a missing container are unknown."""
    assert facts(known=known, PidMode="container:db")[0] == "pid:container:unknown"


def test_remapped_users():
    """Private where the daemon remaps, unless the host's is asked for."""
    known = a_known(daemon={**DAEMON, "SecurityOptions": ["name=userns"]})

    assert facts(known=known)[3] == "userns:private"
    assert facts(known=known, UsernsMode="host")[3] == "userns:host"
    assert facts(known=a_known(daemon=None))[3] == "userns:unknown"


@pytest.mark.parametrize(
    ("daemon", "version", "host", "value"),
    [
        (DAEMON, (1, 40), {}, "default"),
        (OLD_GROUPS, (1, 40), {}, "host"),
        (OLD_GROUPS, (1, 41), {}, "default"),
        (OLD_GROUPS, None, {}, "default"),
        (OLD_GROUPS, (1, 45), {"Privileged": True}, "host"),
        (DAEMON, (1, 45), {"Privileged": True}, "default"),
        (OLD_GROUPS, (1, 40), {"CgroupnsMode": "private"}, "private"),
    ],
)
def test_the_control_group_namespace(daemon, version, host, value):
    """The host's by default where control groups and API are old, or it is privileged."""
    assert facts(known=a_known(daemon=daemon), version=version, **host)[4] == f"cgroupns:{value}"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("PidMode", "Host"),
        ("PidMode", "private"),
        ("IpcMode", "HOST"),
        ("UTSMode", "container:db"),
        ("UsernsMode", "private"),
        ("CgroupnsMode", "Host"),
        ("PidMode", "container:"),
    ],
)
def test_what_no_engine_takes_is_refused(member, value):
    """Values are case-sensitive and closed."""
    with pytest.raises(RefusedError, match="expected"):
        facts(**{member: value})


@pytest.mark.parametrize(("version", "expected"), [("1", "default"), ("2", "host")])
def test_a_stored_host_control_group_is_the_default_of_old_groups(version, expected):
    """Every container has it there that asked for nothing."""
    known = a_known(daemon={"CgroupVersion": version, "SecurityOptions": []})

    facts = words(namespace_facts({"CgroupnsMode": "host"}, known, version=None, stored=True))

    assert f"cgroupns:{expected}" in facts
