"""Whole sessions of real clients, under the bundle that is meant for them.

Nothing is denied to them. Each runs against the scratch socket of ``dockgate try``.
"""

import json
import shutil
import sys

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from tests.rehearsals import BUNDLES

JOB = """
import docker

client = docker.from_env()
client.info()
image = "registry.example/ci/build"
client.images.pull(image, "1.4")
volume = client.volumes.create("ci-1-cache")
client.api.create_network("ci-1")
job = client.containers.create(
    f"{image}:1.4", "make test", name="ci-1-job", network="ci-1", user="1000",
    volumes={"ci-1-cache": {"bind": "/cache", "mode": "rw"}}, tmpfs={"/tmp": "size=64m"},
    mem_limit="2g", nano_cpus=2 * 10**9, pids_limit=512,
    security_opt=["no-new-privileges"], cap_drop=["ALL"], environment={"CI": "true"},
)
job.put_archive("/src", b"\\x1f\\x8b sources")
job.start()
job.exec_run("make lint")
job.logs()
job.remove(force=True, v=True)
client.api.remove_network("ci-1")
"""

BLUNDER = """
import docker

client = docker.from_env()
for settings in ({"privileged": True}, {"volumes": ["/:/h"]}, {"pid_mode": "host"}):
    try:
        client.containers.create("registry.example/ci/build:1.4", name="ci-x", **settings)
    except docker.errors.APIError as error:
        assert error.status_code == 403, error
    else:
        raise SystemExit("it was let through")
client.ping()
print("all denied")
"""


@pytest.fixture
def session(tmp_path):
    """Run a client as the holder of a role of a shipped bundle; return what was decided."""

    def run(bundle, role, *client):
        for name in ("bundle.toml", "model.conf", "policy.csv"):
            shutil.copy(BUNDLES[bundle] / name, tmp_path)
        (tmp_path / "people.csv").write_text(f"g, user:ci, {role}, *\n")
        result = CliRunner().invoke(
            main, ["try", "--policy", str(tmp_path), "--as", "user:ci", "--json", "--", *client]
        )
        return result.exit_code, json.loads(result.stdout)

    return run


def test_a_job_of_docker_py_runs(session):
    """A job of a build farm, from its image to its end."""
    status, decisions = session("ci-runner", "role:ci", sys.executable, "-c", JOB)

    assert [each["case"]["request"] for each in decisions if each["verdict"] != "allow"] == []
    assert status == 0
    assert len(decisions) >= 15


def test_a_job_that_wants_the_host_is_denied(session):
    """By the same bundle, and told so."""
    status, decisions = session("ci-runner", "role:ci", sys.executable, "-c", BLUNDER)
    creates = [each for each in decisions if "create" in each["case"]["request"]]

    assert status == 3
    assert [each["verdict"] for each in creates] == ["deny"] * 3
    assert "_ping" in decisions[-1]["case"]["request"]


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command here")
def test_docker_run_works_for_a_developer(session):
    """With a port, a volume, memory and a limit."""
    run = "docker run --rm -p 8080:80 -v data:/d --tmpfs /t:size=64m --memory 64m alpine echo hello"
    status, decisions = session("developer", "role:developer", *run.split())

    assert [each["case"]["request"] for each in decisions if each["verdict"] != "allow"] == []
    assert status == 0
