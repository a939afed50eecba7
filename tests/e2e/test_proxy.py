"""The front proxy before a real daemon: nobody notices it, and everybody has a name."""

import fcntl
import hashlib
import io
import json
import os
import select
import struct
import tarfile
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Certificates, Daemons
from tests.e2e.daemon import Dockerd
from tests.e2e.proxy import STRANGER, WAYS, Front
from tests.e2e.sandbox import DaemonError, wait_for

COMPOSE = """
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo up; exec sleep 900"]
    init: true
    stop_grace_period: 0s
    volumes: ["content:/content"]
volumes:
  content: {}
"""
MEGABYTES = bytes(range(256)) * 12_288
"""Three of them."""


@pytest.fixture(scope="module")
def front(module_daemons: Daemons, certificates: Certificates) -> Iterator[Front]:
    """Run a daemon, and the proxy before it."""
    daemon = module_daemons()
    daemon.start()
    daemon.docker("run", "-d", "--init", "--name", "sleeper", "busybox", "sleep", "900")
    front = Front(daemon, certificates)
    with front:
        yield front


@pytest.fixture(scope="module")
def daemon(front: Front) -> Dockerd:
    """Return the daemon behind it."""
    return front.daemon


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way to the proxy in turn."""
    found: str = request.param
    return found


def test_a_container_runs(front, way):
    """Its output and its exit status arrive."""
    assert front.docker(way, "run", "--rm", "busybox", "echo", "hi").stdout == "hi\n"
    done = front.docker(way, "run", "--rm", "busybox", "sh", "-c", "exit 7", check=False)
    assert done.returncode == 7


def test_what_is_typed_arrives(front, way):
    """`echo hi | docker run -i`: the end of the input is passed on, the output is not lost."""
    for _ in range(3):
        done = front.docker(way, "run", "--rm", "-i", "busybox", "cat", stdin=b"hi\n")
        assert done.stdout == "hi\n"


def test_three_megabytes_go_both_ways(front, way):
    """Through an exec, byte by byte the same."""
    count = "md5sum; cat /dev/zero | head -c 3145728 | md5sum"
    done = front.docker(way, "exec", "-i", "sleeper", "sh", "-c", count, stdin=MEGABYTES)
    zeros = hashlib.md5(bytes(3_145_728), usedforsecurity=False).hexdigest()
    sent = hashlib.md5(MEGABYTES, usedforsecurity=False).hexdigest()
    assert [line.split()[0] for line in done.stdout.splitlines()] == [sent, zeros]

    text = b"0123456789abcde\n" * 196_608
    back = front.docker(way, "exec", "-i", "sleeper", "cat", stdin=text)
    assert back.stdout.encode() == text


def test_exit_statuses_of_an_exec_arrive(front, way):
    """With and without a terminal to detach from."""
    assert front.docker(way, "exec", "sleeper", "false", check=False).returncode == 1
    front.docker(way, "exec", "-d", "sleeper", "touch", f"/root/{way}")
    assert wait_for(
        lambda: (
            front.docker("direct", "exec", "sleeper", "ls", f"/root/{way}", check=False).returncode
            == 0
        ),
        5,
    )


def read_until(terminal: int, text: bytes, seconds: float = 10) -> bytes:
    """Read from a terminal until something was printed; raises TimeoutError."""
    found = b""
    until = time.monotonic() + seconds
    while text not in found:
        if not select.select([terminal], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError(found)
        found += os.read(terminal, 4096)
    return found


def test_a_terminal_has_a_size_and_can_be_left(front, way):
    """`run -it`: the size arrives and follows, keys go in, detach keys end the client alone."""
    name = f"terminal-{way}"
    script = "sleep 0.5; stty size; while read -r line; do echo got-$line; stty size; done"
    words = ("run", "-it", "--name", name, "busybox", "sh", "-c", script)
    terminal, process = front.at_terminal(way, *words, size=(31, 97))
    try:
        read_until(terminal, b"31 97")
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 42, 80, 0, 0))
        time.sleep(0.5)  # for the signal and the resize
        os.write(terminal, b"typed\n")
        shown = read_until(terminal, b"42 80")
        assert b"got-typed" in shown
        os.write(terminal, b"\x10\x11")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    running = front.docker(way, "inspect", "-f", "{{.State.Running}}", name).stdout
    front.docker(way, "rm", "-f", name)
    assert running == "true\n"


def test_an_attach_ends_with_its_container(front, way):
    """The rest of the output arrives."""
    name = f"attached-{way}"
    script = "sleep 2; seq 1 2000"
    front.docker(way, "run", "-d", "--name", name, "busybox", "sh", "-c", script)
    done = front.docker(way, "attach", "--no-stdin", name)
    assert done.stdout == "".join(f"{n}\n" for n in range(1, 2001))
    front.docker(way, "rm", name)


def test_logs_are_followed(front, way):
    """To the end of the container; the same as direct."""
    name = f"logged-{way}"
    script = "for i in 1 2 3; do echo $i; sleep 0.2; done"
    front.docker(way, "run", "-d", "--name", name, "busybox", "sh", "-c", script)
    followed = front.docker(way, "logs", "-f", name).stdout
    assert followed == "1\n2\n3\n"
    assert front.docker("direct", "logs", name).stdout == followed
    front.docker(way, "rm", name)


def test_events_and_stats_flow(front, way):
    """As they happen, not when the stream ends."""
    found: list[str] = []

    def watch() -> None:
        until = str(int(time.time()) + 3)
        words = (
            "events",
            "--until",
            until,
            "--filter",
            "type=container",
            "--format",
            "{{.Action}}",
        )
        found.append(front.docker(way, *words).stdout)

    watching = threading.Thread(target=watch)
    watching.start()
    time.sleep(0.5)
    front.docker(way, "run", "--rm", "busybox", "true")
    watching.join()
    assert {"create", "start", "die", "destroy"} <= set(found[0].split())
    assert "sleeper" in front.docker(way, "stats", "--no-stream", "sleeper").stdout


def test_files_are_copied_both_ways(front, way, tmp_path):
    """Byte by byte the same."""
    source, back = tmp_path / "a", tmp_path / "b"
    source.write_bytes(MEGABYTES)
    front.docker(way, "cp", source, f"sleeper:/tmp/{way}")
    front.docker(way, "cp", f"sleeper:/tmp/{way}", back)
    assert back.read_bytes() == MEGABYTES


def test_images_are_saved_and_loaded(front, way, tmp_path):
    """An archive of the proxy has the layers of a direct one, and can be loaded through it."""
    through, direct = tmp_path / "a.tar", tmp_path / "b.tar"
    front.docker(way, "save", "-o", through, "busybox")
    front.docker("direct", "save", "-o", direct, "busybox")
    assert members(through.read_bytes()) == members(direct.read_bytes())
    assert "Loaded image" in front.docker(way, "load", "-i", through).stdout
    piped = front.docker(way, "load", stdin=through.read_bytes())
    assert "Loaded image" in piped.stdout


def members(archive: bytes) -> dict[str, str]:
    """Return the digests of an archive's files."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            entry.name: hashlib.sha256(tar.extractfile(entry).read()).hexdigest()
            for entry in tar
            if entry.isfile()
        }


