"""Mounts of a container."""

import pytest

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.facts.mounts import mount_facts, named_volumes
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import DAEMON, a_known, a_stored_container, words

OLD_KERNEL = {**DAEMON, "KernelVersion": "5.4.0-150-generic"}


def facts(config=None, *, known=None, version=(1, 45), stored=False, **host):
    """Describe the mounts of a container; keywords are HostConfig's members."""
    return words(
        mount_facts(config or {}, host, known or a_known(), version=version, stored=stored)
    )


def bind(**members):
    """Return one mount of type bind."""
    return {"Type": "bind", "Source": "/data", "Target": "/x", **members}


def volume(**members):
    """Return one mount of type volume."""
    return {"Type": "volume", "Source": "db", "Target": "/x", **members}


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["/data:/x"]},
        {"Binds": ["/data/:/x:rw"]},
        {"Binds": ["//data:/x:"]},
        {"Binds": ["/srv/../data:/x:rw,rprivate,cached"]},
        {"Mounts": [bind()]},
        {"Mounts": [bind(BindOptions={"Propagation": "rprivate"})]},
    ],
)
def test_a_writable_bind(host):
    """Both spellings of a writable host path say the same."""
    assert facts(**host) == ["bind:/data", "bind.rw:/data"]


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["/data:/x:ro"]},
        {"Mounts": [bind(ReadOnly=True)]},
        {"Mounts": [bind(ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True})]},
    ],
)
def test_a_read_only_bind(host):
    """From API 1.44 on, read-only reaches the submounts."""
    assert facts(**host) == ["bind:/data"]


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["/data:/x:ro,rw"]},
        {"Mounts": [bind(ReadOnly=True, BindOptions={"NonRecursive": True})]},
        {"Mounts": [bind(ReadOnly=True, BindOptions={"ReadOnlyNonRecursive": True})]},
    ],
)
def test_a_bind_that_is_not_read_only_throughout(host):
    """Where submounts may be written the bind counts as writable."""
    assert facts(**host) == ["bind:/data", "bind.rw:/data"]


@pytest.mark.parametrize("version", [None, (1, 43)])
@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["/data:/x:ro"]},
        {"Mounts": [bind(ReadOnly=True)]},
        {"Mounts": [bind(ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True})]},
    ],
)
def test_read_only_was_shallow_once(host, version):
    """Below API 1.44, or where the version is the daemon's choice, submounts stay writable.

    Engines of that age overlook the word that would force it.
    """
    assert facts(version=version, **host) == ["bind:/data", "bind.rw:/data"]


def test_read_only_is_shallow_on_an_old_kernel():
    """The daemon falls back without a word where the kernel cannot do better."""
    known = a_known(daemon=OLD_KERNEL)
    forced = bind(ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True})

    assert facts(known=known, Binds=["/data:/x:ro"]) == ["bind:/data", "bind.rw:/data"]
    assert facts(known=known, Mounts=[forced]) == ["bind:/data"]


def test_read_only_is_deep_where_nobody_asked_the_daemon():
    """A rehearsal without a daemon takes a kernel of today."""
    assert facts(known=a_known(daemon=None), Binds=["/data:/x:ro"]) == ["bind:/data"]


def test_the_version_of_a_stored_container_is_not_stored():
    """What a container was created with was judged at that time."""
    assert facts(version=None, stored=True, Binds=["/data:/x:ro"]) == ["bind:/data"]


@pytest.mark.parametrize("mode", ["private", "shared", "rshared", "slave", "rslave"])
def test_propagation_that_was_asked_for(mode):
    """Both spellings of a propagation say the same."""
    expected = ["bind:/data", "bind.rw:/data", f"bind.prop:{mode}"]

    assert facts(Binds=[f"/data:/x:rw,{mode}"]) == expected
    assert facts(Mounts=[bind(BindOptions={"Propagation": mode})]) == expected


