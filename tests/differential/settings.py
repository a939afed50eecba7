"""Values of the members that decide how well a container is kept apart from its host.

Knows spellings that engines take and some that they do not; each maker is given
the names of objects that belong to its case alone.
"""
# ruff: noqa: FBT003, S108  a table of values that members can have

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

Maker = Callable[[Random, str, str], Any]

PATHS = (
    "/etc",
    "/",
    "//etc",
    "/tmp/../etc/",
    "/var/run/docker.sock",
    "/run",
    "/proc",
    "/srv/./x",
    "/dev",
)
MODES = (
    "",
    ":ro",
    ":rw",
    ":z",
    ":Z,ro",
    ":rshared",
    ":ro,rslave",
    ":nocopy",
    ":RO",
    ":ro,rw",
    ":consistent",
    ":",
    ":private",
    ":cached,z",
)
TYPES = ("none", "tmpfs", "ext4", "overlay", "proc", "nfs", "bind", "", "cifs", "sysfs")
WORDS = (
    "bind",
    "rbind",
    "ro,bind",
    "bind,rshared",
    "size=1m",
    "addr=127.0.0.1",
    "lowerdir=/etc,upperdir=/srv,workdir=/tmp",
    "",
    "ro",
    "BIND",
    " bind",
    "bind ",
    "rbind,rw",
    "defaults,bind",
)
DEVICES = (
    "/etc",
    "/",
    "/dev/vda",
    "tmpfs",
    "",
    "etc",
    ":/x",
    "/run//docker.sock",
    "/srv/../etc",
    "overlay",
)
SECURITY = (
    "seccomp=unconfined",
    "seccomp:unconfined",
    "seccomp=",
    "seccomp=builtin",
    "apparmor=unconfined",
    "apparmor:unconfined",
    "apparmor=docker-default",
    "label=disable",
    "label:disable",
    "disable",
    "label=user:a",
    "label:type:spc_t",
    "label=level=s0",
    "no-new-privileges",
    "no-new-privileges=false",
    "no-new-privileges:1",
    "no-new-privileges=F",
    "systempaths=unconfined",
    "writable-cgroups",
    "writable-cgroups=true",
    "Seccomp=unconfined",
    "seccomp=Unconfined",
    "apparmor=",
    "label=",
    "seccomp={}",
    'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
    " seccomp=unconfined",
    "credentialspec=x",
    "foo",
    "",
)
CAPABILITIES = (
    "SYS_ADMIN",
    "CAP_SYS_ADMIN",
    "cap_sys_admin",
    "sys_admin",
    "ALL",
    "all",
    "NET_RAW",
    "CAP_NET_RAW",
    "CHOWN",
    "CAP_ALL",
    "NOPE",
    "Cap_Net_Admin",
    "",
)
CONTAINERS = ("web", "/web", "idle", "guarded", "nobody", "")
NETWORKS = (
    "street",
    "host",
    "none",
    "bridge",
    "default",
    "container:web",
    "container:guarded",
    "HOST",
    "Host",
    "",
    "container:",
    "nowhere",
    "host ",
)


def one(*values: Any) -> Maker:
    """Make one of these."""
    return lambda random, _name, _volume: random.choice(values)


def some(values: Sequence[Any], most: int = 3) -> Maker:
    """Make a list of some of these."""
    return lambda random, _name, _volume: random.choices(values, k=random.randint(0, most))


def number(*more: int) -> Maker:
    """Make a number: usual ones of memory and time, and limits."""
    return one(0, 1, -1, 6291456, 67108864, 100000, 2**31, 2**63 - 1, -(2**63), *more)


