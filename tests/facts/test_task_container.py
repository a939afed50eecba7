"""Tasks of a service, in the words of a container create."""

from base64 import b64encode

import pytest

from authz.errors import RefusedError
from authz.facts.task_container import (
    container_config,
    container_host,
    is_template,
    mount_type,
    plain_mounts,
    template_mounts,
)

NEW = (1, 55)


def host(spec=None, version=NEW, *, stored=False, **task):
    """Return the HostConfig of a task."""
    return container_host({"ContainerSpec": spec or {}, **task}, version, stored=stored)


def options(privileges, version=NEW, *, stored=False):
    """Return the security options of a task."""
    return host({"Privileges": privileges}, version, stored=stored)["SecurityOpt"]


def test_settings_have_other_names():
    """What a container create calls CapAdd, a service calls CapabilityAdd."""
    spec = {
        "CapabilityAdd": ["SYS_ADMIN"],
        "CapabilityDrop": ["ALL"],
        "Groups": ["0"],
        "ReadOnly": True,
        "Sysctls": {"a": "1"},
        "OomScoreAdj": -5,
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        "Hosts": ["10.0.0.1 db alias", "10.0.0.2", ""],
        "DNSConfig": {"Nameservers": ["1.1.1.1"], "Search": ["x"], "Options": ["y"]},
    }

    assert host(spec) == {
        "Mounts": [],
        "CapAdd": ["SYS_ADMIN"],
        "CapDrop": ["ALL"],
        "GroupAdd": ["0"],
        "ReadonlyRootfs": True,
        "Sysctls": {"a": "1"},
        "OomScoreAdj": -5,
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        "SecurityOpt": [],
        "ExtraHosts": ["db:10.0.0.1"],
        "Dns": ["1.1.1.1"],
        "DnsSearch": ["x"],
        "DnsOptions": ["y"],
        "NanoCpus": 0,
        "Memory": 0,
        "PidsLimit": 0,
    }


def test_the_container_s_own_settings():
    """As far as facts are made of them."""
    spec = {"Image": "a", "User": "b", "Hostname": "c", "Healthcheck": {"Test": ["NONE"]}, "TTY": 1}

    assert container_config(spec) == {
        "Entrypoint": None,
        "Cmd": [],
        "Image": "a",
        "User": "b",
        "Hostname": "c",
        "Healthcheck": {"Test": ["NONE"]},
        "Env": [],
    }


@pytest.mark.parametrize(
    ("privileges", "expected"),
    [
        ({"SELinuxContext": {"Disable": True}}, ["label=disable"]),
        (
            {"SELinuxContext": {"User": "u", "Role": "r", "Level": "s0:c1", "Type": "t"}},
            ["label=user:u", "label=role:r", "label=level:s0:c1", "label=type:t"],
        ),
        ({"Seccomp": {"Mode": "unconfined"}}, ["seccomp=unconfined"]),
        ({"Seccomp": {"Mode": "default"}}, []),
        ({"Seccomp": {"Profile": "e30="}}, []),
        ({"Seccomp": {"Mode": "custom", "Profile": "e3\r\n0="}}, ["seccomp={}"]),
        ({"Seccomp": {"Mode": "custom"}}, ["seccomp="]),
        (
            {"Seccomp": {"Mode": "custom", "Profile": b64encode(b"unconfined").decode()}},
            ["seccomp=unconfined"],
        ),
        ({"AppArmor": {"Mode": "disabled"}}, ["apparmor=unconfined"]),
        ({"AppArmor": {"Mode": "default"}}, []),
        ({"NoNewPrivileges": True}, ["no-new-privileges=true"]),
        ({}, []),
    ],
)
def test_privileges_are_security_options(privileges, expected):
    """The agent writes them so."""
    assert options(privileges) == expected


@pytest.mark.parametrize(
    ("privileges", "problem"),
    [
        ({"Seccomp": {"Mode": "Unconfined"}}, "Seccomp.Mode 'Unconfined'; expected of custom, def"),
        ({"AppArmor": {"Mode": "off"}}, "AppArmor.Mode 'off'; expected of default, disabled"),
        ({"Seccomp": {"Mode": "custom", "Profile": "e30"}}, "no text in base64"),
        ({"Seccomp": {"Mode": "custom", "Profile": "{}"}}, "no text in base64"),
        ({"Seccomp": {"Mode": "custom", "Profile": "/w=="}}, "no text in base64"),
    ],
)
def test_a_word_that_no_engine_knows_is_refused(privileges, problem):
    """Engines take it for the default, and may not tomorrow."""
    with pytest.raises(RefusedError, match=problem):
        options(privileges)