@pytest.mark.parametrize("mode", ["z", "Z"])
def test_relabelling_host_files(mode):
    """Host files get another SELinux label; volumes of the daemon do so anyway."""
    assert facts(Binds=[f"/data:/x:{mode}"])[2:] == [f"bind.relabel:{mode}"]
    assert facts(Binds=[f"db:/x:{mode}"]) == ["volume:db"]


def test_a_folder_that_the_daemon_makes():
    """CreateMountpoint makes the source as root."""
    mount = bind(Source="/data/", BindOptions={"CreateMountpoint": True})

    assert facts(Mounts=[mount])[2:] == ["bind.create:/data"]


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["db:/x"]},
        {"Binds": ["db:/x:ro"]},
        {"Binds": ["db:/x:nocopy"]},
        {"Mounts": [volume()]},
        {"Mounts": [volume(ReadOnly=True, VolumeOptions={"NoCopy": True})]},
    ],
)
def test_a_named_volume(host):
    """A volume is named, and asked about."""
    known = a_known()

    assert facts(known=known, **host) == ["volume:db"]
    assert list(known.pending) == [Question(Topic.VOLUME, "db")]


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({}, {"Binds": ["/x"]}),
        ({}, {"Mounts": [volume(Source="")]}),
        ({"Volumes": {"/x": {}}}, {}),
        ({"Volumes": {"/etc:/h": {}}}, {}),
    ],
)
def test_an_anonymous_volume(config, host):
    """A volume without a name, in each spelling; the destination is never a source."""
    assert facts(config, **host) == ["volume:anonymous"]
    assert facts(config, stored=True, **host) == []


def test_a_volume_that_is_a_bind():
    """A volume that exists shows the host path behind it."""
    stored = {"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}
    known = a_known(volume={"db": stored})

    assert list(mount_facts({}, {"Binds": ["db:/x"]}, known, version=None)) == [
        Fact("volume", "db"),
        Fact("bind", "/etc", looked_up=True),
        Fact("bind.rw", "/etc", looked_up=True),
    ]
    assert facts(known=known, Binds=["db:/x:ro"]) == ["volume:db", "bind:/etc"]


def test_a_volume_that_is_not_there_yet():
    """A missing volume is made by the local driver."""
    assert facts(known=a_known(volume={"db": MISSING}), Binds=["db:/x"]) == ["volume:db"]


def test_a_volume_with_options():
    """A hidden bind shows its path and its options."""
    driver = {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}
    mount = volume(VolumeOptions={"DriverConfig": driver, "Subpath": "a/b"})

    assert facts(Mounts=[mount]) == [
        "volume:db",
        "bind:/etc",
        "bind.rw:/etc",
        "volume.opt:type=none",
        "volume.opt:o=bind",
        "volume.opt:device=/etc",
        "volume.subpath:a/b",
    ]


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["db:/x"], "VolumeDriver": "rexray"},
        {"Mounts": [volume(VolumeOptions={"DriverConfig": {"Name": "rexray"}})]},
    ],
)
def test_a_volume_of_another_driver(host):
    """Both spellings of a driver say the same."""
    assert facts(**host) == ["volume:db", "volume.driver:rexray"]


@pytest.mark.parametrize("name", ["", "local"])
def test_the_local_driver_is_not_named(name):
    """The driver that is built in is no privilege."""
    assert facts(VolumeDriver=name) == []


@pytest.mark.parametrize("spec", ["db", "db:ro", "/db:rw,z"])
def test_mounts_of_another_container(spec):
    """All mounts of another container; whose it is decides."""
    known = a_known(container={"db": a_stored_container({"dockgate.owner": "user:alice"})})

    assert facts(known=known, VolumesFrom=[spec]) == ["volumes.from:own"]


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ({"Tmpfs": {"/run": ""}}, []),
        ({"Tmpfs": {"/run": "rw,noexec,,size=64m"}}, ["rw", "noexec", "size=64m"]),
        ({"Mounts": [{"Type": "tmpfs", "Target": "/x"}]}, []),
        (
            {
                "Mounts": [
                    {
                        "Type": "tmpfs",
                        "ReadOnly": True,
                        "TmpfsOptions": {
                            "SizeBytes": 64 << 20,
                            "Mode": 0o1777,
                            "Options": [["exec"], ["uid", "5"]],
                        },
                    }
                ]
            },
            ["ro", "mode=1777", "size=64m", "exec", "uid=5"],
        ),
        ({"Mounts": [{"Type": "tmpfs", "TmpfsOptions": {"SizeBytes": 1001}}]}, ["size=1001"]),
    ],
)
def test_memory_file_systems(host, options):
    """Each option is a fact, spelt as the daemon hands it on."""
    assert facts(**host) == [f"tmpfs.opt:{option}" for option in options]