def local_options(random: Random, _name: str = "", _volume: str = "") -> dict[str, str]:
    """Make options of the local driver, in any case of their names."""
    options = {
        "type": random.choice(TYPES),
        "o": random.choice(WORDS),
        "device": random.choice(DEVICES),
    }
    if random.random() < 0.5:
        options |= {"type": "none", "o": random.choice(WORDS[:4]), "device": random.choice(PATHS)}
    kept = {key: value for key, value in options.items() if random.random() < 0.9}
    return {
        key
        if random.random() < 0.85
        else random.choice((key.upper(), key.title(), f"{key} ")): value
        for key, value in kept.items()
    } | ({"size": "1m"} if random.random() < 0.05 else {})


def binds(random: Random, _name: str, volume: str) -> list[str]:
    """Make Binds: host paths, volumes, containers' paths alone, and what is none of these."""
    found = []
    for index in range(random.randint(0, 3)):
        source = random.choice((*PATHS, volume, volume, "shelf", "hostly", "./etc", "~", "", "~/x"))
        if random.random() < 0.1:
            found.append(random.choice((f"/only{index}", "rel", f"{source}:ro", ":", "a:b:c:d")))
        else:
            found.append(f"{source}:/m{index}{random.choice(MODES)}")
    return found


def mounts(random: Random, _name: str, volume: str) -> list[dict[str, Any]]:
    """Make Mounts of all types, with the options of any."""
    found = []
    for index in range(random.randint(0, 2)):
        kind = random.choice(
            (
                "bind",
                "bind",
                "volume",
                "volume",
                "volume",
                "tmpfs",
                "Bind",
                "npipe",
                "cluster",
                "image",
                "",
            )
        )
        mount: dict[str, Any] = {"Type": kind, "Target": f"/n{index}"}
        if kind != "tmpfs" or random.random() < 0.1:
            mount["Source"] = (
                random.choice((*PATHS, "etc"))
                if kind.lower() == "bind"
                else random.choice((volume, volume, "shelf", "hostly", "", "/etc"))
            )
        if random.random() < 0.3:
            mount["ReadOnly"] = random.random() < 0.7
        if random.random() < (0.5 if kind == "volume" else 0.05):
            mount["VolumeOptions"] = _volume_options(random)
        if random.random() < (0.5 if kind.lower() == "bind" else 0.05):
            mount["BindOptions"] = _some_of(
                random,
                {
                    "Propagation": ("rshared", "rprivate", "shared", "slave", "", "RSHARED"),
                    "NonRecursive": (True, False),
                    "CreateMountpoint": (True, False),
                    "ReadOnlyNonRecursive": (True, False),
                    "ReadOnlyForceRecursive": (True,),
                },
            )
        if random.random() < (0.6 if kind == "tmpfs" else 0.05):
            mount["TmpfsOptions"] = _some_of(
                random,
                {
                    "SizeBytes": (1048576, 0, -1, 5000),
                    "Mode": (0o1777, 0, 511),
                    "Options": ([["exec"]], [["dev"]], [["uid", "1"]]),
                },
            )
        if random.random() < 0.1:
            mount["Consistency"] = random.choice(("default", "cached", "x"))
        found.append(mount)
    return found


def _volume_options(random: Random) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.8:
        options["DriverConfig"] = {"Options": local_options(random)}
        if random.random() < 0.7:
            options["DriverConfig"]["Name"] = random.choice(("local", "local", ""))
    return options | _some_of(
        random,
        {"NoCopy": (True, False), "Labels": ({"a": "b"},), "Subpath": ("x", "../x", "/x", "")},
    )


