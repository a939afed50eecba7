"""The table of fields against the facts: what it says of a member is what comes out.

For every row that is marked ``fact``, a request with that member and one
without are described. They must differ in a kind that the row names, and the
samples of a row together must show every kind that it names.
"""

from urllib.parse import urlencode

import pytest

from authz.docker.canonical import canonical
from authz.docker.field_table import rows
from authz.errors import RefusedError
from authz.facts.build import describe
from authz.facts.catalogue import catalogue
from authz.facts.questions import MISSING
from tests.builders import ALICE, a_raw_request, a_stored_container, answers, operation_named

HEX = "4b" * 32
SHA256 = f"sha256:{HEX}"
BIND = {"type": "none", "o": "bind", "device": "/run"}

ANSWERS = answers(
    container={
        "web": a_stored_container(config={"User": "app"}),
        "db": a_stored_container({"dockgate.owner": "user:alice"}),
        "x1": a_stored_container(),
    },
    network={"team": {"Name": "team"}, "x1": {"Name": "x1", "Labels": {"dockgate.owner": "x"}}},
    volume={"data": {"Driver": "local", "Options": None}, "new": MISSING},
    image={
        "nginx": {"Config": {}},
        "x1": {"Config": {}},
        "app": {"Config": {"Labels": {}}},
        "mine": {"Config": {"Labels": {"dockgate.owner": "user:alice"}}},
    },
)


def _mount(**members):
    return {"Type": "bind", "Source": "/srv", "Target": "/x", **members}


def _host(**members):
    return {"Image": "nginx", "HostConfig": members}


def _endpoint(members):
    return {"Image": "nginx", "NetworkingConfig": {"EndpointsConfig": {"bridge": members}}}