def test_compose_goes_up_and_down(front, way, tmp_path):
    """With network, volume, exec and logs."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    front.docker(way, "compose", "up", "-d", cwd=tmp_path)
    done = front.docker(way, "compose", "exec", "-T", "web", "echo", "x", cwd=tmp_path)
    assert done.stdout == "x\n"
    assert "up" in front.docker(way, "compose", "logs", cwd=tmp_path).stdout
    front.docker(way, "compose", "down", "-v", cwd=tmp_path)
    project = "label=com.docker.compose.project"
    assert front.docker(way, "ps", "-aq", "--filter", project).stdout == ""


def test_a_classic_build_works(front, way, tmp_path):
    """The context streams, the output streams back."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY data /data\nRUN md5sum /data > /sum\n")
    (tmp_path / "data").write_bytes(MEGABYTES)
    environment = {**front.way(way), "DOCKER_BUILDKIT": "0"}
    front.daemon.docker("build", "-t", f"made-{way}", ".", cwd=tmp_path, env=environment)
    sent = hashlib.md5(MEGABYTES, usedforsecurity=False).hexdigest()
    done = front.docker(way, "run", "--rm", f"made-{way}", "cat", "/sum")
    assert done.stdout.split()[0] == sent


def test_buildx_works(front, way, tmp_path):
    """Over /session and /grpc, which the admin bundle grants as a whole."""
    if way == "jwt":
        pytest.skip("buildx sends no HttpHeaders, not even with its ping")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY data /data\nRUN echo built > /made\n")
    (tmp_path / "data").write_bytes(MEGABYTES)
    front.docker(way, "buildx", "build", "-t", f"bx-{way}", ".", cwd=tmp_path)
    assert front.docker(way, "run", "--rm", f"bx-{way}", "cat", "/made").stdout == "built\n"


