"""Services of a swarm on a real daemon, under an administrator whom pss-baseline narrows."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate
from tests.e2e.sandbox import wait_for

PEOPLE = "g, user:anonymous, role:admin, *\ng, user:anonymous, pack:pss-baseline, *\n"
PACKS = 'packs = ["pss-baseline"]\n'

DENIED = {
    "--mount type=bind,src=/srv,dst=/x": ("bind:/srv", "pss-host-path"),
    "--mount type=volume,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/srv,dst=/x": (
        *("bind:/srv", "pss-host-path"),
    ),
    "--network host": ("denied: net for", "pss-host-namespaces"),  # the CLI sends its id
    "--cap-add SYS_ADMIN": ("cap.add:SYS_ADMIN", "pss-capabilities"),
    "--sysctl kernel.msgmax=1": ("sysctl:kernel.msgmax=1", "pss-sysctls"),
    "-p 8080:80": ("port:8080/tcp", "pss-host-ports"),
    "--publish mode=host,target=80": ("port.random:80/tcp", "pss-host-ports"),
}
"""Options of `docker service create`, and what the refusal must name."""

SPELLINGS = {
    '{"Type":"BIND","Source":"/srv","Target":"/x"}': "bind:/srv",
    '{"Source":"/srv","Target":"/x"}': "bind:/srv",
    '{"Type":"bind","Source":"/{{.Node.Hostname}}","Target":"/x"}': "bind:unknown",
}
"""Mounts that the daemon takes for binds, and the fact that is denied."""


def a_service(name: str, **spec: object) -> dict[str, object]:
    """Return a definition with these members of the container."""
    container = {"Image": "busybox", "Command": ["sleep", "900"], **spec}
    return {"Name": name, "TaskTemplate": {"ContainerSpec": container}}


@pytest.fixture(scope="module")
def gate(module_daemons: Daemons) -> Iterator[Gate]:
    """Run a daemon that asks Dockgate; it is no part of a swarm yet."""
    daemon = module_daemons()
    daemon.start()
    gate = Gate(daemon, bundle="admin", people=PEOPLE)
    (gate.policy / "bundle.toml").write_text(PACKS)
    with gate:
        ask(daemon, "dockgate")
        yield gate


@pytest.fixture(scope="module")
def loner(gate: Gate) -> str:
    """Return what a client is told about an object that nobody has, where there is no swarm."""
    return gate.daemon.docker("inspect", "nothing", check=False).stderr


@pytest.fixture(scope="module")
def daemon(gate: Gate, loner: str) -> Dockerd:
    """Make a swarm of the daemon, and services behind Dockgate's back."""
    assert loner
    daemon = gate.daemon
    daemon.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    ask(daemon)
    bind = "type=bind,src=/srv,dst=/x"
    idle = ("--detach", "--replicas", "0")
    daemon.docker("service", "create", *idle, "--name", "hostile", "--mount", bind, "busybox")
    daemon.docker("service", "update", "--detach", "--mount-rm", "/x", "hostile")
    for number, mount in enumerate(SPELLINGS):
        spec = a_service(f"spelt{number}", Mounts=[json.loads(mount)])
        made = daemon.api("POST", "/services/create", spec)
        assert made.status == 201, made.body
    ask(daemon, "dockgate")
    return daemon


def ask(daemon: Dockerd, *plugins: str) -> None:
    """Let the daemon ask these plugins from now on."""
    daemon.configure({"authorization-plugins": list(plugins)})
    daemon.reload()


def test_a_node_without_a_swarm_answers_as_before(loner):
    """A look-up of an object of a swarm is no failure there."""
    assert "no such object: nothing" in loner.lower()


