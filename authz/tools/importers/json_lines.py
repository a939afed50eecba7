r"""Policies of one JSON object a line: ``{"name": .., "users": [..], "actions": [..], ..}``.

Users are the common names of client certificates, actions are regular
expressions that may match anywhere in a name such as ``container_create``;
``readonly`` keeps to GET.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from authz.docker.routes import load_operations
from authz.tools.importers.grants import Grant, Imported, is_subject, merged, role_of, subject_of

_NAMES: Final = """
container_archive ContainerArchive, container_archive_extract PutContainerArchive,
container_archive_head ContainerArchiveInfo, container_attach ContainerAttach,
container_attach_websocket ContainerAttachWebsocket, container_changes ContainerChanges,
container_commit ImageCommit, container_copyfiles ContainerCopy, container_create ContainerCreate,
container_delete ContainerDelete, container_exec_create ContainerExec,
container_exec_inspect ExecInspect, container_exec_start ExecStart,
container_export ContainerExport, container_inspect ContainerInspect, container_kill ContainerKill,
container_list ContainerList, container_logs ContainerLogs, container_pause ContainerPause,
container_rename ContainerRename, container_resize ContainerResize,
container_restart ContainerRestart, container_start ContainerStart, container_stats ContainerStats,
container_stop ContainerStop, container_top ContainerTop, container_unpause ContainerUnpause,
container_wait ContainerWait, docker_auth SystemAuth, docker_events SystemEvents,
docker_info SystemInfo, docker_ping SystemPing, docker_version SystemVersion,
image_archive ImageGet, image_build ImageBuild, image_create ImageCreate, image_delete ImageDelete,
image_history ImageHistory, image_inspect ImageInspect, image_list ImageList, image_load ImageLoad,
image_push ImagePush, images_search ImageSearch, image_tag ImageTag,
network_connect NetworkConnect, network_create NetworkCreate,
network_disconnect NetworkDisconnect, network_inspect NetworkInspect, network_list NetworkList,
network_remove NetworkDelete, volume_create VolumeCreate, volume_inspect VolumeInspect,
volume_list VolumeList, volume_remove VolumeDelete
"""
ACTIONS: Final = dict(pair.split() for pair in _NAMES.split(","))
"""The names of actions there, and the operations that they mean."""


def read(text: str, _holders: tuple[str, ...] = ()) -> Imported:
    """Read the policies; users are in them."""
    found = Imported("policies of one JSON object a line")
    seen: dict[str, str] = {}
    roles: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        policy = _policy(line)
        if policy is None:
            found.left.append(f"line {number}: is no policy; expected name, users and actions")
            continue
        role = role_of(policy["name"] or f"line-{number}")
        roles.append((policy["name"], role))
        _people(found, policy, role, seen)
        _grant(found, policy, role)
    found.left += merged(roles)
    return found


def _policy(line: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    policy = {"name": "", "users": [], "actions": [], "readonly": False} | found
    lists = (policy["users"], policy["actions"])
    texts = all(isinstance(each, list) and all(isinstance(t, str) for t in each) for each in lists)
    return policy if texts and isinstance(policy["name"], str) else None


def _people(found: Imported, policy: Mapping[str, Any], role: str, seen: dict[str, str]) -> None:
    for user in policy["users"]:
        member = subject_of(user)
        if not user:
            found.left.append(f"{role}: was for all users; give it to a group in people.csv")
        elif not is_subject(member):
            found.left.append(f"{role}: {user!r} is no name that a policy can have")
        else:
            if user in seen:
                found.left.append(
                    f"{user} is in {seen[user]} as well; there only the first one counted"
                )
            seen.setdefault(user, role)
            found.links.append((member, role))


def _grant(found: Imported, policy: Mapping[str, Any], role: str) -> None:
    methods = {each.name: each.method for each in load_operations()}
    for action in policy["actions"]:
        try:
            pattern = re.compile(action)
        except (re.error, RecursionError):
            found.left.append(f"{role}: {action!r} cannot be read as a regular expression")
            continue
        names = {
            operation
            for name, operation in ACTIONS.items()
            if pattern.search(name) and (not policy["readonly"] or methods[operation] == "GET")
        }
        if names:
            found.grants.append(Grant(role, frozenset(names), f'"{action}"'))
        else:
            found.left.append(f"{role}: {action!r} fits no action that is known here")
