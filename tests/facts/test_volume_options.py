"""Options of volume drivers."""

import pytest

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.facts.known import FactSettings, Known
from authz.facts.questions import Question, Topic
from authz.facts.volume_options import local_volume_facts, mounted_facts, stored_volume_facts

BARE = FactSettings(protected=())


def mounted(options, **how):
    """Print the paths and devices behind options of the local driver."""
    return [str(fact) for fact in mounted_facts(options, Known(settings=BARE), **how)]


@pytest.mark.parametrize(
    "options",
    [
        {"type": "none", "o": "bind", "device": "/etc"},
        {"type": "none", "o": "rbind", "device": "/etc/"},
        {"type": "tmpfs", "o": "rbind", "device": "//etc"},
        {"type": "nfs", "o": "addr=10.0.0.1,bind", "device": "/srv/../etc"},
        {"type": "", "o": "rw,nosuid,bind", "device": "/etc"},
        {"type": "none", "o": "ro,bind,rw", "device": "/etc"},
        {"TYPE": "none", "O": "bind", "Device": "/etc"},
        {"type": "none", "o": "ro,rbind", "device": "/etc"},
    ],
)
def test_a_hidden_bind_is_a_writable_bind(options):
    """Whatever the type says, the flag bind makes the device a host path."""
    assert mounted(options) == ["bind:/etc", "bind.rw:/etc"]


def test_a_read_only_hidden_bind_is_read():
    """Only a bind without submounts is read-only as a whole."""
    assert mounted({"type": "none", "o": "bind,rw,ro", "device": "/etc"}) == ["bind:/etc"]


def test_a_volume_that_is_mounted_read_only_is_read():
    """The container may take less than the volume offers."""
    options = {"type": "none", "o": "bind", "device": "/etc"}

    assert mounted(options, writable=False) == ["bind:/etc"]


def test_propagation_is_named():
    """A bind that lets mounts travel says so."""
    options = {"type": "none", "o": "bind,rshared", "device": "/etc"}

    assert mounted(options) == ["bind:/etc", "bind.rw:/etc", "bind.prop:rshared"]


def test_a_relative_device_of_a_bind_is_refused():
    """The daemon's working directory is not known."""
    with pytest.raises(RefusedError, match="host path 'etc' is not absolute"):
        mounted({"type": "none", "o": "bind", "device": "etc"})


def test_an_overlay_names_its_folders():
    """Lower folders are read, upper and work folders are written."""
    options = {
        "type": "overlay",
        "device": "overlay",
        "o": "lowerdir=/etc::/usr/a,lowerdir+=/lib,upperdir=/srv/u,workdir=/srv/w",
    }

    assert mounted(options) == [
        "bind:/etc",
        "bind:/usr/a",
        "bind:/lib",
        "bind:/srv/u",
        "bind.rw:/srv/u",
        "bind:/srv/w",
        "bind.rw:/srv/w",
    ]


@pytest.mark.parametrize("layers", [r"lowerdir=/srv/a\,/../../etc", r"lowerdir=/srv/a\:b"])
def test_an_escaped_separator_is_refused(layers):
    """The kernel takes it for a part of the folder's name, and ends up somewhere else."""
    with pytest.raises(RefusedError, match="a backslash in the options"):
        mounted({"type": "overlay", "device": "overlay", "o": layers})


def test_options_that_differ_in_case_only_are_refused():
    """Which of them counts would be a guess."""
    with pytest.raises(RefusedError, match="differ in case only"):
        mounted({"type": "none", "o": "bind", "device": "/etc", "DEVICE": "/srv"})


def test_any_option_that_is_a_path_is_one():
    """A journal or a log on another device of the host is opened, too."""
    options = {"type": "xfs", "device": "/dev/sdb", "o": "noatime,logdev=/dev/sda1"}

    assert mounted(options)[:2] == ["bind:/dev/sda1", "bind.rw:/dev/sda1"]


@pytest.mark.parametrize("device", ["dev/sda", "../dev/sda"])
def test_a_relative_device_of_a_file_system_is_refused(device):
    """The daemon's working directory is not known, and often it is the root."""
    with pytest.raises(RefusedError, match="is not absolute"):
        mounted({"type": "ext4", "device": device})