def _some_of(random: Random, choices: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {
        name: random.choice(values) for name, values in choices.items() if random.random() < 0.4
    }


def _ports(random: Random, _name: str, _volume: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(random.randint(0, 2)):
        port = random.choice(
            ("80/tcp", "80", "81/UDP", "82/sctp", "80-82/tcp", "0/tcp", "x", "99999/tcp", "83/")
        )
        found[port] = random.choice(
            (
                None,
                [],
                [{}],
                [{"HostPort": "8080"}],
                [{"HostPort": "8080-8082"}],
                [{"HostPort": "0"}],
                [{"HostIp": "127.0.0.1", "HostPort": "443"}],
                [{"HostIp": "::", "HostPort": ""}],
                [{"HostIp": "x", "HostPort": "1"}],
                [{"HostPort": "070"}],
            )
        )
    return found


def ENDPOINTS(random: Random, _name: str, _volume: str) -> dict[str, Any]:  # noqa: N802  a maker
    """Make EndpointsConfig."""
    names = random.sample(
        ("street", "bridge", "host", "none", "nowhere", "default", ""), random.randint(0, 2)
    )
    return {
        name: random.choice(
            (
                None,
                {},
                _some_of(
                    random,
                    {
                        "Aliases": (["db"], []),
                        "IPAMConfig": ({"IPv4Address": "10.77.0.9"}, {"IPv6Address": "::1"}, {}),
                        "NetworkID": ("host", "street", ""),
                        "Links": (["web:db"],),
                        "MacAddress": ("02:42:ac:11:00:02", "0242.ac11.0002", "x"),
                        "DriverOpts": ({"a": "b"},),
                    },
                ),
            )
        )
        for name in names
    }


CONFIG: Mapping[str, Maker] = {
    "User": one("0", "root", "1000", "1000:0", "+0", "00", "", "nobody", "0:0"),
    "Labels": one({"a": "b"}, {"a": "b", "A": "c"}, {}, {"": "x"}),
    "Volumes": one({"/data": {}}, {"/etc:/h": {}}, {}, {"/data": {}, "/m0": {}}),
    "Entrypoint": one(["sh"], "sh", [], [""]),
    "Cmd": one(["id"], "id", []),
    "Env": some(("A=b", "A", "=x", "LD_PRELOAD=x"), 2),
    "ExposedPorts": one({"80/tcp": {}}, {"80": {}}, {}),
    "Healthcheck": one(
        {"Test": ["NONE"]}, {"Test": ["CMD", "true"], "Interval": 2000000}, {}, {"Test": []}
    ),
    "MacAddress": one("02:42:ac:11:00:02", "x", ""),
    "NetworkDisabled": one(True, False),
    "Hostname": one("h", "host"),
    "StopSignal": one("KILL", "9", "x", ""),
    "StopTimeout": one(1, 0, -1),
    "WorkingDir": one("/x", "x", ""),
    "Shell": one(["sh", "-c"], "sh"),
    "Tty": one(True, False),
    "OnBuild": one(["RUN id"], []),
}

HOST: Mapping[str, Maker] = {
    "Privileged": one(True, True, False),
    "Binds": binds,
    "Mounts": mounts,
    "CapAdd": some(CAPABILITIES),
    "CapDrop": some(CAPABILITIES),
    "SecurityOpt": some(SECURITY, 2),
    "NetworkMode": one(*NETWORKS),
    "PidMode": one(
        "host", "container:web", "container:guarded", "HOST", "", "private", "container:", "host:x"
    ),
    "IpcMode": one(
        "host", "private", "shareable", "none", "container:web", "", "HOST", "container:nobody"
    ),
    "UTSMode": one("host", "", "private", "Host"),
    "UsernsMode": one("host", "", "private", "Host"),
    "CgroupnsMode": one("host", "private", "", "Host"),
    "Cgroup": one("", "container:web", "host"),
    "Devices": one(
        [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}],
        [{"PathOnHost": "/dev"}],
        [{"PathOnHost": "dev/null"}],
        [],
        [{}],
        [{"PathOnHost": "/dev//mem"}],
    ),
    "DeviceCgroupRules": some(("a *:* rwm", "c 1:3 r", "b *:* m", "x", "c 1:3  r"), 2),
    "DeviceRequests": one(
        [{"Driver": "nvidia", "Count": -1}],
        [{"Capabilities": [["gpu"]]}],
        [{"Driver": "cdi", "DeviceIDs": ["a.b/c=d"]}],
        [],
    ),
    "MaskedPaths": one([], None, ["/proc/kcore"], ["/proc/acpi", "/proc/kcore"]),
    "ReadonlyPaths": one([], None, ["/proc/sys"]),
    "Sysctls": one({"net.core.somaxconn": "1"}, {"kernel.shmmax": "1", "a": ""}, {}),
    "Runtime": one("runc", "", "nope", "io.containerd.runc.v2", "Runc", "/bin/sh"),
    "Annotations": one({"a": "b"}, {"io.kubernetes.cri-o": "x"}, {}),
    "CgroupParent": one("/", "/x", "", "../..", "system.slice"),
    "LogConfig": one(
        {"Type": "json-file", "Config": {"max-size": "1m"}},
        {"Type": "syslog", "Config": {"syslog-address": "unix:///run/docker.sock"}},
        {"Type": "none"},
        {"Type": ""},
        {},
    ),
    "PortBindings": _ports,
    "PublishAllPorts": one(True, False),
    "ExtraHosts": some(("a:1.2.3.4", "b:host-gateway", "x"), 2),
    "Dns": some(("1.1.1.1", "x"), 1),
    "DnsSearch": some(("example.org", "."), 1),
    "DnsOptions": some(("ndots:1",), 1),
    "Links": some(("web:db", "/web:db", "guarded", "idle:x", "nobody:x", ""), 2),
    "VolumesFrom": some(
        ("web", "guarded:ro", "guarded", "idle:z", "nobody", ":ro", "web:x", ""), 2
    ),
    "VolumeDriver": one("", "local"),
    "GroupAdd": some(("0", "docker", "audio", ""), 2),
    "Tmpfs": one({"/t": "exec,suid"}, {"/t": ""}, {"/t": "size=1m,dev"}, {"/t": "nope"}),
    "StorageOpt": one({"size": "10G"}, {}),
    "OomScoreAdj": one(-1000, 500, 0, 2000),
    "ShmSize": number(),
    "ReadonlyRootfs": one(True, False),
    "Init": one(True, False, None),
    "Isolation": one("", "default", "process", "hyperv"),
    "RestartPolicy": one(
        {"Name": "always"},
        {"Name": "on-failure", "MaximumRetryCount": 3},
        {"Name": "no"},
        {"Name": ""},
        {"Name": "unless-stopped"},
        {"Name": "Always"},
        {"MaximumRetryCount": 2},
        {},
    ),
    "AutoRemove": one(False, False, True),
    "ContainerIDFile": one("/etc/x", ""),
    "ConsoleSize": one([24, 80], [1], [1, 2, 3], []),
}

RESOURCES: Mapping[str, Maker] = {
    "Memory": number(),
    "MemorySwap": number(),
    "MemoryReservation": number(),
    "MemorySwappiness": one(-1, 0, 50, 200),
    "CpuShares": number(2, 1024),
    "NanoCpus": number(1500000000),
    "CpuPeriod": number(),
    "CpuQuota": number(),
    "CpuRealtimePeriod": number(),
    "CpuRealtimeRuntime": number(),
    "CpusetCpus": one("0", "0-1", "7", "x", ""),
    "CpusetMems": one("0", "x", ""),
    "PidsLimit": one(0, -1, 10, None, 2**63 - 1),
    "BlkioWeight": one(0, 10, 500, 5, 65535, 65536),
    "Ulimits": one(
        [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        [{"Name": "nope", "Soft": 1, "Hard": 2}],
        [],
        [None],
        [{"Name": "core", "Soft": -1, "Hard": -1}],
    ),
    "OomKillDisable": one(True, False, None),
    "KernelMemory": number(),
    "BlkioDeviceReadBps": one([{"Path": "/dev/vda", "Rate": 1}], [], [None]),
    "BlkioWeightDevice": one([{"Path": "/dev/vda", "Weight": 10}], []),
    "CpuCount": number(),
}
