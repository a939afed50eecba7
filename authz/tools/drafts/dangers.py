"""What makes a grant worth as much as root on the host: a warning for whoever reviews it.

It knows kinds of facts and what they lead to. It judges nothing; the packs deny
what a site does not want.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from authz.facts.catalogue import TARGET
from authz.facts.facts import Fact
from authz.policy.placeholder import Fill
from authz.policy.row_check import pattern_of

_ORDINARY = (
    "AUDIT_WRITE|CHOWN|DAC_OVERRIDE|FOWNER|FSETID|KILL|MKNOD|NET_BIND_SERVICE|NET_RAW|SETFCAP"
    "|SETGID|SETPCAP|SETUID|SYS_CHROOT"
)
_FOLDERS = ("boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sys", "usr", "var")

FACTS: Final = (
    ("privileged:true|exec.privileged:true", "root on the host"),
    (f"cap.add:!{_ORDINARY}", "a capability beyond the ordinary ones"),
    (
        "|".join(["bind:/", *(f"bind:/{name}/**" for name in _FOLDERS)]),
        "a folder that the host runs from",
    ),
    ("bind.over:**", "a path through which the daemon can be taken over"),
    ("bind:unknown|bind.rw:unknown", "a path of the host that could not be told"),
    ("device:**|device.rule:**", "a device of the host"),
    ("pid:host|ipc:host|net:host|uts:host|userns:host|cgroupns:host", "a namespace of the host"),
    ("build.net:host", "the network of the host"),
    (
        "seccomp:unconfined|apparmor:unconfined|selinux:disable|proc:unmasked|cgroup.writable:on",
        "processes without confinement",
    ),
    ("selinux.type:**|sysctl:kernel.**", "a setting that reaches beyond the container"),
    ("plugin.privilege:**|plugin.remote:**", "a plugin, which is root on the host"),
    ("checkpoint.dir:**", "a folder of the host for checkpoints"),
    ("mount.npipe:**", "a pipe of the host"),
    ("archive.compressed:**", "a decompressor of the daemon for what it is given"),
)
"""Patterns of facts, and what they lead to; ``target.`` kinds lead to the same."""

ACTIONS: Final = (
    (
        re.compile(r"plugin\.(?:pull|create|enable|set|upgrade)"),
        "plugins, which are root on the host",
    ),
    (re.compile(r"swarm\.(?:init|join|leave|update|unlock|unlockkey)"), "the swarm as a whole"),
    (re.compile(r"build\.(?:session|grpc|buildkit)|buildkit\.grpc"), "BuildKit as a whole, unread"),
    (re.compile(r"system\.debug"), "the daemon's memory, secrets included"),
    (re.compile(r"node\.update"), "a node that can become a manager"),
)
"""Actions that are dangerous whatever they say."""


def danger_of(fact: Fact) -> str:
    """Say what a granted fact leads to; nothing where it stays inside the container."""
    plain = Fact(fact.kind.removeprefix(TARGET), fact.value)
    for pattern, about in FACTS:
        if pattern_of(pattern).verdict(plain, Fill()):
            return about
    return ""


def dangers(action: str, facts: Iterable[Fact]) -> tuple[str, ...]:
    """Return every danger of a grant, each once."""
    found = [about for pattern, about in ACTIONS if pattern.fullmatch(action)]
    found += [about for fact in facts if (about := danger_of(fact))]
    return tuple(dict.fromkeys(found))
