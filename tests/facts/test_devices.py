"""Devices of a container."""

import pytest

from authz.errors import RefusedError
from authz.facts.devices import device_facts
from authz.facts.facts import Fact
from tests.builders import a_known, words


def facts(known=None, **host):
    """Describe devices; keywords are HostConfig's members."""
    return words(device_facts(host, known or a_known()))


@pytest.mark.parametrize("path", ["/dev/sda", "/dev//sda", "/dev/../dev/sda"])
def test_a_device(path):
    """A device is named by its cleaned path."""
    assert facts(Devices=[{"PathOnHost": path, "CgroupPermissions": "r"}]) == ["device:/dev/sda"]


def test_a_linked_device():
    """Both ends of a link are named."""
    known = a_known(path={"/dev/disk/x": {"path": "/dev/sda"}})

    assert list(device_facts({"Devices": [{"PathOnHost": "/dev/disk/x"}]}, known)) == [
        Fact("device", "/dev/disk/x"),
        Fact("device", "/dev/sda", looked_up=True),
    ]


def test_the_folder_above_a_link_is_above_its_end():
    """The daemon does not clean the path of a device."""
    known = a_known(path={"/srv/link/../sda": {"path": "/dev/sda"}})

    assert facts(known, Devices=[{"PathOnHost": "/srv/link/../sda"}]) == [
        "device:/srv/sda",
        "device:/dev/sda",
    ]


def test_a_relative_device_is_refused():
    """It would count from the daemon's working directory."""
    with pytest.raises(RefusedError, match="'dev/sda' is not absolute"):
        facts(Devices=[{"PathOnHost": "dev/sda"}])


@pytest.mark.parametrize("rule", ["a *:* rwm", "a  *:*\trwm"])
def test_a_rule(rule):
    """A rule is spelt with single blanks."""
    assert facts(DeviceCgroupRules=[rule]) == ["device.rule:a *:* rwm"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"Driver": "nvidia", "Count": -1}, ["gpu:nvidia"]),
        ({"Capabilities": [["gpu"]]}, ["gpu:any"]),
        ({"Driver": "nvidia", "DeviceIDs": ["0", "1"]}, ["gpu:nvidia"]),
        (
            {"Driver": "nvidia", "DeviceIDs": ["nvidia.com/gpu=0"]},
            ["gpu:nvidia", "cdi:nvidia.com/gpu=0"],
        ),
        ({"Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=0"]}, ["cdi:vendor.com/gpu=0"]),
        ({"Driver": "cdi", "DeviceIDs": ["odd"]}, ["cdi:odd"]),
        ({"Driver": "cdi"}, ["gpu:cdi"]),
    ],
)
def test_requests_to_drivers(request_, expected):
    """CDI devices go by name, others by their driver."""
    assert facts(DeviceRequests=[request_]) == expected


def test_no_devices():
    """A container gets none by itself."""
    assert facts(Devices=None, DeviceCgroupRules=None, DeviceRequests=None) == []
