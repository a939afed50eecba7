"""The table of operations and its routes, in the daemon's order."""

import re

import pytest

from authz.docker.routes import load_operations, match, newest

NARROW = {"services", "nodes", "tasks", "secrets", "configs", "debug"}
REACHABLE = [row for row in load_operations() if row.path != "*" and row.method != "GRPC"]


def takes_slashes(operation):
    """Say whether the daemon lets a slash into the path's variables."""
    return operation.path.split("/")[1] not in NARROW and operation.name != "CheckpointDelete"


def example(operation, value):
    """Fill every variable of an operation's path with the value."""
    return re.sub(r"{\w+}", value, operation.path)


def found(method, path):
    """Return the name of the first operation and the variables."""
    operations, variables = match(method, path)
    return (operations[0].name if operations else None), dict(variables)


@pytest.mark.parametrize("operation", REACHABLE, ids=lambda row: row.name)
def test_every_row_is_reached_by_its_own_path(operation):
    """No row is hidden by one that is registered before it."""
    operations, variables = match(operation.method, example(operation, "web"))

    assert operation in operations
    assert set(variables.values()) <= {"web"}
    assert set(variables) == set(re.findall(r"{(\w+)}", operation.path))


@pytest.mark.parametrize(
    "operation", [row for row in REACHABLE if "{" in row.path], ids=lambda row: row.name
)
def test_names_hold_slashes_where_the_daemon_takes_them(operation):
    """Variables match several segments, but for swarm objects and checkpoints."""
    operations, variables = match(operation.method, example(operation, "web/db"))

    assert (operation in operations) is takes_slashes(operation)
    if operation in operations:
        assert set(variables.values()) == {"web/db"}


@pytest.mark.parametrize(
    ("method", "path", "name", "variables"),
    [
        ("POST", "/containers/create", "ContainerCreate", {}),
        ("POST", "/containers/create/start", "ContainerStart", {"id": "create"}),
        ("POST", "/containers/create/create/start", "ContainerStart", {"id": "create/create"}),
        ("POST", "/containers/prune/kill", "ContainerKill", {"id": "prune"}),
        ("POST", "/containers/start/stop", "ContainerStop", {"id": "start"}),
        ("POST", "/containers/web/kill/start", "ContainerStart", {"id": "web/kill"}),
        ("POST", "/containers/mine/db/exec", "ContainerExec", {"id": "mine/db"}),
        ("POST", "/containers/web/attach", "ContainerAttach", {"id": "web"}),
        ("GET", "/containers/web/attach/ws", "ContainerAttachWebsocket", {"id": "web"}),
        ("GET", "/containers/json", "ContainerList", {}),
        ("GET", "/containers/json/json", "ContainerInspect", {"id": "json"}),
        ("GET", "/containers/web/db/json", "ContainerInspect", {"id": "web/db"}),
        ("GET", "/containers/web/json/logs", "ContainerLogs", {"id": "web/json"}),
        ("DELETE", "/containers/create", "ContainerDelete", {"id": "create"}),
        ("DELETE", "/containers/web/db", "ContainerDelete", {"id": "web/db"}),
        (
            "DELETE",
            "/containers/web/checkpoints/one",
            "CheckpointDelete",
            {"id": "web", "checkpoint": "one"},
        ),
        (
            "DELETE",
            "/containers/a/web/checkpoints/one",
            "ContainerDelete",
            {"id": "a/web/checkpoints/one"},
        ),
        ("GET", "/images/get", "ImageGetAll", {}),
        ("GET", "/images/get/get", "ImageGet", {"name": "get"}),
        ("GET", "/images/a/get/json", "ImageInspect", {"name": "a/get"}),
        ("GET", "/images/a/json/get", "ImageGet", {"name": "a/json"}),
        ("GET", "/images/host:5000/a/b:1/json", "ImageInspect", {"name": "host:5000/a/b:1"}),
        ("POST", "/images/create/tag", "ImageTag", {"name": "create"}),
        ("POST", "/images/a/push/tag", "ImageTag", {"name": "a/push"}),
        ("GET", "/plugins/privileges", "GetPluginPrivileges", {}),
        ("GET", "/plugins/privileges/json", "PluginInspect", {"name": "privileges"}),
        ("GET", "/plugins/a/b", "PluginInspectOld", {"name": "a/b"}),
        ("POST", "/plugins/pull/disable", "PluginDisable", {"name": "pull"}),
        ("GET", "/networks", "NetworkList", {}),
        ("GET", "/networks/", "NetworkListSlash", {}),
        ("GET", "/networks/create", "NetworkInspect", {"id": "create"}),
        ("POST", "/networks/prune/connect", "NetworkConnect", {"id": "prune"}),
        ("POST", "/build", "ImageBuildKit", {}),
        ("POST", "/build/prune", "BuildPrune", {}),
        ("GET", "/swarm/unlockkey", "SwarmUnlockkey", {}),
        ("HEAD", "/_ping", "SystemPingHead", {}),
        ("HEAD", "/containers/a/b/archive", "ContainerArchiveInfo", {"id": "a/b"}),
        ("OPTIONS", "/containers/create", "OptionsAny", {"any": "containers/create"}),
    ],
)
def test_the_tail_of_a_path_is_its_verb(method, path, name, variables):
    """Names may look like verbs, and the first route that fits the whole path wins."""
    assert found(method, path) == (name, variables)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/containers/json"),
        ("HEAD", "/info"),
        ("GET", "/containers/create"),
        ("PUT", "/containers/create"),
        ("PATCH", "/containers/create"),
        ("post", "/containers/create"),
        ("CONNECT", "/containers/create"),
        ("POST", "/Containers/Create"),
        ("POST", "/containers/create/"),
        ("POST", "/containers/create#/auth"),
        ("POST", "/v1.41/containers/create"),
        ("POST", "/debug/pprof/profile"),
        ("GET", "/debug/pprof/a/b"),
        ("GET", "/services/a/b"),
        ("DELETE", "/secrets/a/b"),
        ("DELETE", "/containers/"),
        ("DELETE", "/volumes/data/"),
        ("GET", "/images//json"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "info"),
        ("OPTIONS", "*"),
        ("OPTIONS", "/"),
        ("GRPC", "/moby.buildkit.v1.Control/Solve"),
        ("GRPC", "/{other gRPC service}"),
    ],
)
def test_what_the_daemon_does_not_route_has_no_operation(method, path):
    """Methods count to the letter, and nothing is guessed."""
    assert match(method, path) == ((), {})


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/build", ["ImageBuildKit", "ImageBuild"]),
        ("/images/create", ["ImageCreate", "ImageImport"]),
    ],
)
def test_the_query_tells_two_operations_of_a_route_apart(path, names):
    """Both come back in the order to be tried; the last has no condition."""
    operations, _ = match("POST", path)

    assert [operation.name for operation in operations] == names
    assert operations[0].variant
    assert not operations[-1].variant


def test_a_row_is_read_with_its_types():
    """Versions compare as numbers, targets are a set, and required is yes or no."""
    create = next(row for row in load_operations() if row.name == "ContainerCreate")

    assert (create.first, create.last) == ((1, 12), (1, 55))
    assert create.targets == {"new", "own", "tenant", "foreign", "unowned", "unknown"}
    assert create.required
    assert not next(row for row in load_operations() if row.name == "ImageCommit").required


def test_the_tables_know_a_newest_version():
    """What comes after it may mean something else."""
    assert newest() == max(row.last for row in load_operations()) >= (1, 55)