PLACES = {
    "ContainerCreate": ("ContainerCreate", lambda m: {"Image": "nginx", **m}),
    "Config": ("ContainerCreate", lambda m: {"Image": "nginx", **m}),
    "HealthConfig": ("ContainerCreate", lambda m: {"Image": "nginx", "Healthcheck": m}),
    "HostConfig": ("ContainerCreate", lambda m: _host(**m)),
    "Resources": ("ContainerCreate", lambda m: _host(**m)),
    "LogConfig": ("ContainerCreate", lambda m: _host(LogConfig=m)),
    "RestartPolicy": ("ContainerCreate", lambda m: _host(RestartPolicy=m)),
    "PortBinding": ("ContainerCreate", lambda m: _host(PortBindings={"80/tcp": [m]})),
    "DeviceMapping": (
        "ContainerCreate",
        lambda m: _host(Devices=[{"PathOnHost": "/dev/null", **m}]),
    ),
    "DeviceRequest": ("ContainerCreate", lambda m: _host(DeviceRequests=[m] if m else [])),
    "Ulimit": ("ContainerCreate", lambda m: _host(Ulimits=[{"Name": "core", **m}])),
    "Mount": ("ContainerCreate", lambda m: _host(Mounts=[_mount(**m)])),
    "BindOptions": (
        "ContainerCreate",
        lambda m: _host(Mounts=[_mount(ReadOnly=True, BindOptions=m)]),
    ),
    "VolumeOptions": (
        "ContainerCreate",
        lambda m: _host(Mounts=[_mount(Type="volume", Source="data", VolumeOptions=m)]),
    ),
    "Driver": (
        "ContainerCreate",
        lambda m: _host(
            Mounts=[_mount(Type="volume", Source="data", VolumeOptions={"DriverConfig": m})]
        ),
    ),
    "ImageOptions": (
        "ContainerCreate",
        lambda m: _host(Mounts=[_mount(Type="image", Source="nginx", ImageOptions=m)]),
    ),
    "TmpfsOptions": (
        "ContainerCreate",
        lambda m: _host(Mounts=[{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": m}]),
    ),
    "NetworkingConfig": ("ContainerCreate", lambda m: {"Image": "nginx", "NetworkingConfig": m}),
    "EndpointSettings": ("ContainerCreate", _endpoint),
    "EndpointIPAMConfig": ("ContainerCreate", lambda m: _endpoint({"IPAMConfig": m})),
    "ContainerExec": ("ContainerExec", lambda m: {"Cmd": ["sh"], **m}),
    "ContainerUpdate": ("ContainerUpdate", lambda m: m),
    "VolumeCreate": ("VolumeCreate", lambda m: m),
    "NetworkCreate": ("NetworkCreate", lambda m: {"Name": "new", **m}),
    "IPAM": ("NetworkCreate", lambda m: {"Name": "new", "IPAM": m}),
    "IPAMConfig": ("NetworkCreate", lambda m: {"Name": "new", "IPAM": {"Config": [m]}}),
    "ConfigReference": ("NetworkCreate", lambda m: {"Name": "new", "ConfigFrom": m}),
    "NetworkConnect": ("NetworkConnect", lambda m: {"Container": "db", **m}),
    "NetworkDisconnect": ("NetworkDisconnect", lambda m: {"Container": "web", **m}),
}
"""Where a structure stands: the operation, and its body around the structure's members."""

SAMPLES = {
    "Config.Hostname": [({"HostConfig": {"NetworkMode": "team"}}, "db")],
    "Config.User": ["7"],
    "Config.Env": [["DB_PASSWORD=x"]],
    "Config.Healthcheck": [{"Test": ["CMD", "true"]}],
    "Config.Image": ["app:1", HEX, f"app@{SHA256}"],
    "Config.Volumes": [{"/x": {}}],
    "Config.MacAddress": ["02:42:ac:11:00:02"],
    "HealthConfig.Test": [["CMD", "true"], ["CMD", "sshd"]],
    "Config.Cmd": [["/usr/sbin/sshd", "-D"]],
    "Config.Entrypoint": [["/usr/sbin/sshd", "-D"]],
    "ContainerExec.Cmd": [["/usr/sbin/sshd"]],
    "ContainerCreate.Runtime": ["kata"],
    "HostConfig.Binds": [["/run:/x:shared,z"], ["data:/x"]],
    "HostConfig.LogConfig": [{"Type": "syslog", "Config": {"a": "b"}}],
    "HostConfig.NetworkMode": ["team"],
    "HostConfig.PortBindings": [{"80/tcp": [{"HostPort": "80"}]}, {"80/tcp": []}],
    "HostConfig.RestartPolicy": [{"Name": "on-failure", "MaximumRetryCount": 5}],
    "HostConfig.VolumeDriver": ["rexray"],
    "HostConfig.VolumesFrom": [["db"]],
    "HostConfig.Annotations": [{"a": "b"}],
    "HostConfig.CapAdd": [["SYS_ADMIN"]],
    "HostConfig.CapDrop": [["ALL"]],
    "HostConfig.CgroupnsMode": ["host"],
    "HostConfig.Dns": [["1.1.1.1"]],
    "HostConfig.DnsOptions": [["ndots:1"]],
    "HostConfig.DnsSearch": [["corp"]],
    "HostConfig.ExtraHosts": [["a:1.1.1.1"]],
    "HostConfig.GroupAdd": [["docker"]],
    "HostConfig.IpcMode": ["host", "container:db"],
    "HostConfig.Links": [["db:db"]],
    "HostConfig.OomScoreAdj": [-1],
    "HostConfig.PidMode": ["host", "container:db"],
    "HostConfig.Privileged": [True],
    "HostConfig.PublishAllPorts": [True],
    "HostConfig.ReadonlyRootfs": [True],
    "HostConfig.SecurityOpt": [
        [
            "seccomp=unconfined",
            "apparmor=unconfined",
            "label=disable",
            "label=type:spc_t",
            "no-new-privileges",
            "writable-cgroups",
        ]
    ],
    "HostConfig.StorageOpt": [{"size": "1g"}],
    "HostConfig.Tmpfs": [{"/x": "exec"}],
    "HostConfig.UTSMode": ["host"],
    "HostConfig.UsernsMode": ["host"],
    "HostConfig.ShmSize": [1],
    "HostConfig.Sysctls": [{"a.b": "1"}],
    "HostConfig.Runtime": ["kata"],
    "HostConfig.Isolation": ["process"],
    "HostConfig.Mounts": [
        [
            _mount(Source="/run"),
            _mount(Type="volume", Source="data"),
            _mount(Type="tmpfs", Source="", TmpfsOptions={"Mode": 7}),
            _mount(Type="image", Source="app"),
            _mount(Type="npipe"),
            _mount(Type="cluster"),
        ]
    ],
    "HostConfig.MaskedPaths": [[]],
    "HostConfig.ReadonlyPaths": [[]],
    "Resources.Memory": [1],
    "Resources.NanoCpus": [1],
    "Resources.CgroupParent": ["/"],
    "Resources.BlkioWeight": [500],
    "Resources.CpuPeriod": [({"CpuQuota": 100}, 100)],
    "Resources.CpuQuota": [100],
    "Resources.CpuRealtimePeriod": [1],
    "Resources.CpuRealtimeRuntime": [1],
    "Resources.CpusetCpus": ["0"],
    "Resources.CpusetMems": ["0"],
    "Resources.Devices": [[{"PathOnHost": "/dev/sda"}]],
    "Resources.DeviceCgroupRules": [["a *:* rwm"]],
    "Resources.DeviceRequests": [[{}, {"Driver": "cdi", "DeviceIDs": ["v/c=0"]}]],
    "Resources.MemorySwap": [-1],
    "Resources.OomKillDisable": [True],
    "Resources.PidsLimit": [5],
    "Resources.Ulimits": [[{"Name": "core"}]],
    "LogConfig.Type": ["syslog"],
    "LogConfig.Config": [{"a": "b"}],
    "RestartPolicy.Name": ["always"],
    "RestartPolicy.MaximumRetryCount": [({"Name": "on-failure"}, 5)],
    "PortBinding.HostIp": ["127.0.0.1"],
    "PortBinding.HostPort": ["80"],
    "DeviceMapping.PathOnHost": ["/dev/sda"],
    "DeviceRequest.Driver": ["nvidia", ({"DeviceIDs": ["0"]}, "cdi")],
    "DeviceRequest.Count": [-1],
    "DeviceRequest.DeviceIDs": [["0"], ["v/c=0"]],
    "DeviceRequest.Capabilities": [[["gpu"]]],
    "DeviceRequest.Options": [{"a": "b"}],
    "Ulimit.Name": ["nofile"],
    "Ulimit.Soft": [1],
    "Ulimit.Hard": [1],
    "Mount.Type": [
        "volume",
        "npipe",
        "cluster",
        ({"TmpfsOptions": {"Mode": 7}}, "tmpfs"),
        ({"Source": "app"}, "image"),
    ],
    "Mount.Source": [
        "/run",
        ({"Type": "volume"}, "data"),
        ({"Type": "npipe"}, "data"),
        ({"Type": "cluster"}, "data"),
        ({"Type": "image"}, "app"),
    ],
    "Mount.ReadOnly": [True],
    "Mount.BindOptions": [
        {"Propagation": "shared", "CreateMountpoint": True},
        ({"ReadOnly": True}, {"NonRecursive": True}),
    ],
    "Mount.VolumeOptions": [
        ({"Type": "volume", "Source": "data"}, {"DriverConfig": {"Options": BIND}}),
        (
            {"Type": "volume", "Source": "data"},
            {"DriverConfig": {"Name": "rexray"}, "Subpath": "a"},
        ),
    ],
    "Mount.ImageOptions": [({"Type": "image", "Source": "app"}, {"Subpath": "a"})],
    "Mount.TmpfsOptions": [({"Type": "tmpfs", "Source": ""}, {"Mode": 7})],
    "BindOptions.Propagation": ["shared"],
    "BindOptions.NonRecursive": [True],
    "BindOptions.CreateMountpoint": [True],
    "BindOptions.ReadOnlyNonRecursive": [True],
    "VolumeOptions.Subpath": ["a"],
    "VolumeOptions.DriverConfig": [{"Name": "rexray", "Options": {"a": "b"}}],
    "Driver.Name": ["rexray"],
    "Driver.Options": [BIND],
    "ImageOptions.Subpath": ["a"],
    "TmpfsOptions.SizeBytes": [1],
    "TmpfsOptions.Mode": [7],
    "TmpfsOptions.Options": [[["exec"]]],
    "NetworkingConfig.EndpointsConfig": [
        {
            "team": {
                "Aliases": ["a"],
                "IPAMConfig": {"IPv4Address": "10.0.0.7"},
                "MacAddress": "02:42:ac:11:00:02",
                "DriverOpts": {"a": "b"},
            }
        }
    ],
    "EndpointSettings.IPAMConfig": [{"IPv4Address": "10.0.0.7"}],
    "EndpointSettings.Links": [["db"]],
    "EndpointSettings.Aliases": [["a"]],
    "EndpointSettings.DriverOpts": [{"a": "b"}],
    "EndpointSettings.NetworkID": ["team"],
    "EndpointSettings.MacAddress": ["02:42:ac:11:00:02"],
    "EndpointIPAMConfig.IPv4Address": ["10.0.0.7"],
    "EndpointIPAMConfig.IPv6Address": ["fd00::7"],
    "EndpointIPAMConfig.LinkLocalIPs": [["169.254.0.7"]],
    "ContainerExec.User": ["7"],
    "ContainerExec.Privileged": [True],
    "ContainerExec.Tty": [True],
    "ContainerExec.Env": [["DB_PASSWORD=x"]],
    "ContainerUpdate.RestartPolicy": [{"Name": "on-failure", "MaximumRetryCount": 5}],
    "VolumeCreate.Name": ["data"],
    "VolumeCreate.Driver": ["rexray"],
    "VolumeCreate.DriverOpts": [BIND],
    "NetworkCreate.Name": ["other"],
    "NetworkCreate.Driver": ["macvlan", "overlay"],
    "NetworkCreate.Scope": ["swarm"],
    "NetworkCreate.IPAM": [{"Config": [{"Subnet": "10.9.0.0/24"}]}],
    "NetworkCreate.Attachable": [True],
    "NetworkCreate.Ingress": [True],
    "NetworkCreate.ConfigOnly": [True],
    "NetworkCreate.ConfigFrom": [{"Network": "base"}],
    "NetworkCreate.Options": [
        {"parent": "eth0"},
        ({"Driver": "overlay"}, {"encrypted": ""}),
    ],
    "IPAM.Driver": ["dhcp"],
    "IPAM.Options": [{"a": "b"}],
    "IPAM.Config": [[{"Subnet": "10.9.0.0/24"}]],
    "IPAMConfig.Subnet": ["10.9.0.0/24"],
    "IPAMConfig.IPRange": ["10.9.0.0/28"],
    "IPAMConfig.Gateway": ["10.9.0.1"],
    "IPAMConfig.AuxiliaryAddresses": [{"a": "10.9.0.2"}],
    "ConfigReference.Network": ["base"],
    "NetworkConnect.Container": ["web"],
    "NetworkConnect.EndpointConfig": [
        {
            "NetworkID": "team",
            "Aliases": ["a"],
            "IPAMConfig": {"IPv4Address": "10.0.0.7"},
            "MacAddress": "02:42:ac:11:00:02",
            "DriverOpts": {"a": "b"},
            "Links": ["web"],
        }
    ],
    "NetworkDisconnect.Container": ["db"],
    "dir": ["/srv"],
    "checkpoint-dir": ["/srv"],
    "path": ["/etc"],
    "name": ["db"],
    "container": ["db"],
    "repo": ["app"],
    "changes": ["USER root"],
    "names": ["mine"],
    "fromImage": ["app:1", f"app@{SHA256}"],
    "fromSrc": ["http://x/y"],
    "t": ["app"],
    "remote": ["corp/x"],
    "extrahosts": ["a:1.1.1.1"],
    "cachefrom": ['["x"]'],
    "buildargs": ['{"BUILDKIT_SYNTAX": "corp/x"}'],
    "shmsize": ["1"],
    "ulimits": ['[{"Name": "core"}]'],
    "squash": ["1"],
    "networkmode": ["host"],
    "cgroupparent": ["/"],
    "securityopt": ["x"],
    "outputs": ['["x"]'],
    "session": ["x"],
    "buildid": ["x"],
    "query:ImageCreate.tag": [({"fromImage": "nginx"}, "1"), ({"fromImage": "nginx"}, SHA256)],
}
"""Telling values of each member; a pair is what stands beside the member, and its value."""

PULL = {"fromImage": "nginx"}
NO_TAGS = "the name is repo's, and image.name tells no tags"
SILENT = {
    "Config.ExposedPorts": ("PublishAllPorts publishes them, and says so", {}, {"80/tcp": {}}),
    "DeviceMapping.CgroupPermissions": ("a device counts as if all were given", {}, "r"),
    "query:ImageCreate.fromSrc": ("not read beside fromImage", PULL, "http://x/y"),
    "query:ImageCreate.repo": ("not read beside fromImage", PULL, "app"),
    "query:ImageCreate.changes": ("not read beside fromImage", PULL, "USER root"),
    "query:ImageImport.tag": (NO_TAGS, {"repo": "app", "fromSrc": "-"}, "1"),
    "query:ImageCommit.tag": (NO_TAGS, {"repo": "app", "container": "db"}, "1"),
    "query:ImageTag.tag": (NO_TAGS, {"repo": "app"}, "1"),
}
"""Rows whose member makes no difference by itself: why, and what shows it."""

UNSEEN = {
    ("Config.Image", "image.id"): "only where the door pins it",
    ("query:ImageCreate.tag", "image.name"): "a pull gives no name that is not the image's",
}
"""Kinds that no value of the member shows, and why."""

ELSEWHERE = frozenset(
    (  # noqa: SIM905  the words of a table, not sixty lines of literals
        "AccessMode AppArmorOpts AuthConfig CAConfig CapacityRange CheckpointCreate "
        "ClusterVolumeSpec ConfigSource ConfigSpec ContainerSpec CredentialSpec DNSConfig "
        "DiscreteGenericResource EncryptionConfig EndpointSpec ExternalCA GenericResource Limit "
        "NamedGenericResource NetworkAttachmentConfig NetworkAttachmentSpec NodeUpdate Placement "
        "PluginPrivilege PortConfig Privileges ReplicatedJob ReplicatedService "
        "ResourceRequirements RuntimeSpec SELinuxContext SeccompOpts SecretReference SecretSpec "
        "ServiceMode ServiceSpec SwarmDriver SwarmInit SwarmJoin SwarmSpec TaskDefaults "
        "TaskResources TaskRestartPolicy TaskSpec Topology TopologyRequirement TypeMount "
        "VolumeSecret VolumeUpdate "
    ).split()
) | {"query:ServiceUpdate"}
"""Structures of a swarm, of plugins and of logins, whose facts their own tests show."""

FACT_ROWS = [
    row
    for row in rows()
    if row.meaning == "fact"
    and row.name
    and row.type not in ELSEWHERE
    and row.name != "ClusterVolumeSpec"
]


def _name(row):
    return f"{row.type}.{row.name}"


def _samples(row):
    """Return pairs of what stands beside the member, and its value."""
    values = SAMPLES[_name(row)] if _name(row) in SAMPLES else SAMPLES[row.name]
    return [value if isinstance(value, tuple) else ({}, value) for value in values]


def _facts(row, members):
    """Describe a request, in words of the catalogue; one that is refused says nothing."""
    name, wrap = PLACES.get(row.type, (row.type.removeprefix("query:"), lambda _: b""))
    operation = operation_named(name)
    path = operation.path
    for variable in ("id", "name", "checkpoint"):
        path = path.replace(f"{{{variable}}}", "x1")
    if row.type.startswith("query:"):
        path += f"?{urlencode(members)}"
    raw = a_raw_request(operation.method, f"/v1.45{path}", wrap(members))
    try:
        said = describe(canonical(raw), ALICE, ANSWERS)
    except RefusedError:
        return set()
    for fact in said.facts:
        assert catalogue().can_yield(said.action, fact.kind), fact
        assert catalogue().pattern_problem(fact.kind.removeprefix("target."), fact.value) is None
    return set(map(str, said.facts))


def _shown(row, beside, value):
    """Return the kinds in which requests with and without a member differ."""
    changed = _facts(row, {**beside, row.name: value}) ^ _facts(row, beside)
    return {fact.partition(":")[0] for fact in changed}


@pytest.mark.parametrize("row", [row for row in FACT_ROWS if _name(row) not in SILENT], ids=_name)
def test_a_member_yields_its_facts(row):
    """Each sample shows a kind that the row names, and together they show every one."""
    named = set(row.note.split("; "))
    shown = [_shown(row, beside, value) for beside, value in _samples(row)]

    assert all(kinds & named for kinds in shown)
    assert named - set().union(*shown) == {k for n, k in UNSEEN if n == _name(row)}


@pytest.mark.parametrize("name", SILENT)
def test_a_silent_member_is_silent(name):
    """The list of exceptions holds no row that says something after all."""
    [row] = [row for row in FACT_ROWS if _name(row) == name]
    _, beside, value = SILENT[name]

    assert _facts(row, beside)
    assert not _shown(row, beside, value)
