"""What plugins are allowed, and how they are set."""

import pytest

from authz.errors import RefusedError
from authz.facts.plugin_rights import privilege_facts, setting_facts, setting_names
from tests.builders import a_known, words


@pytest.mark.parametrize(
    ("privilege", "expected"),
    [
        ({"Name": "network", "Value": ["host"]}, ["plugin.privilege:network=host"]),
        (
            {"Name": "capabilities", "Value": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]},
            [
                "plugin.privilege:capabilities=CAP_SYS_ADMIN",
                "plugin.privilege:capabilities=CAP_NET_ADMIN",
            ],
        ),
        ({"Name": "allow-all-devices"}, ["plugin.privilege:allow-all-devices="]),
        (
            {"Name": "Mount", "Value": ["/run/x"]},
            ["plugin.privilege:mount=/run/x", "bind:/run/x", "bind.rw:/run/x"],
        ),
        (
            {"Name": "mount", "Value": ["../x"]},
            ["plugin.privilege:mount=../x", "bind:unknown", "bind.rw:unknown"],
        ),
        ({"Name": "mount"}, ["plugin.privilege:mount="]),
        (
            {"Name": "device", "Value": ["/dev/fuse"]},
            ["plugin.privilege:device=/dev/fuse", "device:/dev/fuse"],
        ),
        ({"Name": "device"}, ["plugin.privilege:device="]),
    ],
)
def test_privileges_are_spelt_out(privilege, expected):
    """One fact for each value, and one for the path that it opens."""
    assert words(privilege_facts([privilege], a_known())) == expected


def test_a_mount_of_a_plugin_can_contain_a_protected_path():
    """As a mount of a container can."""
    known = a_known(protected=("/run/docker.sock",))
    privilege = {"Name": "mount", "Value": ["/run"]}

    assert "bind.over:/run/docker.sock" in words(privilege_facts([privilege], known))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("DEBUG=1", ["plugin.setting:DEBUG"]),
        ("DEBUG", ["plugin.setting:DEBUG"]),
        ("args.value=a b", ["plugin.setting:args.value"]),
        (
            "data.source=/srv",
            ["plugin.setting:data.source", "bind:/srv", "bind.rw:/srv"],
        ),
        ("data.source=", ["plugin.setting:data.source"]),
        (
            "data.source=srv",
            ["plugin.setting:data.source", "bind:unknown", "bind.rw:unknown"],
        ),
        ("kvm.path=/dev/kvm", ["plugin.setting:kvm.path", "device:/dev/kvm"]),
        (
            "any=/srv",
            ["plugin.setting:any", "bind:/srv", "bind.rw:/srv", "device:/srv"],
        ),
        (
            ".source=/srv",
            ["plugin.setting:.source", "bind:/srv", "bind.rw:/srv", "device:/srv"],
        ),
        ("a.value=/srv", ["plugin.setting:a.value"]),
    ],
)
def test_settings_are_told_by_name(setting, expected):
    """A value is told where it is a path, or may be one; others may be secrets."""
    assert words(setting_facts([setting], a_known())) == expected


def test_a_device_must_be_a_path():
    """Nobody knows where another one would count from."""
    with pytest.raises(RefusedError, match="is not absolute"):
        list(setting_facts(["kvm.path=kvm"], a_known()))


def test_a_setting_without_a_name_is_refused():
    """The daemon refuses it, too; its value is not shown."""
    with pytest.raises(RefusedError, match="a setting of a plugin has no name") as refusal:
        list(setting_names(["=secret"]))

    assert "secret" not in refusal.value.detail