def test_an_ordinary_service_runs(daemon, gate):
    """With a secret, a config, a network and limits; it is looked at, changed and ended."""
    daemon.docker("secret", "create", "db", "-", stdin=b"hidden")
    daemon.docker("config", "create", "site", "-", stdin=b"plain")
    daemon.docker("network", "create", "-d", "overlay", "app")
    daemon.docker(
        *("service", "create", "--detach", "--name", "web", "--secret", "db", "--config", "site"),
        *("--network", "app", "--limit-memory", "64m", "--user", "nobody", "--read-only"),
        *("--constraint", "node.role==manager", "--log-driver", "json-file", "--label", "a=b"),
        *("busybox", "sh", "-c", "cat /run/secrets/db /site; echo; exec sleep 900"),
    )
    assert wait_for(lambda: "hiddenplain" in daemon.docker("service", "logs", "web").stdout, 20)
    assert "Running" in daemon.docker("service", "ps", "web").stdout
    daemon.docker("service", "update", "--detach", "--label-add", "c=d", "web")
    daemon.docker("service", "rollback", "--detach", "web")
    daemon.docker("service", "scale", "--detach", "web=0")
    daemon.docker("service", "rm", "web")
    node = daemon.docker("node", "ls", "-q").stdout.strip()
    # The swarm describes itself anew meanwhile; then the version is an old one.
    for words in (
        ("node", "update", "--label-add", "zone=a", node),
        ("swarm", "update", "--task-history-limit", "3"),
    ):
        assert wait_for(lambda said=words: not daemon.docker(*said, check=False).returncode, 10)
    assert daemon.docker("node", "inspect", "self", "-f", "{{.Spec.Labels.zone}}").stdout == "a\n"
    assert gate.denied() == []


def test_secrets_leave_no_trace(daemon, gate):
    """Neither what they say nor its digest is written down."""
    daemon.docker("secret", "create", "key", "-", stdin=b"unheard-of")

    record = gate.records()[-1]
    assert record["request"]["operation"] == "SecretCreate"
    assert "body_sha256" not in record["request"]
    assert "secret:key" in {fact["fact"] for fact in record["facts"]}
    assert "unheard" not in gate.audit.read_text()


@pytest.mark.parametrize("options", DENIED)
def test_a_service_is_bound_like_a_container(options, daemon):
    """The CLI prints the fact that failed and the row that denied it."""
    fact, row = DENIED[options]
    done = daemon.docker(
        *("service", "create", "--detach", *options.split(), "busybox", "true"), check=False
    )
    assert done.returncode != 0
    assert "dockgate: denied: " in done.stderr
    assert fact in done.stderr
    assert row in done.stderr


@pytest.mark.parametrize("number", range(len(SPELLINGS)))
def test_the_daemon_takes_other_spellings_for_a_bind(number, daemon):
    """So does the gate, and what it cannot know it calls unknown."""
    mount, fact = list(SPELLINGS.items())[number]
    stored = daemon.api("GET", f"/services/spelt{number}").json()

    denied = daemon.api("POST", "/services/create", a_service("x", Mounts=[json.loads(mount)]))

    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"][0]["Type"] == "bind"
    assert denied.status == 403
    assert f"denied: {fact} for user:anonymous by pss-host-path" in denied.json()["message"]


@pytest.mark.parametrize(
    ("privileges", "row"),
    [
        ({"Seccomp": {"Mode": "unconfined"}}, "pss-seccomp"),
        ({"Seccomp": {"Mode": "custom", "Profile": "dW5jb25maW5lZA=="}}, "pss-seccomp"),
        ({"AppArmor": {"Mode": "disabled"}}, "pss-apparmor"),
        ({"SELinuxContext": {"Disable": True}}, "pss-selinux"),
    ],
)
def test_confinement_stays_on(privileges, row, daemon):
    """Whatever the engine would make of it."""
    denied = daemon.api("POST", "/services/create", a_service("x", Privileges=privileges))

    assert denied.status == 403
    assert row in denied.json()["message"]


def test_a_rollback_is_judged_by_what_comes_back(daemon):
    """The definition that the client sends is harmless; the stored one is not, and is not shown."""
    done = daemon.docker("service", "rollback", "--detach", "hostile", check=False)

    assert done.returncode != 0
    assert "denied: bind for user:anonymous by pss-host-path" in done.stderr


def test_a_login_is_judged_whether_it_is_shown_or_not(daemon, gate):
    """Most engines show it to no plugin; none of it is written down."""
    login = {"username": "a", "password": "unheard-of", "serveraddress": "127.0.0.1:1"}

    answer = daemon.api("POST", "/auth", login)

    facts = {fact["fact"] for fact in gate.records()[-1]["facts"]}
    assert answer.status != 403, answer.body
    assert facts & {"registry.login:127.0.0.1:1", "registry.login:unknown"}
    assert ("registry.login:unknown" in facts) is ("body.opaque:auth" in facts)
    assert "unheard" not in gate.audit.read_text()