def test_what_is_shown_is_what_is_shown_direct(front, way):
    """Lists, inspections, versions: the same text."""
    for words in (
        "inspect sleeper",
        # By its id an image is shown with the annotations of the first of its names.
        "image inspect --format {{.Id}}{{.RepoTags}}{{.Created}}{{.Config}}{{.RootFS}} busybox",
        "version --format {{.Server}}",
        "network inspect bridge",
        "top sleeper -o pid,args",
        "diff sleeper",
        "history --human=false busybox",
        "images --digests --no-trunc --quiet",
        "volume ls",
        "port sleeper",
    ):
        direct = front.docker("direct", *words.split()).stdout
        through = front.docker(way, *words.split()).stdout
        # The daemon lists changes in any order.
        assert sorted(through.splitlines()) == sorted(direct.splitlines()), words


def test_errors_are_the_daemons(front, way):
    """With its text and status."""
    for words in (
        "inspect absent",
        "start absent",
        "attach absent",
        "exec absent true",
        "rm absent",
    ):
        direct = front.docker("direct", *words.split(), check=False)
        through = front.docker(way, *words.split(), check=False)
        assert (through.returncode, through.stderr) == (direct.returncode, direct.stderr)


def test_names_become_ids(front):
    """A container that leans on another leans on the one that was judged, whoever is called so."""
    sleeper = inspected(front, "sleeper", "{{.Id}}")
    shared = [f"--{kind}=container:sleeper" for kind in ("pid", "network")]
    words = ["-d", "--init", "--name", "leaning", "--volumes-from", "sleeper:ro", *shared]
    front.docker("unix", "run", *words, "busybox", "sleep", "900")
    try:
        host = json.loads(inspected(front, "leaning", "{{json .HostConfig}}"))
        assert host["PidMode"] == host["NetworkMode"] == f"container:{sleeper}"
        assert host["VolumesFrom"] == [f"{sleeper}:ro"]
        assert "sleep" in front.docker("unix", "exec", "leaning", "ps").stdout
    finally:
        front.docker("unix", "rm", "-f", "leaning")


def test_networks_images_and_containers_do_the_same_by_id(front):
    """Connect, disconnect, rename, commit, tag: what they leave behind has the names given."""
    front.docker("unix", "network", "create", "pinned")
    front.docker("unix", "create", "--name", "before", "busybox", "true")
    try:
        front.docker("unix", "network", "connect", "--alias", "x", "pinned", "before")
        joined = json.loads(inspected(front, "before", "{{json .NetworkSettings.Networks}}"))
        assert sorted(joined) == ["bridge", "pinned"]
        front.docker("unix", "network", "disconnect", "pinned", "before")
        joined = json.loads(inspected(front, "before", "{{json .NetworkSettings.Networks}}"))
        assert sorted(joined) == ["bridge"]
        front.docker("unix", "rename", "before", "after")
        assert inspected(front, "after", "{{.Name}}") == "/after"
        front.docker("unix", "commit", "after", "committed:1")
        front.docker("unix", "tag", "committed:1", "tagged:2")
        assert inspected(front, "tagged:2", "{{.Id}}") == inspected(front, "committed:1", "{{.Id}}")
        front.docker("unix", "rmi", "tagged:2")
        assert inspected(front, "committed:1", "{{json .RepoTags}}") == '["committed:1"]'
    finally:
        front.docker("direct", "rm", "-f", "after", "before", check=False)
        front.docker("direct", "rmi", "committed:1", check=False)
        front.docker("unix", "network", "rm", "pinned")


def inspected(front: Front, name: str, form: str) -> str:
    """Return what the daemon itself says."""
    return front.docker("direct", "inspect", "-f", form, name).stdout.strip()