@pytest.mark.parametrize("kind", ["npipe", "cluster"])
def test_mounts_of_other_platforms(kind):
    """Named pipes and swarm volumes are kinds of their own."""
    assert facts(Mounts=[{"Type": kind, "Source": "data"}]) == [f"mount.{kind}:data"]


def test_a_mounted_image():
    """By its name, with the folder of it."""
    options = {"Subpath": "a/b"}

    assert facts(Mounts=[{"Type": "image", "Source": "tools:1", "ImageOptions": options}]) == [
        "mount.image:docker.io/library/tools",
        "volume.subpath:a/b",
    ]
    assert facts(Mounts=[{"Type": "image", "Source": "beef"}]) == ["mount.image:unknown"]


def test_a_volume_that_reaches_too_much_is_refused():
    """Nobody judges that, and it is not read to its end."""
    layers = ":".join(["/srv"] * 2000)
    stored = {"Options": {"type": "overlay", "device": "x", "o": f"lowerdir={layers}:/etc"}}

    with pytest.raises(RefusedError, match="volume 'db' reaches more than 2000 places"):
        facts(known=a_known(volume={"db": stored}), Binds=["db:/x:ro"])


def test_the_volumes_that_are_mounted_by_name():
    """In both spellings; host paths and volumes without a name are none."""
    host = {
        "Binds": ["db:/x", "/etc:/y", "/z"],
        "Mounts": [volume(Source="data"), volume(Source=""), bind()],
    }

    assert list(named_volumes(host)) == ["db", "data"]


def test_options_of_the_storage_driver():
    """They come as pairs."""
    assert facts(StorageOpt={"size": "10G"}) == ["storage:size=10G"]


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"Binds": [""]}, "Binds: ''"),
        ({"Binds": [":/x"]}, "Binds: ':/x'"),
        ({"Binds": ["/x:ro"]}, "Binds: '/x:ro'"),
        ({"Binds": ["a:"]}, "Binds: 'a:'"),
        ({"Binds": ["/a:/b:ro:z"]}, "expected source:target"),
        ({"Binds": ["/a:/b:RO"]}, "mount mode 'RO'"),
        ({"Binds": ["/a:/b:exec"]}, "mount mode 'exec'"),
        ({"VolumesFrom": ["db:bad"]}, "mount mode 'bad'"),
        ({"VolumesFrom": [""]}, "expected a name or an id"),
        ({"Mounts": [{"Type": "Bind"}]}, "Mounts: type 'Bind'"),
        ({"Mounts": [{}]}, "Mounts: type ''"),
        ({"Mounts": [{"Type": "image", "Source": ""}]}, "Mounts: type 'image'"),
        ({"Mounts": [{"Type": "image", "Source": "A B"}]}, "Image 'A B'"),
        ({"Mounts": [volume(Source="anonymous")]}, "volume 'anonymous'"),
        ({"Binds": ["anonymous:/x"]}, "volume 'anonymous'"),
        ({"Mounts": [bind(Source="data")]}, "is not absolute"),
        ({"Mounts": [bind(BindOptions={"Propagation": "all"})]}, "Propagation 'all'"),
    ],
)
def test_what_the_daemon_would_not_read_is_refused(host, message):
    """A mount that cannot be read as the daemon reads it is refused."""
    with pytest.raises(RefusedError, match=message):
        facts(**host)
