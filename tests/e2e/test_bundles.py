"""Shipped bundles with their clients and a real daemon, whose look-ups answer as the cases say."""

import json
import shutil
from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError

from tests.e2e import images
from tests.e2e.conftest import Daemons
from tests.e2e.gate import POLICIES, Gate

JOB = "registry.example/ci/build:1.4"
WEB = "registry.example/web:1.4"
LIMITS = {"mem_limit": "64m", "nano_cpus": 500_000_000, "pids_limit": 50}


LACKS_OLD = 29
"""From here on an engine takes no API version below 1.40, unless it is told to."""


@pytest.fixture(scope="module")
def gate(module_daemons: Daemons) -> Iterator[Gate]:
    """Run a daemon that asks Dockgate; what others have was made before it was asked."""
    daemon = module_daemons(["dockgate"])
    daemon.configure({"authorization-plugins": []})
    daemon.start()
    images.load(daemon, (JOB, WEB))
    daemon.docker("run", "-d", "--name", "other", "busybox", "sleep", "900")
    shared = ("-v", "web-data:/data", "-p", "127.0.0.1:0:80", "--network", "proj")
    daemon.docker("network", "create", "proj")
    daemon.docker("run", "-d", "--name", "web", *shared, WEB, "sleep", "900")
    with Gate(daemon, "ci-runner", "g, user:anonymous, role:ci, *\n") as gate:
        daemon.configure({"authorization-plugins": ["dockgate"]})
        daemon.reload()
        yield gate


@pytest.fixture
def bundle(gate):
    """Put a bundle in force, with everybody in a role of it."""

    def use(name: str, role: str) -> None:
        for file in ("bundle.toml", "policy.csv", "tests.toml"):
            shutil.copy(POLICIES / name / file, gate.policy)
        (gate.policy / "people.csv").write_text(f"g, user:anonymous, {role}, *\n")
        assert gate.ask("POST", "/reload").status == 200

    return use


@pytest.fixture
def client(gate):
    """Connect as whoever is on the daemon's socket."""
    found = docker.DockerClient(f"unix://{gate.daemon.socket}", timeout=60)
    yield found
    found.close()


def denied(gate, since):
    """Return which requests were not allowed from some record on."""
    return [
        (record["request"]["method"], record["request"]["target"])
        for record in gate.records()[since:]
        if record["verdict"] != "allow"
    ]


def test_a_job_of_a_build_farm(gate, bundle, client):
    """From its volume to its end; nothing else may be touched."""
    bundle("ci-runner", "role:ci")
    since = len(gate.records())
    client.volumes.create("ci-1-cache")
    network = client.networks.create("ci-1")
    job = client.containers.create(
        JOB,
        ["sleep", "600"],
        name="ci-1-job",
        network="ci-1",
        volumes={"ci-1-cache": {"bind": "/cache", "mode": "rw"}},
        security_opt=["no-new-privileges"],
        **LIMITS,
    )
    job.start()
    assert job.exec_run(["echo", "tested"]).output == b"tested\n"
    job.remove(force=True)
    network.remove()
    client.volumes.get("ci-1-cache").remove()
    assert denied(gate, since) == []

    for attempt in (
        lambda: client.containers.create(JOB, name="ci-2-job"),
        lambda: client.containers.create(JOB, name="ci-2-job", privileged=True, **LIMITS),
        lambda: client.api.exec_create("other", ["sh"]),
        lambda: client.api.inspect_container("other"),
        lambda: client.api.remove_volume("web-data"),
    ):
        with pytest.raises(APIError) as refused:
            attempt()
        assert refused.value.status_code == 403


def test_metrics_are_gathered(gate, bundle, client):
    """Of everybody's containers, and nothing is done to them."""
    bundle("monitoring", "role:monitor")
    since = len(gate.records())
    names = [container.name for container in client.containers.list()]
    other = client.containers.get("other")
    other.stats(stream=False)
    other.top()
    client.info()
    client.df()
    assert {"other", "web"} <= set(names)
    assert denied(gate, since) == []

    with pytest.raises(APIError) as refused:
        other.stop()
    assert refused.value.status_code == 403