@pytest.mark.parametrize("version", [None, (1, 24), (1, 43)])
def test_what_an_old_version_loses_confines_nobody(version):
    """What it takes away from the confinement is told, because a new engine may do it."""
    privileges = {"NoNewPrivileges": True, "Seccomp": {"Mode": "unconfined"}}

    assert options(privileges, version) == ["seccomp=unconfined"]
    assert options(privileges, version, stored=True)[1:] == ["no-new-privileges=true"]


def test_capabilities_and_processes_count_from_their_version_on():
    """Every supported engine's own version is newer."""
    spec = {"CapabilityAdd": ["CHOWN"], "CapabilityDrop": ["ALL"]}
    limits = {"Resources": {"Limits": {"Pids": 5}}}

    old, new = host(spec, (1, 40), **limits), host(spec, None, **limits)
    stored = host(spec, (1, 40), stored=True, **limits)

    assert (old["CapAdd"], old["CapDrop"], "PidsLimit" in old) == (["CHOWN"], [], False)
    assert (new["CapDrop"], new["PidsLimit"]) == (["ALL"], 5)
    assert (stored["CapDrop"], stored["PidsLimit"]) == (["ALL"], 5)


@pytest.mark.parametrize(
    ("resources", "version", "expected"),
    [
        ({"Limits": {"MemoryBytes": 5}}, NEW, None),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": 0}, NEW, 5),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": 3}, NEW, 8),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": -2}, NEW, 5),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": -1}, NEW, -1),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": -1}, (1, 45), -1),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": 0}, (1, 51), None),
        ({"Limits": {"MemoryBytes": 5}, "SwapBytes": 0}, None, None),
        ({"SwapBytes": -1}, NEW, None),
        ({"SwapBytes": 5}, NEW, None),
    ],
)
def test_swap_comes_on_top_of_memory(resources, version, expected):
    """Without a limit of memory the daemon takes none of swap."""
    assert host({}, version, Resources=resources).get("MemorySwap") == expected


def test_a_negative_limit_is_none():
    """The agent leaves it out."""
    found = host({}, Resources={"Limits": {"MemoryBytes": -5, "NanoCPUs": 7}})

    assert (found["Memory"], found["NanoCpus"]) == (0, 7)


def test_mounts_are_spelt_as_in_a_create():
    """The daemon folds the case of type and propagation, and an empty type is a bind."""
    mounts = [
        {"Type": "VOLUME", "Source": "v"},
        {"Source": "/x", "BindOptions": {"Propagation": "RShared", "NonRecursive": True}},
        {"Type": "Bind", "Source": "/y", "BindOptions": {"ReadOnlyForceRecursive": True}},
    ]

    assert list(plain_mounts({"Mounts": mounts})) == [
        {"Type": "volume", "Source": "v", "BindOptions": {"Propagation": ""}},
        {
            "Type": "bind",
            "Source": "/x",
            "BindOptions": {"Propagation": "rshared", "NonRecursive": True},
        },
        {"Type": "bind", "Source": "/y", "BindOptions": {"Propagation": ""}},
    ]
    assert mount_type({}) == "bind"


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ({"Source": "/srv"}, False),
        ({"Source": "/{{.Node.ID}}"}, True),
        ({"Target": "/{{.Node.ID}}"}, False),
        ({"VolumeOptions": {"DriverConfig": {"Options": {"device": '{{"/etc"}}'}}}}, True),
        ({"VolumeOptions": {"DriverConfig": {"Options": {"device": "/etc"}}}}, False),
    ],
)
def test_a_template_hides_what_is_mounted(mount, expected):
    """Only the node knows; where it appears inside the container does not matter."""
    assert is_template(mount) is expected
    assert list(template_mounts({"Mounts": [mount]})) == ([mount] if expected else [])
    assert len(list(plain_mounts({"Mounts": [mount]}))) == (not expected)


def test_a_command_takes_the_place_of_the_image_s_entry_point():
    """And arguments that of its command."""
    found = container_config({"Command": ["a"], "Args": ["b"]})

    assert (found["Entrypoint"], found["Cmd"]) == (["a"], ["b"])
