"""Which namespaces a container has for itself, and which it shares with whom.

Values are read as moby api/types/container/hostconfig.go reads them, in one
spelling each. The network is a matter of its own (``endpoints``).
"""

from collections.abc import Iterator

from authz.facts import defaults
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, flag, text, unreadable
from authz.facts.neighbours import whose_container

CONTAINER = "container:"
"""What a namespace of another container begins with."""

_IPC_PRIVATE_SINCE = (1, 40)
_CGROUP_PRIVATE_SINCE = (1, 41)

_IPC = frozenset({"private", "shareable", "none", "host"})


def namespace_facts(
    host: Document,
    known: Known,
    *,
    version: tuple[int, int] | None,
    stored: bool = False,
) -> Iterator[Fact]:
    """Yield pid, ipc, uts, userns and cgroupns of a container, defaults included.

    A request without a version gets the daemon's own, which is at least 1.41
    on every engine that is supported. Raises RefusedError for a value that
    no engine takes.
    """
    yield Fact("pid", _pid(text(host, "PidMode"), known))
    yield Fact("ipc", _ipc(text(host, "IpcMode"), known, version, stored=stored))
    yield Fact("uts", _host_or(text(host, "UTSMode"), "private", "UTSMode"))
    yield Fact("userns", _userns(text(host, "UsernsMode"), known))
    yield Fact("cgroupns", _cgroupns(host, known, version, stored=stored))


def shared_with(mode: str, known: Known) -> str:
    """Return the fact value of ``container:<name>``: ``container:`` and whose it is."""
    return CONTAINER + whose_container(mode.removeprefix(CONTAINER), known)


def _pid(mode: str, known: Known) -> str:
    if mode.startswith(CONTAINER):
        return shared_with(mode, known)
    return _host_or(mode, "private", "PidMode")


def _ipc(mode: str, known: Known, version: tuple[int, int] | None, *, stored: bool) -> str:
    if mode.startswith(CONTAINER):
        return shared_with(mode, known)
    if mode == "":
        # an engine of old stored nothing, and meant shareable
        is_old = stored or (version is not None and version < _IPC_PRIVATE_SINCE)
        return "shareable" if is_old else "private"
    if mode in _IPC:
        return mode
    raise unreadable(f"IpcMode {mode!r}; expected of {', '.join(sorted(_IPC))}")


def _userns(mode: str, known: Known) -> str:
    return _host_or(mode, "", "UsernsMode") or defaults.userns(known)


def _cgroupns(
    host: Document, known: Known, version: tuple[int, int] | None, *, stored: bool
) -> str:
    """Return the control group namespace; the old default is the host's where groups are old.

    From daemon/daemon_unix.go (adaptContainerSettings) and the create route,
    which also gives privileged containers the host's on control groups v1. On
    those a stored ``host`` is what every container has that asked for nothing.
    """
    mode = text(host, "CgroupnsMode")
    if mode == "private":
        return mode
    if stored and defaults.has_old_control_groups(known):
        return "default"
    by_version = version is not None and version < _CGROUP_PRIVATE_SINCE
    if _host_or(mode, "", "CgroupnsMode"):
        return mode
    if (by_version or flag(host, "Privileged")) and defaults.has_old_control_groups(known):
        return "host"
    return "default"


def _host_or(mode: str, otherwise: str, member: str) -> str:
    if mode in {"", "host"}:
        return mode or otherwise
    raise unreadable(f"{member} {mode!r}; expected 'host' or nothing")