def at_least(version, gate):
    """Return this version of the API, or the oldest that the engine has."""
    return version if int(gate.daemon.engine.name.split(".")[0]) < LACKS_OLD else "1.40"


def test_a_reverse_proxy_finds_its_backends(gate, bundle):
    """As Traefik does it, in words of API 1.24 where the engine has them."""
    bundle("traefik", "role:traefik")
    since = len(gate.records())
    api = docker.APIClient(
        f"unix://{gate.daemon.socket}", version=at_least("1.24", gate), timeout=60
    )
    api.version()
    found = [api.inspect_container(each["Id"])["Name"] for each in api.containers(all=True)]
    list(api.events(since=1, until=2, filters={"type": "container"}))
    assert {"/other", "/web"} <= set(found)
    assert denied(gate, since) == []

    with pytest.raises(APIError) as refused:
        api.logs("web")
    assert refused.value.status_code == 403
    api.close()


def test_a_job_of_gitlab_runs_by_the_id_of_its_image(gate, bundle, client):
    """In the network and the cache of its runner."""
    bundle("gitlab-runner", "role:gitlab-runner")
    since = len(gate.records())
    name = "runner-abc-project-7-concurrent-0"
    image = client.images.get(JOB).id
    network = client.networks.create(f"{name}-job-9-network")
    client.volumes.create(f"{name}-cache-1")
    job = client.containers.create(
        image,
        ["sleep", "600"],
        name=f"{name}-build",
        hostname=name,
        network=network.name,
        volumes={f"{name}-cache-1": {"bind": "/cache", "mode": "rw"}},
    )
    job.start()
    assert job.exec_run(["sh", "-c", "echo built"]).output == b"built\n"
    job.remove(force=True, v=True)
    network.remove()
    client.volumes.get(f"{name}-cache-1").remove()
    assert denied(gate, since) == []

    for attempt in (
        lambda: client.containers.create(image, name=f"{name}-build", privileged=True),
        lambda: client.containers.create(WEB, name=f"{name}-build"),
        lambda: client.api.exec_create("other", ["sh"]),
        lambda: client.api.tag(JOB, "evil"),
    ):
        with pytest.raises(APIError) as refused:
            attempt()
        assert refused.value.status_code == 403


def test_a_container_is_made_anew_as_it_was(gate, bundle):
    """As Watchtower does it: what inspection showed goes back, in words of API 1.25 or so."""
    bundle("watchtower", "role:watchtower")
    since = len(gate.records())
    api = docker.APIClient(
        f"unix://{gate.daemon.socket}", version=at_least("1.25", gate), timeout=60
    )
    old = api.inspect_container("web")
    api.kill("web")
    api.remove_container("web", force=True)
    endpoints = old["NetworkSettings"]["Networks"]
    for settings in endpoints.values():
        settings["Aliases"] = [name for name in settings["Aliases"] or () if name != old["Id"][:12]]
    config = {
        **{key: value for key, value in old["Config"].items() if value is not None},
        "HostConfig": old["HostConfig"],
        "NetworkingConfig": {"EndpointsConfig": endpoints},
    }
    made = api.create_container_from_config(json.loads(json.dumps(config)), "web")
    api.disconnect_container_from_network(made["Id"], "proj", force=True)
    api.connect_container_to_network(made["Id"], "proj", aliases=["web"])
    api.start(made["Id"])
    assert api.inspect_container("web")["State"]["Running"]
    assert denied(gate, since) == []

    config["HostConfig"]["Privileged"] = True
    with pytest.raises(APIError) as refused:
        api.create_container_from_config(config, "web2")
    assert refused.value.status_code == 403
    api.close()
