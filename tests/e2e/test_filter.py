"""Several people behind one proxy that filters lists: each sees what is theirs alone."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.gate import POLICIES
from tests.e2e.proxy import Front
from tests.e2e.sandbox import wait_for

ANN, BEN = 1, 2
"""Two accounts of every host: daemon and bin."""

PEOPLE = "".join(f"g, {who}, role:member, *\n" for who in ("user:daemon", "user:bin", "cert:alice"))
ROWS = """
p, role:member, *, *, **, *, allow
p, role:member, *, *, on:unknown, *, allow
# no-foreign: nothing of anybody else
p, role:member, *, *, on:foreign, *, deny
# no-unowned-containers: nor of nobody
p, role:member, *, container.inspect, on:unowned, *, deny
# no-unowned-volumes: nor of nobody
p, role:member, *, volume.inspect, on:unowned, *, deny
# no-unowned-networks: nor of nobody
p, role:member, *, network.inspect, on:unowned, *, deny
"""
COMPOSE = """
services:
  web:
    image: busybox
    command: ["sleep", "900"]
    init: true
    stop_grace_period: 0s
"""


@pytest.fixture(scope="module")
def front(module_daemons: Daemons, certificates: Certificates) -> Iterator[Front]:
    """Run a daemon with a container, a volume and a network of nobody, and the proxy before it."""
    daemon = module_daemons()
    daemon.start()
    daemon.docker("run", "-d", "--init", "--name", "nobodys", "busybox", "sleep", "900")
    daemon.docker("volume", "create", "nobodys")
    front = Front(daemon, certificates)
    (front.policy / "policy.csv").write_text(ROWS)
    (front.policy / "people.csv").write_text(PEOPLE)
    (front.policy / "tests.toml").unlink()
    settings = front.settings.read_text().replace("identity =", "filter = true\nidentity =")
    settings += "[proxy]\nowner_labels = true\n" + "".join(map(tenants(front), ("red", "blue")))
    front.settings.write_text(settings)
    with front:
        for uid, name in ((ANN, "ann"), (BEN, "ben")):
            ran(front, uid, "volume", "create", f"{name}-data")
            ran(front, uid, "network", "create", f"{name}-net")
            words = (
                "--network",
                f"{name}-net",
                "-v",
                f"{name}-data:/d",
                "--label",
                f"of={name}",
            )
            ran(
                front,
                uid,
                "run",
                "-d",
                "--init",
                "--name",
                name,
                *words,
                "busybox",
                "sleep",
                "900",
            )
            ran(front, uid, "create", "--name", f"{name}-old", "busybox", "true")
        yield front


def tenants(front: Front) -> Callable[[str], str]:
    """Copy the bundle for tenants, with the rows of its page; return what writes a listener."""
    folder = front.folder / "tenants"
    shutil.copytree(POLICIES / "multi-tenant", folder)
    (folder / "people.csv").write_text(
        "g, user:daemon, role:member, red\ng, user:bin, role:member, blue\n"
    )
    (folder / "tests.toml").unlink()
    with (folder / "policy.csv").open("a") as rows:
        rows.write("p, role:member, *, *.read, on:list, *, allow\n")
        rows.write("p, role:member, *, system.events, on:host, *, allow\n")
    return lambda name: (
        f'[[proxy.listen]]\naddress = "unix://{front.open}/{name}.sock"\nidentity = ["peer"]\n'
        f'tenant = "{name}"\npolicy = "tenants"\nfilter = true\nsocket = {{ mode = "0666" }}\n'
    )


def ran(front: Front, uid: int, *words: str, socket: str = "docker") -> list[str]:
    """Run the CLI as an account; return the lines that it printed."""
    done = front.as_uid(uid, "-H", f"unix://{front.open}/{socket}.sock", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_sees_their_own_containers(front):
    """With and without those that do not run; ids alone; chosen by filters."""
    names = ("ps", "--format", "{{.Names}}")

    assert ran(front, ANN, *names) == ["ann"]
    assert ran(front, BEN, *names) == ["ben"]
    assert ran(front, ANN, *names, "-a") == ["ann-old", "ann"]
    assert ran(front, ANN, *names, "--filter", "name=ben") == []
    assert ran(front, BEN, *names, "--filter", "label=of") == ["ben"]
    assert len(ran(front, ANN, "ps", "-aq")) == 2
    assert ran(front, ANN, *names, "--size") == ["ann"]
    shown = front.daemon.docker("ps", "-a", "--format", "{{.Names}}").stdout.split()
    assert {"ann", "ann-old", "ben", "ben-old", "nobodys"} <= set(shown)


def test_the_last_one_is_the_last_of_ones_own(front):
    """The daemon would count those of others: `-n 1` would be a question about them."""
    assert ran(front, ANN, "ps", "-n", "1", "--format", "{{.Names}}") == ["ann-old"]
    assert ran(front, ANN, "ps", "-l", "--format", "{{.Names}}") == ["ann-old"]
    assert ran(front, ANN, "ps", "-n", "9", "--format", "{{.Names}}") == ["ann-old", "ann"]


def test_each_sees_their_own_volumes_and_networks(front):
    """Those of the daemon are nobody's, and shown to nobody here."""
    for uid, name in ((ANN, "ann"), (BEN, "ben")):
        assert ran(front, uid, "volume", "ls", "-q") == [f"{name}-data"]
        assert ran(front, uid, "network", "ls", "--format", "{{.Name}}") == [f"{name}-net"]
    assert "busybox" in ran(front, ANN, "images", "--format", "{{.Repository}}")