def test_everybody_is_recorded(front):
    """Who, and by which proof."""
    for way, subject, proof in (
        ("unix", "user:root", "peer"),
        ("certificate", "cert:alice", "certificate"),
        ("jwt", "token:alice", "jwt"),
    ):
        front.docker(way, "volume", "ls")
        record = front.records()[-1]
        assert record["door"] == "proxy"
        assert (record["identity"]["subject"], record["identity"]["proof"]) == (subject, proof)


def test_two_accounts_get_different_answers(front):
    """From their uid alone."""
    mine = front.as_uid(0, "ps", "--format", "{{.Names}}")
    other = front.as_uid(STRANGER, "ps")

    assert "sleeper" in mine.stdout
    assert other.returncode != 0
    assert f"for user:#{STRANGER}" in other.stderr
    refused = front.denied()[-1]["identity"]
    assert (refused["uid"], refused["gid"]) == (STRANGER, STRANGER)
    assert refused["pid"]


def test_a_credential_that_does_not_hold_is_401(front, tmp_path):
    """A token of nobody, none at all, and no certificate."""
    client = dict(front.way("jwt"))
    said = json.loads((front._clients["jwt"] / "config.json").read_text())
    for headers in ({"Authorization": "Bearer " + front.token(aud="other")}, {}):
        (tmp_path / "config.json").write_text(json.dumps(said | {"HttpHeaders": headers}))
        environment = client | {"DOCKER_CONFIG": str(tmp_path)}
        done = front.daemon.docker("ps", check=False, env=environment)
        assert done.returncode != 0
        assert "dockgate: refused: " in done.stderr
    without = dict(front.way("certificate")) | {"DOCKER_CERT_PATH": str(front._clients["jwt"])}
    assert front.daemon.docker("ps", check=False, env=without).returncode != 0


def test_a_killed_client_leaves_nothing(front, way):
    """The daemon sees the end of its stream; the next client is served."""
    with pytest.raises(DaemonError, match="still runs"):
        front.docker(way, "logs", "-f", "sleeper", timeout=1)
    assert front.docker(way, "ps", "-q").stdout
    assert wait_for(lambda: "dockgate_proxy_connections 0.0" in metrics(front), 20)


def metrics(front: Front) -> str:
    """Return what is counted."""
    return front.ask("GET", "/metrics").body.decode()


def test_the_proxy_stops_cleanly(front, way):
    """In the middle of a stream, and starts again."""
    following = threading.Thread(
        target=lambda: front.docker(way, "logs", "-f", "sleeper", check=False)
    )
    following.start()
    time.sleep(0.5)
    assert front.stop() == 0
    following.join(10)
    assert not following.is_alive()
    front.start()
    assert front.docker(way, "ps", "-q").stdout


def test_a_reload_cuts_what_may_go_on_no_longer(front):
    """A followed log of somebody whose rights were taken away ends; that of others goes on."""
    people = front.policy / "people.csv"
    before = people.read_text()
    ends: dict[str, float] = {}

    def follow(way: str) -> None:
        front.docker(way, "logs", "-f", "sleeper", check=False, timeout=20)
        ends[way] = time.monotonic()

    following = threading.Thread(target=follow, args=("certificate",))
    staying = threading.Thread(target=follow, args=("jwt",))
    following.start()
    staying.start()
    time.sleep(0.5)
    began = time.monotonic()
    try:
        people.write_text(before.replace("g, cert:alice, role:admin, *\n", ""))
        assert front.ask("POST", "/reload").status == 200
        following.join(12)
        assert ends["certificate"] - began < 10
        assert "jwt" not in ends
        assert front.denied()[-1]["identity"]["subject"] == "cert:alice"
    finally:
        people.write_text(before)
        assert front.ask("POST", "/reload").status == 200
    front.daemon.docker("restart", "-t", "0", "sleeper")
    staying.join(15)
    assert not staying.is_alive()


def test_images_can_be_pinned(daemons, certificates):
    """A tag that moves between the look-up and the create changes nothing."""
    daemon = daemons()
    daemon.start()
    front = Front(daemon, certificates)
    settings = front.settings.read_text()
    front.settings.write_text(settings + "[proxy]\npin_images = true\n")
    with front:
        front.docker("unix", "create", "--name", "made", "busybox", "true")
        image = inspected(front, "busybox", "{{.Id}}")
        assert inspected(front, "made", "{{.Config.Image}}") == image
        absent = front.docker("unix", "create", "localhost:1/absent", check=False)
        assert "absent" in absent.stderr


