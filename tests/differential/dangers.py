"""What of a stored object reaches beyond it, found without any of the gate's describers.

A second opinion: it looks at what the daemon resolved (mount points, volumes,
networks) and is as simple as can be. Each danger is the fact, or one of the facts, that
must have been told. It knows the names of facts and nothing of requests.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
Danger = frozenset[tuple[str, str]]
"""Facts of which one must be told."""

_BIND = re.compile(r"(?:^|,)r?bind(?:,|$)")
_NUMBER = re.compile("[1-9][0-9]*")
_NETWORKED = frozenset({"nfs", "cifs"})
"""The kernel gives options to the file system of the type alone: these know no layers."""
_WITHOUT_DEVICE = _NETWORKED | frozenset({"proc", "sysfs", "tmpfs", "overlay"})
"""File systems that do not look for their device on this host."""


def told(*facts: tuple[str, str]) -> Danger:
    """Return the danger that any of these facts tells."""
    return frozenset(facts)


def container_dangers(
    found: Document, volume: Callable[[str], Document], *, deep: bool
) -> Iterator[Danger]:
    """Yield the dangers of a container by its inspect document.

    ``volume`` looks volumes up; ``deep`` says whether this engine can make
    submounts read-only at all.
    """
    host = found["HostConfig"]
    if host["Privileged"]:
        yield told(("privileged", "true"))
    user = found["Config"].get("User", "")  # its own, or its image's
    if _is_root(user) or _NUMBER.fullmatch(user):
        yield told(("user", "root" if _is_root(user) else user))
    yield from _spaces(host)
    yield from _rights(host)
    last = {re.split("[=:]", option)[0]: option for option in host.get("SecurityOpt") or ()}
    for option in last.values():  # labels add up, but all that counts is told by disable
        yield from _security(option)
    if not host["Privileged"] and not host.get("MaskedPaths"):
        yield told(("proc", "unmasked"))
    yield from _words(host)
    for point in found.get("Mounts") or ():
        yield from _mounted(point, volume)
    yield from _writable(host, deep=deep)
    for name in found["NetworkSettings"].get("Networks") or {}:
        if name not in {"", "bridge", "default"}:
            yield told(("net", name), ("net", host["NetworkMode"]))


def volume_dangers(found: Document, *, writable: bool) -> Iterator[Danger]:
    """Yield the host path or the device behind a volume of the local driver."""
    if found["Driver"] != "local":
        yield told(("volume.driver", found["Driver"]))
        return
    options = {key.lower(): value for key, value in (found.get("Options") or {}).items()}
    device = options.get("device", "")
    if _BIND.search(options.get("o", "")):
        yield told(("bind", path(device)))
        if writable and "ro" not in options["o"].split(","):
            yield told(("bind.rw", path(device)))
    elif device.startswith("/") and options.get("type") not in _WITHOUT_DEVICE:
        yield told(("device", path(device)), ("bind", path(device)))
    layers = options.get("o", "") if options.get("type") not in _NETWORKED else ""
    for folder in re.findall(r"(?:lower|upper|work)dir=(/[^,:]*)", layers):
        yield told(("bind", path(folder)))


def exec_dangers(found: Document) -> Iterator[Danger]:
    """Yield the dangers of an exec by its inspect document."""
    process = found["ProcessConfig"]
    if process.get("privileged"):
        yield told(("exec.privileged", "true"))
    if process.get("user") and _is_root(process["user"]):
        yield told(("exec.user", "root"))


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in {"", "0", "root", "+0", "00"}


def path(written: str) -> str:
    """Write a path as facts do: clean, and /var/run as the /run that it is."""
    clean = "/" + posixpath.normpath(written).lstrip("/")
    return re.sub(r"^/var/run(?=/|$)", "/run", clean)


def _rights(host: Document) -> Iterator[Danger]:
    for name in host.get("CapAdd") or ():
        yield told(("cap.add", name.upper().removeprefix("CAP_")))
    for device in host.get("Devices") or ():
        yield told(("device", path(device["PathOnHost"])))
    for rule in host.get("DeviceCgroupRules") or ():
        yield told(("device.rule", " ".join(rule.split())))


def _writable(host: Document, *, deep: bool) -> Iterator[Danger]:
    """Yield the binds whose submounts can be written, whatever the mount itself says."""
    for mount in host.get("Mounts") or ():
        options = mount.get("BindOptions") or {}
        shallow = options.get("NonRecursive") or options.get("ReadOnlyNonRecursive")
        if mount["Type"] == "bind" and (shallow or not deep or not mount.get("ReadOnly")):
            yield told(("bind.rw", path(mount["Source"])))


def _spaces(host: Document) -> Iterator[Danger]:
    for kind, member in (
        ("pid", "PidMode"),
        ("ipc", "IpcMode"),
        ("uts", "UTSMode"),
        ("userns", "UsernsMode"),
        ("net", "NetworkMode"),
    ):
        mode = host.get(member) or ""
        if mode == "host":
            yield told((kind, "host"))
        elif mode.startswith("container:"):
            yield told(*((kind, f"container:{whose}") for whose in ("unowned", "unknown")))
        elif kind == "net" and mode not in {"", "default", "bridge", "none"}:
            yield told(("net", mode))


def _security(option: str) -> Iterator[Danger]:
    if re.fullmatch("(seccomp|apparmor)[=:]unconfined", option):
        yield told((option[: option.index("u", 5) - 1], "unconfined"))
    elif re.match("seccomp[=:].*{", option):
        yield frozenset({("seccomp", "file:")})
    elif option in {"disable", "label=disable", "label:disable"}:
        yield told(("selinux", "disable"))


def _words(host: Document) -> Iterator[Danger]:
    for key, value in (host.get("Sysctls") or {}).items():
        yield told(("sysctl", f"{key}={value}"))
    for key, value in (host.get("Annotations") or {}).items():
        yield told(("annotation", f"{key}={value}"))
    if host.get("Runtime", "") not in {"", "runc"}:
        yield told(("runtime", host["Runtime"]))
    if host.get("CgroupParent"):
        yield told(("cgroup.parent", host["CgroupParent"]))
    if host["LogConfig"]["Type"] != "json-file":
        yield told(("log", host["LogConfig"]["Type"]))
    if host.get("OomScoreAdj", 0) < 0:
        yield told(("oom", f"score={host['OomScoreAdj']}"))
    for group in host.get("GroupAdd") or ():
        yield told(("group.add", group))
    for spec in host.get("VolumesFrom") or ():
        yield told(("volumes.from", "unowned"), ("volumes.from", "unknown"))
        assert spec
    yield told(("mem.limit", str(host["Memory"] or "none")))
    yield told(("restart", host["RestartPolicy"].get("Name") or "no"))
    for options in (host.get("Tmpfs") or {}).values():
        yield from (told(("tmpfs.opt", word)) for word in options.split(",") if word)


def _mounted(point: Document, volume: Callable[[str], Document]) -> Iterator[Danger]:
    if point["Type"] == "bind":
        source = path(point["Source"])
        yield told(("bind", source), ("target.bind", source))
        if point["RW"]:
            yield told(("bind.rw", source), ("target.bind.rw", source))
        # A parent of the daemon's own folder is rslave unasked (daemon/volumes_unix.go).
        if point["Propagation"] not in {"", "rprivate", "rslave"}:
            yield told(
                ("bind.prop", point["Propagation"]), ("target.bind.prop", point["Propagation"])
            )
    elif point["Type"] == "volume":
        if not (name := point.get("Name")):  # engines from 28 on, of a bind without a source
            assert point["Driver"] == "local", point
            return
        for danger in volume_dangers(volume(name), writable=point["RW"]):
            yield danger | {(f"target.{kind}", value) for kind, value in danger}