def test_the_folder_above_a_link_is_above_its_end():
    """The daemon hands a device to the kernel as it is written."""
    written = "/home/alice/link/../keys"
    known = Known(answers={Question(Topic.PATH, written): {"path": "/etc/keys"}}, settings=BARE)

    facts = mounted_facts({"type": "none", "o": "bind,ro", "device": written}, known)

    assert list(facts) == [
        Fact("bind", "/home/alice/keys"),
        Fact("bind", "/etc/keys", looked_up=True),
    ]


def test_a_block_device_is_a_device_and_a_path():
    """A file system on a disk of the host is that disk."""
    assert mounted({"type": "ext4", "device": "/dev/sda1"}) == [
        "device:/dev/sda1",
        "bind:/dev/sda1",
        "bind.rw:/dev/sda1",
    ]


def test_a_socket_of_the_host_is_a_path():
    """One file system for the network takes a unix socket for its server."""
    assert mounted({"type": "9p", "device": "/run/x.sock", "o": "trans=unix"})[1:] == [
        "bind:/run/x.sock",
        "bind.rw:/run/x.sock",
    ]


@pytest.mark.parametrize(
    ("kind", "path"), [("proc", "/proc"), ("devtmpfs", "/dev"), ("sysfs", "/sys")]
)
def test_a_file_system_of_the_kernel_is_a_host_path(kind, path):
    """Mounting proc as a volume shows what /proc of the host shows."""
    assert mounted({"type": kind, "device": "x"}) == [f"bind:{path}", f"bind.rw:{path}"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"type": "tmpfs", "device": "tmpfs", "o": "size=100m,uid=1000"},
        {"type": "zfs", "device": "pool/data"},
        {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1,rw"},
        {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1,lowerdir=/etc"},
        {"type": "cifs", "device": "//server/share", "o": r"username=D\x,password=/secret"},
        {"type": "9p", "device": "10.0.0.1", "o": "trans=tcp"},
        {"size": "1g"},
    ],
)
def test_other_volumes_reach_no_host_path(options):
    """Memory and network file systems are named by their options alone."""
    assert mounted(options) == []


def test_a_linked_device_yields_both_ends():
    """The device of a file system is looked up like any host path."""
    answers = {Question(Topic.PATH, "/dev/disk/x"): {"path": "/dev/sda"}}
    known = Known(answers=answers, settings=BARE)

    found = list(mounted_facts({"type": "ext4", "device": "/dev/disk/x"}, known, writable=False))

    assert found == [
        Fact("device", "/dev/disk/x"),
        Fact("device", "/dev/sda", looked_up=True),
        Fact("bind", "/dev/disk/x"),
        Fact("bind", "/dev/sda", looked_up=True),
    ]


@pytest.mark.parametrize("driver", ["", "local"])
def test_the_local_driver_is_not_named(driver):
    """Options come after the paths that they reach."""
    options = {"type": "none", "o": "bind", "device": "/etc"}

    facts = [str(f) for f in local_volume_facts(driver, options, Known(settings=BARE))]

    assert facts == [
        "bind:/etc",
        "bind.rw:/etc",
        "volume.opt:type=none",
        "volume.opt:o=bind",
        "volume.opt:device=/etc",
    ]


def test_another_driver_is_named():
    """What the options of a plugin mean is not known."""
    options = {"o": "bind", "device": "/etc"}

    facts = [str(f) for f in local_volume_facts("rexray", options, Known(settings=BARE))]

    assert facts == ["volume.driver:rexray", "volume.opt:o=bind", "volume.opt:device=/etc"]


def test_a_stored_bind_was_looked_up():
    """A volume that exists shows the host path behind it and none of its options."""
    volume = {"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}

    facts = list(stored_volume_facts(volume, Known(settings=BARE)))

    assert facts == [Fact("bind", "/etc", looked_up=True), Fact("bind.rw", "/etc", looked_up=True)]


@pytest.mark.parametrize(
    "volume",
    [
        {"Driver": "local", "Options": None},
        {},
    ],
)
def test_an_ordinary_stored_volume_adds_nothing(volume):
    """A volume without options is covered by its name."""
    assert list(stored_volume_facts(volume, Known(settings=BARE))) == []


def test_a_stored_volume_of_a_plugin_names_its_driver():
    """Mounting a volume of another driver is the same whether it was there before or not."""
    volume = {"Driver": "rexray", "Options": {"o": "bind", "device": "/etc"}}

    facts = list(stored_volume_facts(volume, Known(settings=BARE)))

    assert facts == [Fact("volume.driver", "rexray", looked_up=True)]
