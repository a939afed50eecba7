"""What was judged is not what happens later: each race of a real daemon, and its defence.

Nothing here has to win by speed: the world is changed between two requests, and the second is
judged by the world as it is then.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import images
from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate

ROWS = """
p, role:developer, *, *, bind:{shared}/**|bind.rw:{shared}/**, *, allow
p, role:developer, *, *, target.bind:{shared}/**|target.bind.rw:{shared}/**, *, allow
p, role:developer, *, container.rename, on:unowned, *, allow
p, role:developer, *, image.tag, on:unowned|image.name:docker.io/library/mine, *, allow
p, role:developer, *, container.create, image.ref:name, image=docker.io/library/sealed, deny
"""
NEW_RULES = """
p, role:developer, *, *, target.volume:vault, *, deny
p, role:developer, *, container.exec, exec.user:nobody, *, deny
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the host that developers may mount."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def unguarded(module_daemons: Daemons) -> Dockerd:
    """Run a daemon that asks nobody yet, with containers that a developer cannot make."""
    daemon = module_daemons()
    daemon.start()
    images.load(daemon, ("sealed:latest",), changes=("LABEL which=good",))
    images.load(daemon, ("other:latest",), changes=("LABEL which=evil",))
    sleep = ("busybox", "sleep", "900")
    daemon.docker("run", "-d", "--init", "--name", "strong", "--privileged", *sleep)
    daemon.docker("run", "-d", "--init", "--name", "plain", *sleep)
    return daemon


@pytest.fixture(scope="module")
def early(unguarded: Dockerd) -> str:
    """Make an exec while nobody is asked."""
    return _exec(unguarded, "strong")


@pytest.fixture(scope="module")
def gate(unguarded: Dockerd, early: str, shared: Path) -> Iterator[Gate]:  # noqa: ARG001
    """Let it ask Dockgate from now on; the exec is older than that."""
    daemon = unguarded
    gate = Gate(daemon)
    with (gate.policy / "policy.csv").open("a") as file:
        file.write(ROWS.format(shared=shared))
    with gate:
        daemon.configure({"authorization-plugins": ["dockgate"]})
        daemon.reload()
        yield gate


@pytest.fixture(scope="module")
def daemon(gate: Gate) -> Dockerd:
    """Return the daemon that asks."""
    return gate.daemon


def _exec(daemon: Dockerd, container: str) -> str:
    """Make an exec that nobody starts yet."""
    document = {"Cmd": ["id"], "AttachStdout": True, "User": "nobody"}
    made = daemon.api("POST", f"/v1.41/containers/{container}/exec", document)
    return str(made.json()["Id"])


@pytest.fixture
def refused(gate: Gate, daemon: Dockerd) -> Callable[..., set[str]]:
    """Return what runs the CLI, or starts an exec, and says which facts it failed for."""

    def attempt(*words: str, exec_id: str = "") -> set[str]:
        before = len(gate.denied())
        if exec_id:
            daemon.api("POST", f"/v1.41/exec/{exec_id}/start", {"Detach": True})
        else:
            daemon.docker(*words, check=False)
        return {
            fact["fact"]
            for record in gate.denied()[before:]
            for fact in record["facts"]
            if fact["verdict"] != "allow"
        }

    return attempt


def test_a_link_that_was_turned_is_seen_at_the_start(daemon, refused, shared):
    """A create is judged by where the source leads, and so is every start of what came of it."""
    source, aside = shared / f"data-{daemon.engine.name}", shared / f"aside-{daemon.engine.name}"
    source.mkdir()
    daemon.docker("create", "--name", "turned", "-v", f"{source}:/x", "busybox", "ls", "/x")

    source.rename(aside)
    source.symlink_to("/etc")
    assert "target.bind:/etc" in refused("start", "turned")
    assert "bind:/etc" in refused("create", "-v", f"{source}:/x", "busybox", "true")

    source.unlink()
    aside.rename(source)
    daemon.docker("start", "turned")


def test_an_exec_is_judged_by_its_container_when_it_starts(early, refused):
    """One that was made before anybody asked, in a container that is none of theirs."""
    assert "target.privileged:true" in refused(exec_id=early)


def test_a_name_is_looked_up_each_time(daemon, refused):
    """It belongs to another container by now."""
    assert refused("exec", "plain", "true") == set()
    daemon.docker("rename", "plain", "away")
    daemon.docker("rename", "strong", "plain")
    try:
        assert "target.privileged:true" in refused("exec", "plain", "true")
    finally:
        daemon.docker("rename", "plain", "strong")
        daemon.docker("rename", "away", "plain")


def test_a_name_that_others_trust_is_not_theirs_to_move(daemon, refused):
    """Giving a name is judged by the name, whatever image it is given to."""
    daemon.docker("tag", "other", "mine")
    assert refused("tag", "other", "sealed") == {"image.name:docker.io/library/sealed"}


def test_an_id_stays_what_it_is(daemon, refused):
    """Where a policy wants an id, a name does not do, and a tag that moves changes nothing."""
    sealed = daemon.docker("inspect", "-f", "{{.Id}}", "sealed").stdout.strip()

    assert refused("create", "sealed", "true") == {"image.ref:name"}
    made = daemon.docker("create", sealed, "true").stdout.strip()
    assert daemon.docker("inspect", "-f", "{{.Image}}", made).stdout.strip() == sealed


def test_what_is_older_than_a_rule_is_bound_by_it(gate, daemon, refused):
    """Containers and execs that were allowed when they were made are judged anew."""
    daemon.docker("run", "-d", "--init", "--name", "old", "-v", "vault:/v", "busybox", "sleep", "9")
    daemon.docker("create", "--name", "older", "-v", "vault:/v", "busybox", "true")
    made = _exec(daemon, "plain")
    with (gate.policy / "policy.csv").open("a") as file:
        file.write(NEW_RULES)
    answer = gate.ask("POST", "/reload")
    assert answer.status == 200, answer.body

    for words in ("start older", "restart old", "unpause old", "exec old id"):
        assert "target.volume:vault" in refused(*words.split())
    assert "exec.user:nobody" in refused(exec_id=made)
