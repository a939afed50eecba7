"""How far a container is confined: SecurityOpt, masked paths, groups, kernel parameters.

``SecurityOpt`` is read as moby daemon/daemon_unix.go (parseSecurityOpt) reads
it: split at the first ``=``, else at the first ``:``; the last of a kind wins;
labels add up. It also knows what privileged implies.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from authz.facts import defaults
from authz.facts.capabilities import privileged_facts
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, flag, strings, text, texts, unreadable
from authz.facts.questions import Topic
from authz.facts.users import normal_number

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
"""What Go's strconv.ParseBool takes."""

LABELS = frozenset({"user", "role", "level", "type", "filetype"})
"""SELinux options (github.com/opencontainers/selinux go-selinux/label)."""

DEFAULT_APPARMOR = "docker-default"

MASKED = frozenset(
    {
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/firmware",
    }
)
"""What every engine since 20.10 masks (oci/defaults.go)."""

MASKED_SINCE = {25: "/sys/devices/virtual/powercap", 28: "/proc/interrupts"}
"""What newer engines mask besides, by the first major version of which all do (oci/defaults.go)."""

READONLY = frozenset({"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})


@dataclass(slots=True)
class SecurityOptions:
    """What ``SecurityOpt`` asks for; None and empty where it asks for nothing."""

    seccomp: str = ""
    apparmor: str = ""
    labels: list[str] = field(default_factory=list)
    no_new_privileges: bool | None = None
    writable_cgroups: bool = False

    def set(self, key: str, value: str) -> None:
        """Take one option. Raises RefusedError for one that no engine knows."""
        match key:
            case "seccomp":
                self.seccomp = value
            case "apparmor":
                self.apparmor = value
            case "label":
                self.labels.append(value)
            case "no-new-privileges":
                self.no_new_privileges = _truth(key, value)
            case "writable-cgroups":
                self.writable_cgroups = _truth(key, value)
            case _:
                raise unreadable(
                    f"SecurityOpt {key!r}; expected seccomp, apparmor, label, "
                    "no-new-privileges or writable-cgroups"
                )


def _truth(key: str, value: str) -> bool:
    if value in TRUE | FALSE:
        return value in TRUE
    raise unreadable(f"SecurityOpt {key}: {value!r}; expected true or false")


def read_security_options(host: Document) -> SecurityOptions:
    """Read ``HostConfig.SecurityOpt``. Raises RefusedError for what no engine reads."""
    options = SecurityOptions()
    for written in strings(host, "SecurityOpt"):
        if written == "disable":
            options.set("label", "disable")
        elif written in {"no-new-privileges", "writable-cgroups"}:
            options.set(written, "true")
        else:
            key, separator, value = written.partition("=" if "=" in written else ":")
            if not separator:
                raise unreadable(f"SecurityOpt {written!r}; expected key=value")
            options.set(key, value)
    return options


def security_facts(host: Document, known: Known, *, stored: bool = False) -> Iterator[Fact]:
    """Yield how the container is confined, as far as the request says.

    What privileged and host namespaces imply comes from ``implied_facts``.
    """
    options = read_security_options(host)
    privileged = flag(host, "Privileged")
    yield from _seccomp(options.seccomp, known, privileged=privileged)
    yield from _apparmor(options.apparmor, privileged=privileged)
    yield from _labels(options.labels)
    if _is_unmasked(host, known, stored=stored):
        yield Fact("proc", "unmasked")
    if options.writable_cgroups:
        yield Fact("cgroup.writable", "on")
    yield from (Fact("group.add", normal_number(group)) for group in strings(host, "GroupAdd"))
    for name, value in texts(host, "Sysctls").items():
        yield Fact("sysctl", f"{sysctl_name(name)}={value}")


def sysctl_name(written: str) -> str:
    """Return the one spelling of a kernel parameter: words with a dot between.

    The runtime takes slashes as well, and makes a path of it in which a second
    separator adds nothing (runc libcontainer/configs/validate).
    """
    return ".".join(filter(None, re.split("[./]", written)))


def posture_facts(host: Document, known: Known) -> Iterator[Fact]:
    """Yield no-new-privileges and whether the root file system can be written."""
    wanted = read_security_options(host).no_new_privileges
    if wanted is None:
        wanted = defaults.has_no_new_privileges(known)
    yield Fact("nnp", "on" if wanted else "off")
    yield Fact("rootfs", "ro" if flag(host, "ReadonlyRootfs") else "rw")


def implied_facts(host: Document) -> Iterator[Fact]:
    """Yield what privileged and the host's namespaces bring along unasked."""
    if flag(host, "Privileged"):
        yield from privileged_facts()
        yield Fact("device.rule", "a *:* rwm")
        yield Fact("seccomp", "unconfined")
        yield Fact("apparmor", "unconfined")
        yield Fact("selinux", "disable")
        yield Fact("proc", "unmasked")
        yield Fact("cgroup.writable", "on")
    elif _loses_labels(host):
        yield Fact("selinux", "disable")


def _loses_labels(host: Document) -> bool:
    """Say whether a host namespace switches labels off (daemon/create.go, generateSecurityOpt)."""
    shares = "host" in {text(host, "PidMode"), text(host, "IpcMode")}
    options = strings(host, "SecurityOpt")
    return shares and not any(option.partition("=")[0] == "label" for option in options)


def _seccomp(profile: str, known: Known, *, privileged: bool) -> Iterator[Fact]:
    if profile in {"unconfined", "builtin"}:
        yield Fact("seccomp", profile)
    elif profile:
        digest = hashlib.sha256(profile.encode("utf-8", "surrogatepass")).hexdigest()
        yield Fact("seccomp", f"file:{digest}")
    elif not privileged:
        yield Fact("seccomp", defaults.seccomp(known))


def _apparmor(profile: str, *, privileged: bool) -> Iterator[Fact]:
    if profile in {"", DEFAULT_APPARMOR}:
        if not privileged:
            yield Fact("apparmor", "default")
    elif profile == "default":  # as a fact, this is the daemon's own
        raise unreadable(f"SecurityOpt apparmor: {profile!r}; expected the name of a profile")
    else:
        yield Fact("apparmor", profile)


def _labels(labels: list[str]) -> Iterator[Fact]:
    for label in labels:
        name, _, value = label.partition(":")
        if label == "disable":
            yield Fact("selinux", "disable")
        elif name not in LABELS or not value:
            raise unreadable(f"SecurityOpt label {label!r}; expected disable or name:value")
        elif name in {"type", "filetype"}:
            yield Fact("selinux.type", value)
        else:
            yield Fact("selinux", f"{name}={value}")


def _is_unmasked(host: Document, known: Known, *, stored: bool) -> bool:
    """Say whether a list that replaces the daemon's own leaves out what the engine hides.

    A client that makes a stored container anew sends the daemon's lists back. A stored
    one may be older than the engine; a privileged one has no lists, which its privilege
    says already.
    """
    if stored and flag(host, "Privileged"):
        return False
    read, written = host.get("ReadonlyPaths"), host.get("MaskedPaths")
    if read is not None and not set(strings(host, "ReadonlyPaths")) >= READONLY:
        return True
    if written is None:
        return False
    wanted = MASKED if stored else MASKED | _masked_besides(known)
    return not set(strings(host, "MaskedPaths")) >= wanted


def _masked_besides(known: Known) -> set[str]:
    """Return what this engine masks besides; all of it where its version is not known."""
    version = re.match(r"\d+", text(known.document(Topic.DAEMON) or {}, "ServerVersion"))
    newest = int(version[0]) if version else max(MASKED_SINCE)
    return {path for since, path in MASKED_SINCE.items() if since <= newest}