def test_what_is_created_says_whose_it_is(daemons, certificates):
    """Where that is wanted; a commit carries the labels, and the next create writes over them."""
    daemon = daemons()
    daemon.start()
    front = Front(daemon, certificates)
    settings = front.settings.read_text()
    front.settings.write_text(settings + "[proxy]\nowner_labels = true\n")
    owner = '{{index .%sLabels "dockgate.owner"}}'
    with front:
        front.docker("certificate", "create", "--name", "hers", "busybox", "true")
        front.docker("certificate", "volume", "create", "data")
        front.docker("certificate", "network", "create", "back")
        front.docker("certificate", "commit", "hers", "saved")
        front.docker("jwt", "create", "--name", "again", "saved", "true")
        found = [
            inspected(front, name, owner % place)
            for name, place in (("hers", "Config."), ("data", ""), ("back", ""))
        ]
        assert found == ["cert:alice"] * 3
        assert inspected(front, "again", owner % "Config.") == "token:alice"
        own = front.docker("unix", "create", "--label", "dockgate.owner=x", "busybox", check=False)
        assert "label" in own.stderr


def test_a_swarms_objects_do_the_same_by_id(daemons, certificates):
    """Services, secrets, configs, nodes, and a network that a container joins."""
    daemon = daemons()
    daemon.start()
    front = Front(daemon, certificates)
    with front:
        front.docker("unix", "swarm", "init", "--advertise-addr", "127.0.0.1")
        node = front.docker("direct", "node", "ls", "-q").stdout.strip()
        front.docker("unix", "secret", "create", "hidden", "-", stdin=b"x")
        front.docker("unix", "config", "create", "shown", "-", stdin=b"x")
        front.docker("unix", "network", "create", "-d", "overlay", "--attachable", "wide")
        given = ("--secret", "hidden", "--config", "shown", "--network", "wide")
        words = ("-d", "--name", "api", *given, "busybox", "sleep", "900")
        front.docker("unix", "service", "create", *words)
        front.docker("unix", "service", "update", "-d", "--label-add", "a=b", "api")
        labels = inspected(front, "api", "{{json .Spec.Labels}}")
        assert json.loads(labels) == {"a": "b"}
        # The swarm describes its node anew meanwhile; then the version is an old one.
        words = ("node", "update", "--label-add", "c=d", node)
        assert wait_for(lambda: not front.docker("unix", *words, check=False).returncode, 10)
        front.docker("unix", "create", "--name", "joiner", "busybox", "true")
        front.docker("unix", "network", "connect", "wide", "joiner")
        joined = json.loads(inspected(front, "joiner", "{{json .NetworkSettings.Networks}}"))
        assert sorted(joined) == ["bridge", "wide"]
        for kind, name in (("service", "api"), ("secret", "hidden"), ("config", "shown")):
            shown = front.docker("unix", kind, "inspect", "-f", "{{.Spec.Name}}", name)
            assert shown.stdout == f"{name}\n"
            front.docker("unix", kind, "rm", name)


def test_both_doors_at_once(daemons, certificates, tmp_path):
    """What the proxy judged carries a pass; whoever goes around it is nobody to the plugin."""
    daemon = daemons(["dockgate"])
    front = Front(daemon, certificates, with_plugin=True)
    with front:
        daemon.start()
        done = front.docker("unix", "run", "--rm", "-i", "busybox", "cat", stdin=b"hi\n")
        assert done.stdout == "hi\n"
        (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /made\n")
        environment = {**front.way("unix"), "DOCKER_BUILDKIT": "0"}
        daemon.docker("build", "-t", "made", ".", cwd=tmp_path, env=environment)
        around = front.docker("direct", "run", "--rm", "busybox", "true", check=False)
        assert "for user:anonymous" in around.stderr
        forged = {"Dockgate-Pass": "18c0-00.00"}
        assert daemon.api("GET", "/info", headers=forged).status == 403
        doors = {record["door"] for record in front.records() if record["verdict"] == "allow"}
        assert "proxy" in doors
