"""Canonical requests, inspect documents and answers for tests, valid by default."""

import json
from collections.abc import Mapping
from typing import Any

from authz.docker.request import ApiRequest
from authz.docker.routes import Operation, load_operations
from authz.errors import RefusedError
from authz.facts.build import survey
from authz.facts.known import FactSettings, Known
from authz.facts.questions import Answer, Answers, Question, Topic
from authz.identity.identity import Identity
from authz.wire.raw import BodyState, RawRequest

ALICE = Identity("user:alice", tenant="red")

DAEMON: Mapping[str, Any] = {
    "DefaultRuntime": "runc",
    "LoggingDriver": "json-file",
    "CgroupVersion": "2",
    "KernelVersion": "6.1.0-1-amd64",
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
}
"""What ``GET /info`` says on an ordinary host."""

MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
)
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def a_create(
    config: Mapping[str, Any] | None = None,
    *,
    networks: Mapping[str, Any] | None = None,
    **host: Any,
) -> dict[str, Any]:
    """Return the canonical body of a container create; keywords are HostConfig's members."""
    body: dict[str, Any] = {"Image": "nginx", **(config or {}), "HostConfig": host}
    if networks is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": dict(networks)}
    return body


def a_stored_container(
    labels: Mapping[str, str] | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    networks: Mapping[str, Any] | None = None,
    **host: Any,
) -> dict[str, Any]:
    """Return the inspect document of an ordinary container, as an engine of today stores it."""
    return {
        "Id": "4b" * 32,
        "Name": "/web",
        "Config": {
            "Image": "nginx",
            "Volumes": None,
            "Labels": dict(labels or {}),
            **(config or {}),
        },
        "HostConfig": {
            "Binds": None,
            "LogConfig": {"Type": "json-file", "Config": {}},
            "NetworkMode": "bridge",
            "PortBindings": {},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "CapAdd": None,
            "CapDrop": None,
            "CgroupnsMode": "private",
            "Dns": [],
            "ExtraHosts": None,
            "GroupAdd": None,
            "IpcMode": "private",
            "Links": None,
            "OomScoreAdj": 0,
            "PidMode": "",
            "Privileged": False,
            "SecurityOpt": None,
            "UTSMode": "",
            "UsernsMode": "",
            "ShmSize": 67108864,
            "Runtime": "runc",
            "Isolation": "",
            "CgroupParent": "",
            "Devices": [],
            "DeviceCgroupRules": None,
            "DeviceRequests": None,
            "OomKillDisable": None,
            "PidsLimit": None,
            "Ulimits": None,
            "MaskedPaths": list(MASKED),
            "ReadonlyPaths": list(READONLY),
            **host,
        },
        "NetworkSettings": {"Networks": dict(networks or {"bridge": {"IPAMConfig": None}})},
    }


def answers(
    *,
    daemon: Mapping[str, Any] | None = DAEMON,
    **topics: Mapping[str, Answer],
) -> Answers:
    """Return answers: ``answers(container={"db": {...}}, path={"/x": MISSING})``."""
    found = {
        Question(Topic(topic), key): answer
        for topic, by_key in topics.items()
        for key, answer in by_key.items()
    }
    return found if daemon is None else {Question(Topic.DAEMON, ""): daemon, **found}


def a_known(
    identity: Identity = ALICE,
    *,
    protected: tuple[str, ...] = (),
    daemon: Mapping[str, Any] | None = DAEMON,
    **topics: Mapping[str, Answer],
) -> Known:
    """Return what is known for a caller, with the answers given by topic."""
    settings = FactSettings(protected=protected)
    return Known(answers(daemon=daemon, **topics), identity, settings)


def an_operation(action: str = "container.create", name: str = "ContainerCreate") -> Operation:
    """Return an operation; only its name and action matter to facts."""
    return Operation(
        name=name,
        method="POST",
        path="/containers/{id}",
        variant="",
        action=action,
        first=(1, 24),
        last=(1, 55),
        risk="root",
        stream="",
        object="container",
        targets=frozenset({"new"}),
        body="json",
        required=True,
        opaque="",
    )


def an_api_request(  # noqa: PLR0913  one keyword for each part of a request
    operation: Operation | None = None,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, tuple[str, ...]] | None = None,
    body: Any = None,
    version: tuple[int, int] | None = (1, 45),
    unknown_fields: tuple[str, ...] = (),
) -> ApiRequest:
    """Return a canonical request."""
    operation = operation or an_operation()
    return ApiRequest(
        operation=operation,
        version=version,
        path=path or {},
        query=query or {},
        body=body,
        unknown_fields=unknown_fields,
        opaque=operation.opaque if body is None else "",
    )


def a_call(
    operation: str,
    target: str = "",
    body: Any = None,
    *,
    version: tuple[int, int] = (1, 45),
    **query: Any,
) -> ApiRequest:
    """Return a canonical request of a named operation.

    ``target`` is the variable of its path; keywords are parameters, each a
    text or a list of texts, with a dash for every underscore.
    """
    values = {key.replace("_", "-"): value for key, value in query.items()}
    return an_api_request(
        operation_named(operation),
        path={"id": target, "name": target} if target else {},
        query={k: (v,) if isinstance(v, str) else tuple(v) for k, v in values.items()},
        body=body,
        version=version,
    )


def operation_named(name: str) -> Operation:
    """Return a row of the table of operations."""
    return next(row for row in load_operations() if row.name == name)


def a_raw_request(
    method: str = "POST",
    target: str = "/v1.45/containers/create",
    body: Any = b"",
    *,
    media: str | None = "application/json",
    state: BodyState = BodyState.COMPLETE,
) -> RawRequest:
    """Return a request as a door received it; a body that is no bytes is written as JSON."""
    return RawRequest(
        method=method,
        target=target,
        headers=() if media is None else (("Content-Type", media),),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        body_state=state,
    )


def words(facts: Any) -> list[str]:
    """Print facts as policies write them."""
    return [str(fact) for fact in facts]


def questions(
    request: ApiRequest, known: Answers, identity: Identity = ALICE
) -> tuple[Question, ...]:
    """Return what the doors would still look up; a request that is refused asks nothing."""
    try:
        found = survey(request, identity, known)
    except RefusedError:
        return ()
    return found if isinstance(found, tuple) else ()
