"""Which capabilities a container holds.

Names are read as moby daemon/pkg/oci/caps/utils.go reads them: upper-cased,
with or without ``CAP_``, and ``ALL`` for every one. It knows no field but the
two lists and the word privileged.
"""

from collections.abc import Iterable, Iterator

from authz.facts.facts import Fact
from authz.facts.members import Document, flag, strings, unreadable

ALL = "ALL"

DEFAULT = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What a container holds unless told otherwise (moby daemon/pkg/oci/caps/defaults.go)."""

EVERY = DEFAULT | {
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "PERFMON",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
}
"""All capabilities of Linux 5.9 and newer (capabilities(7))."""


def normal(name: str) -> str:
    """Return a capability's one name: ``cap_sys_admin`` is ``SYS_ADMIN``."""
    return name.upper().removeprefix("CAP_")


def added_facts(host: Document) -> Iterator[Fact]:
    """Yield each capability that is asked for by name; ALL also yields each that it brings."""
    added = _names(host, "CapAdd")
    yield from (Fact("cap.add", name) for name in added)
    if ALL in added:
        dropped = set(_names(host, "CapDrop"))
        yield from (Fact("cap.add", name) for name in sorted(EVERY - dropped))


def privileged_facts() -> Iterator[Fact]:
    """Yield what a privileged container holds beyond what it asks for."""
    yield from (Fact("cap.add", name) for name in (ALL, *sorted(EVERY)))


def kept_facts(host: Document) -> Iterator[Fact]:
    """Yield every capability that the container holds in the end."""
    for name in sorted(_kept(host)):
        yield Fact("cap.keep", name)


def _kept(host: Document) -> Iterable[str]:
    added = set(_names(host, "CapAdd"))
    dropped = set(_names(host, "CapDrop"))
    if flag(host, "Privileged"):
        return EVERY
    if ALL in added:
        return EVERY - dropped
    return added if ALL in dropped else (DEFAULT - dropped) | added


def _names(host: Document, member: str) -> list[str]:
    """Return the capabilities of a list. Raises RefusedError for one that no engine knows."""
    names = [normal(name) for name in strings(host, member)]
    for name in names:
        if name not in EVERY and name != ALL:
            raise unreadable(f"{member}: {name!r} is no capability")
    return names