def test_the_list_is_what_can_be_inspected(front):
    """Every container of the daemon, asked for one by one."""
    ids = front.daemon.docker("ps", "-aq", "--no-trunc").stdout.split()
    allowed = [id_ for id_ in ids if front.as_uid(ANN, "inspect", id_).returncode == 0]

    assert ran(front, ANN, "ps", "-aq", "--no-trunc") == allowed


def test_disk_usage_is_of_ones_own(front):
    """Names of others' containers and volumes are not in it."""
    shown = "\n".join(ran(front, ANN, "system", "df", "-v"))

    assert "ann-data" in shown
    assert "ben" not in shown
    assert "nobodys" not in shown


def test_compose_sees_its_project(front, tmp_path):
    """`compose ps`, and what it looks for to take everything down."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    front.docker("certificate", "compose", "-p", "filtered", "up", "-d", cwd=tmp_path)
    try:
        shown = front.docker("certificate", "compose", "-p", "filtered", "ps", cwd=tmp_path).stdout
        assert "filtered-web-1" in shown
        assert front.docker("certificate", "ps", "-q").stdout.count("\n") == 1
        assert ran(front, ANN, "ps", "--format", "{{.Names}}") == ["ann"]
    finally:
        front.docker("certificate", "compose", "-p", "filtered", "down", cwd=tmp_path)
    assert "filtered" not in front.daemon.docker("ps", "-a", "--format", "{{.Names}}").stdout


@contextlib.contextmanager
def following(front, uid):
    """Follow the events as an account; yield what there was so far."""
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    command += [front.daemon.engine.docker, "events", "--format", "{{json .}}"]
    environment = {"PATH": front.daemon.engine.path, "HOME": "/", **front.way("unix")}
    path = front.folder / f"events-{uid}"
    with path.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out)
    try:
        yield lambda: [json.loads(line) for line in path.read_text().splitlines()]
    finally:
        process.kill()
        process.wait()


def test_events_are_of_ones_own(front):
    """From its creation to its end; a volume and a network, too."""
    with following(front, ANN) as anns, following(front, BEN) as bens:
        wait_for(lambda: bool(front.records()), 2)
        marker = iter(range(100))

        def told():
            ran(front, ANN, "volume", "create", f"first-{next(marker)}")
            ran(front, BEN, "volume", "create", f"other-{next(marker)}")
            return anns() and bens()

        assert wait_for(told, 10)
        ran(front, ANN, "run", "--rm", "--name", "brief", "-v", "brief-data:/d", "busybox", "true")
        front.daemon.docker("volume", "create", "nobodys-second")
        ran(front, ANN, "volume", "create", "last")
        ran(front, BEN, "volume", "create", "last-of-ben")
        assert wait_for(lambda: "last" in str(anns()[-1:]), 10)
        assert wait_for(lambda: "last-of-ben" in str(bens()[-1:]), 10)
        mine, others = anns(), bens()
    actions = [each["Action"] for each in mine if each["Type"] == "container"]
    assert actions[0] == "create"
    assert {"start", "die", "destroy"} <= set(actions)
    assert "brief" not in str(others)
    assert "nobodys" not in str(mine + others)
    assert "other-" not in str(mine)


def test_events_of_the_past_are_of_ones_own_and_end(front):
    """What is over has an end, and the client gets it."""
    ran(front, ANN, "volume", "create", "past-of-ann")
    ran(front, BEN, "volume", "create", "past-of-ben")
    span = ("--since", "1m", "--until", str(int(time.time()) + 1))

    shown = "\n".join(ran(front, ANN, "events", *span))

    assert "past-of-ann" in shown
    assert "past-of-ben" not in shown


def test_tenants_see_what_is_their_tenants(front):
    """With the shipped bundle and the rows of its page, each tenant on a socket of its own."""
    for uid, name in ((ANN, "red"), (BEN, "blue")):
        ran(front, uid, "network", "create", f"{name}-net", socket=name)
        ran(front, uid, "volume", "create", f"{name}-data", socket=name)
        words = ("--network", f"{name}-net", "-v", f"{name}-data:/d", "--name", f"{name}-web")
        ran(front, uid, "create", *words, "busybox", "sleep", "900", socket=name)

    for uid, name in ((ANN, "red"), (BEN, "blue")):
        shown = ran(front, uid, "ps", "-a", "--format", "{{.Names}}", socket=name)
        # What somebody made elsewhere is still his own.
        assert shown[0] == f"{name}-web"
        assert shown[1:] in ([], ["ann-old", "ann"], ["ben-old", "ben"])
        assert ("ann" in shown) == (uid == ANN)
        networks = ran(front, uid, "network", "ls", "--format", "{{.Name}}", socket=name)
        assert f"{name}-net" in networks
        assert "bridge" not in networks
        assert f"{name}-data" in ran(front, uid, "volume", "ls", "-q", socket=name)
        assert "busybox" in ran(front, uid, "images", "--format", "{{.Repository}}", socket=name)
    done = front.as_uid(BEN, "-H", f"unix://{front.open}/red.sock", "ps")
    assert done.returncode != 0  # nobody's member there


def test_it_is_on_the_record_how_many_were_hidden(front):
    """With the outcome of the request."""
    ran(front, ANN, "ps")
    wait_for(lambda: front.records("outcome")[-1].get("entries") is not None, 5)
    found = front.records("outcome")[-1]

    assert found["entries"] >= 3
    assert found["hidden"] == found["entries"] - 1


def test_a_change_of_the_policy_counts_for_the_next_answer(front):
    """Without a new connection."""
    rows = (front.policy / "policy.csv").read_text()
    assert ran(front, ANN, "ps", "-q") != []
    (front.policy / "policy.csv").write_text(
        rows + "p, role:member, *, container.inspect, on:own, *, deny\n"
    )
    try:
        assert front.ask("POST", "/reload").status == 200
        assert ran(front, ANN, "ps", "-q") == []
    finally:
        (front.policy / "policy.csv").write_text(rows)
        assert front.ask("POST", "/reload").status == 200


def test_objects_of_a_swarm_are_of_ones_own(front):
    """Services and their tasks, secrets and configs; nodes are everybody's here."""
    front.daemon.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    for uid, name in ((ANN, "ann"), (BEN, "ben")):
        ran(front, uid, "secret", "create", f"{name}-secret", "/etc/hostname")
        ran(front, uid, "config", "create", f"{name}-config", "/etc/hostname")
        words = ("--detach", "--no-resolve-image", "--name", f"{name}-service")
        ran(front, uid, "service", "create", *words, "busybox", "sleep", "900")

    for uid, name in ((ANN, "ann"), (BEN, "ben")):
        for kind in ("secret", "config", "service"):
            shown = ran(front, uid, kind, "ls", "--format", "{{.Name}}")
            assert shown == [f"{name}-{kind}"]
        assert len(ran(front, uid, "node", "ls", "-q")) == 1
        own = ran(front, uid, "service", "ls", "-q")
        assert wait_for(lambda uid=uid: asked(front, uid, "/tasks"), 10)
        tasks = asked(front, uid, "/tasks")
        assert {task["ServiceID"][: len(own[0])] for task in tasks} == set(own)


def asked(front, uid, path):
    """Ask the API as an account."""
    script = (
        "import http.client, socket, sys;"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "c = http.client.HTTPConnection('d'); c.sock = s; c.request('GET', sys.argv[2]);"
        "print(c.getresponse().read().decode())"
    )
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "/usr/bin/python3"]
    done = subprocess.run(
        [*command, "-c", script, str(front.front), path], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
