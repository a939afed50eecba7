"""docker-py behind the gate: what works without it works with it, for whoever may do it."""

import io
import tarfile
from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError

from tests.e2e.conftest import Daemons
from tests.e2e.gate import Gate

APPLIES_RUNTIME = 26
"""The last engine that reads a runtime at the top level of a create."""


@pytest.fixture(scope="module")
def developer(module_daemons: Daemons) -> Iterator[docker.DockerClient]:
    """Connect to a daemon where everybody is a developer."""
    yield from _client(module_daemons, "developer", "g, user:anonymous, role:developer, *\n")


@pytest.fixture(scope="module")
def admin(module_daemons: Daemons) -> Iterator[docker.DockerClient]:
    """Connect to a daemon where everybody is an administrator."""
    yield from _client(module_daemons, "admin", "g, user:anonymous, role:admin, *\n")


def _client(daemons: Daemons, bundle: str, people: str) -> Iterator[docker.DockerClient]:
    daemon = daemons(["dockgate"])
    with Gate(daemon, bundle, people) as gate:
        daemon.start()
        client = docker.DockerClient(f"unix://{daemon.socket}", timeout=60)
        yield client
        client.close()
    assert gate.audit.stat().st_size > 0


def test_a_container_runs_and_prints(developer):
    """Create, attach, start, wait, logs, remove."""
    printed = developer.containers.run("busybox", ["echo", "hello"], remove=True)

    assert printed == b"hello\n"


def test_the_life_of_a_container(developer):
    """What a program does with one, from first to last."""
    container = developer.containers.create(
        "busybox",
        ["sleep", "600"],
        name="life",
        init=True,
        labels={"team": "blue"},
        environment={"A": "b"},
        mem_limit="64m",
        nano_cpus=500_000_000,
        volumes={"life-data": {"bind": "/data", "mode": "rw"}},
        ports={"80/tcp": None},
        tmpfs={"/scratch": "size=1m"},
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 3},
    )
    container.start()
    done = container.exec_run(["sh", "-c", "echo $A; id -u"])
    assert (done.exit_code, done.output) == (0, b"b\n0\n")
    assert container.top()["Processes"]
    assert container.stats(stream=False)["memory_stats"]["limit"] == 64 * 1024 * 1024
    container.update(mem_limit="96m", memswap_limit="192m")
    container.pause()
    container.unpause()
    container.rename("lived")
    container.restart(timeout=0)
    data, _ = container.get_archive("/etc/passwd")
    with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as archive:
        assert archive.getnames() == ["passwd"]
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove(v=True)


def test_volumes_and_networks(developer):
    """Made, found, used and removed."""
    volume = developer.volumes.create("shelf", labels={"a": "b"})
    network = developer.networks.create("street", driver="bridge", check_duplicate=True)
    house = developer.containers.run("busybox", ["sleep", "600"], detach=True, init=True)
    network.connect(house, aliases=["house"])
    network.disconnect(house)
    house.remove(force=True)
    network.remove()
    volume.remove()
    assert "shelf" not in [each.name for each in developer.volumes.list()]


def test_looking_around(developer):
    """Lists, information and events."""
    assert developer.ping()
    assert developer.version()["ApiVersion"]
    assert developer.info()["ServerVersion"]
    assert [image.tags for image in developer.images.list()]
    assert developer.images.get("busybox").history()
    assert developer.df()["Images"] is not None
    assert developer.containers.list(all=True, filters={"status": "exited"}) == []


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"privileged": True}, "privileged:true"),
        ({"volumes": {"/etc": {"bind": "/x", "mode": "ro"}}}, "bind:/etc"),
        ({"pid_mode": "host"}, "pid:host"),
        ({"network_mode": "host"}, "net:host"),
        ({"cap_add": ["SYS_ADMIN"]}, "cap.add:SYS_ADMIN"),
        ({"devices": ["/dev/null:/dev/x:rwm"]}, "device:/dev/null"),
        ({"security_opt": ["seccomp=unconfined"]}, "seccomp:unconfined"),
        ({"labels": {"dockgate.owner": "user:root"}}, "dockgate.owner"),
    ],
)
def test_the_host_stays_the_hosts(options, fact, developer):
    """The exception carries the sentence that the CLI prints."""
    with pytest.raises(APIError) as caught:
        developer.containers.create("busybox", ["true"], **options)

    assert caught.value.status_code == 403
    assert fact in caught.value.explanation


def test_an_administrator_is_not_in_the_way_of_himself(admin):
    """Everything that root may do: privileged, host mounts, commit, tag, build, save and load."""
    root = admin.containers.create(
        "busybox",
        ["true"],
        privileged=True,
        pid_mode="host",
        volumes={"/": {"bind": "/host", "mode": "rw"}},
    )
    image = root.commit("kept", "v1", changes=["CMD true"])
    assert image.tag("kept", "v2")
    saved = b"".join(admin.images.get("kept:v1").save(named=True))
    admin.images.remove("kept:v1")
    assert admin.images.load(saved)[0].tags
    root.remove()
    built, _ = admin.images.build(fileobj=io.BytesIO(b"FROM busybox\nLABEL a=b\n"), tag="built")
    assert "built:latest" in built.tags
    assert admin.containers.prune() is not None


def test_a_build_file_from_elsewhere_is_taken(admin, tmp_path):
    """The client sends its name and behind it its text, of which the daemon takes the name."""
    (tmp_path / "context").mkdir()
    (tmp_path / "elsewhere").write_text("FROM busybox\nLABEL a=elsewhere\n")
    (tmp_path / "context/Dockerfile").write_text("FROM busybox\nLABEL a=context\n")

    built, _ = admin.images.build(
        path=str(tmp_path / "context"), dockerfile=str(tmp_path / "elsewhere"), tag="twice"
    )

    assert built.labels["a"] == "elsewhere"


@pytest.mark.parametrize("runtime", ["runc", "io.containerd.runc.v2"])
def test_a_runtime_stands_at_the_top_level(runtime, admin, engine):
    """Where the client writes it; engines up to 26 apply it, newer ones take their default."""
    applied = int(engine.name.split(".")[0]) <= APPLIES_RUNTIME
    made = admin.api.create_container("busybox", "true", runtime=runtime)
    found = admin.api.inspect_container(made)["HostConfig"]["Runtime"]
    admin.api.remove_container(made)

    assert found == (runtime if applied else "runc")


def test_a_developer_gets_no_runtime_that_way(developer):
    """The fact is the same as that of a runtime in its proper place."""
    with pytest.raises(APIError, match=r"runtime:io\.containerd\.runc\.v2"):
        developer.api.create_container("busybox", "true", runtime="io.containerd.runc.v2")


def test_what_an_administrator_copies_in_arrives(admin):
    """An archive is a body that no plugin sees; it goes by a row that names it."""
    container = admin.containers.create("busybox", ["true"])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("note")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))

    assert container.put_archive("/tmp", packed.getvalue())  # noqa: S108  a folder in the container
    container.remove()
