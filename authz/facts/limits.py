"""How much of the host a container may use.

Every limit is stated, ``none`` where there is none: so a policy can demand
one. Zero and negative values mean what moby daemon/daemon_unix.go makes of
them.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

from authz.facts.facts import Fact
from authz.facts.members import Document, flag, number, table, tables, text, unreadable

NONE = "none"

SHM_DEFAULT = 64 << 20
"""Bytes of /dev/shm where nothing is asked for (daemon/config, DefaultShmSize)."""

PERIOD_DEFAULT = 100_000
"""Microseconds of a scheduling period where none is given."""

_MOST = 2**63 - 1
_NANO = Decimal("1e-9")

RESTART = frozenset({"no", "always", "unless-stopped", "on-failure"})


def limit_facts(host: Document) -> Iterator[Fact]:
    """Yield every limit of a new container."""
    yield Fact("mem.limit", _memory(host))
    yield Fact("mem.swap", _swap(host))
    yield Fact("cpu.limit", _processors(host))
    yield Fact("cpuset", text(host, "CpusetCpus") or NONE)
    yield Fact("pids.limit", _positive(host, "PidsLimit"))
    yield Fact("blkio.weight", _positive(host, "BlkioWeight"))
    yield Fact("shm.size", str(number(host, "ShmSize") or SHM_DEFAULT))


def priority_facts(host: Document) -> Iterator[Fact]:
    """Yield what lifts a container above others: real time, and protection from the killer."""
    for word, member in (("period", "CpuRealtimePeriod"), ("runtime", "CpuRealtimeRuntime")):
        if number(host, member):
            yield Fact("cpu.realtime", f"{word}={number(host, member)}")
    if flag(host, "OomKillDisable"):
        yield Fact("oom", "kill-disable")
    if number(host, "OomScoreAdj") < 0:
        yield Fact("oom", f"score={number(host, 'OomScoreAdj')}")


def resource_facts(host: Document) -> Iterator[Fact]:
    """Yield process limits, memory nodes and the control group that is asked for."""
    if text(host, "CpusetMems"):
        yield Fact("cpuset", f"mems={text(host, 'CpusetMems')}")
    for limit in tables(host, "Ulimits"):
        numbers = f"{number(limit, 'Soft')}:{number(limit, 'Hard')}"
        yield Fact("ulimit", f"{text(limit, 'Name')}={numbers}")
    if text(host, "CgroupParent"):
        yield Fact("cgroup.parent", text(host, "CgroupParent"))


def restart_facts(host: Document) -> Iterator[Fact]:
    """Yield the restart policy. Raises RefusedError for one that no engine has."""
    policy = table(host, "RestartPolicy")
    name = text(policy, "Name") or "no"
    if name not in RESTART:
        raise unreadable(f"RestartPolicy {name!r}; expected of {', '.join(sorted(RESTART))}")
    yield Fact("restart", name)
    count = number(policy, "MaximumRetryCount")
    if name == "on-failure" and count > 0:
        yield Fact("restart.count", str(count))


def changed_facts(change: Document, stored: Document) -> Iterator[Fact]:
    """Yield the limits that an update sets.

    A zero or absent member leaves the limit as it is (container_unix.go,
    UpdateContainer). ``stored`` is the container's HostConfig, or empty where
    it is not known: the time of a period counts together with what is there.
    """
    if number(change, "Memory"):
        yield Fact("mem.limit", _memory(change))
    if number(change, "MemorySwap"):
        yield Fact("mem.swap", _swap(change))
    times = {name: number(change, name) for name in ("NanoCpus", "CpuQuota", "CpuPeriod")}
    if any(times.values()):
        given = {name: value for name, value in times.items() if value}
        yield Fact("cpu.limit", _processors({**stored, **given}))
    if text(change, "CpusetCpus"):
        yield Fact("cpuset", text(change, "CpusetCpus"))
    if text(change, "CpusetMems"):
        yield Fact("cpuset", f"mems={text(change, 'CpusetMems')}")
    if change.get("PidsLimit") is not None:
        yield Fact("pids.limit", _positive(change, "PidsLimit"))
    if number(change, "BlkioWeight"):
        yield Fact("blkio.weight", _positive(change, "BlkioWeight"))
    yield from priority_facts(change)
    if text(table(change, "RestartPolicy"), "Name"):
        yield from restart_facts(change)


def _positive(host: Document, member: str) -> str:
    value = number(host, member)
    return str(value) if value > 0 else NONE


def _memory(host: Document) -> str:
    return _positive(host, "Memory")


def _swap(host: Document) -> str:
    """Return memory and swap together: twice the memory unless it is said."""
    swap, memory = number(host, "MemorySwap"), number(host, "Memory")
    if swap < 0:
        return "unlimited"
    if swap == 0 and memory > 0:
        # The daemon's int64 wraps around, and then it is below zero.
        return str(2 * memory) if 2 * memory <= _MOST else "unlimited"
    return str(swap) if swap else NONE


def _processors(host: Document) -> str:
    """Return how many processors' time may be used, rounded up to a billionth."""
    quota, period = number(host, "CpuQuota"), number(host, "CpuPeriod")
    if quota > 0:
        share = Decimal(quota) / Decimal(period if period > 0 else PERIOD_DEFAULT)
    elif number(host, "NanoCpus") > 0 and quota == 0:
        share = Decimal(number(host, "NanoCpus")) * _NANO
    else:
        return NONE
    exact = share.quantize(_NANO, rounding=ROUND_CEILING)
    return f"{exact:f}".rstrip("0").rstrip(".")
