"""The admin socket: what it tells, and who may make it do something."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType

import aiohttp
import pytest
import uvloop
from aiohttp import web

from authz.admin import server
from authz.admin.server import AdminServer, Answer, Duties, Peer
from authz.errors import AuditUnavailableError
from authz.plugin.socket import listen

NOBODY = 65534
HERE = Peer(os.getpid(), os.getuid(), os.getgid())

CLIENT = """
import os, socket, sys
path, uid = sys.argv[1], int(sys.argv[2])
os.setuid(uid)
for line in ("GET /healthz", "POST /reload"):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        head = f"{line} HTTP/1.1\\r\\nHost: admin\\r\\nConnection: close\\r\\n\\r\\n"
        client.sendall(head.encode())
        while chunk := client.recv(65536):
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.write(bytes(1))
"""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may reload")


class Service:
    """What the socket can be asked for, with a note of what was done."""

    def __init__(self) -> None:
        """Be ready, with nothing done."""
        self.done = []
        self.state = Answer(200, {"status": "ready"})
        self.recording = True

    async def ready(self) -> Answer:
        """Tell the state."""
        return self.state

    def metrics(self) -> bytes:
        """Tell one number."""
        return b"dockgate_decisions_total 1\n"

    async def reload(self) -> Answer:
        """Do what only root may ask for."""
        self.done.append("reload")
        return Answer(200, {"policy": "4b"})

    async def note(self, what: str, peer: Peer, allowed: bool) -> None:  # noqa: FBT001  the contract
        """Write down what was tried."""
        if not self.recording:
            raise AuditUnavailableError("No space left on device")
        self.done.append((what, peer, allowed))

    def duties(self) -> Duties:
        """Return what a server is given."""
        return Duties(self.ready, self.metrics, self.reload, self.note, self)

    async def give(self, asked: Mapping[str, object], peer: Peer) -> Answer:
        """Grant."""
        self.done.append(("give", asked, peer))
        return Answer(201, {"id": "01J"})

    async def listed(self) -> Answer:
        """Tell what is granted."""
        return Answer(200, {"grants": []})

    async def revoke(self, name: str, peer: Peer) -> Answer:
        """End a grant."""
        self.done.append(("revoke", name, peer))
        return Answer(404, {"message": "none"})


@pytest.fixture
def service():
    """Return a service."""
    return Service()


@pytest.fixture
async def admin(tmp_path, service):
    """Return a client of a running admin socket."""
    listening = listen(tmp_path / "admin.sock")
    running = AdminServer(listening.sock, service.duties())
    await running.start()
    connector = aiohttp.UnixConnector(str(listening.path))
    async with aiohttp.ClientSession("http://admin", connector=connector) as client:
        yield client
    await running.close()
    listening.close()


async def test_health_says_that_the_process_lives(admin):
    """It asks nobody."""
    async with admin.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize(
    "state",
    [
        Answer(200, {"status": "ready", "mode": "shadow", "warnings": ["é"]}),
        Answer(503, {"status": "failing"}),
        Answer(200, MappingProxyType({"status": "ready"})),
    ],
)
async def test_readiness_is_what_the_service_says(admin, service, state):
    """Status and document are handed on, as JSON of one object."""
    service.state = state

    async with admin.get("/readyz") as answer:
        told: Mapping[str, object] = await answer.json()
        text = await answer.text()

    assert (answer.status, told) == (state.status, dict(state.document))
    assert text.endswith("}\n")


async def test_metrics_are_text(admin):
    """In the type that Prometheus expects."""
    async with admin.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.text() == "dockgate_decisions_total 1\n"


@root_only
async def test_root_reloads(admin, service):
    """What was tried is written down before it is done."""
    async with admin.post("/reload") as answer:
        assert (answer.status, await answer.json()) == (200, {"policy": "4b"})

    assert service.done == [("POST /reload", HERE, True), "reload"]


@root_only
async def test_what_cannot_be_recorded_is_not_done(admin, service):
    """A full disk stops changes as it stops decisions."""
    service.recording = False

    async with admin.post("/reload") as answer:
        assert (answer.status, await answer.json()) == (
            503,
            {"message": "not done, as it cannot be recorded: No space left on device"},
        )

    assert service.done == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/reload", 405),
        ("PUT", "/reload", 405),
        ("POST", "/readyz", 405),
        ("POST", "/reload/", 404),
        ("POST", "//reload", 404),
        ("GET", "/", 404),
        ("GET", "/../metrics", 404),
    ],
)
async def test_nothing_else_is_served(admin, service, method, path, status):
    """Reading changes nothing, and other paths say nothing."""
    url = aiohttp.client.URL(f"http://admin{path}", encoded=True)

    async with admin.request(method, url) as answer:
        assert answer.status == status

    assert service.done == []


@root_only
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_another_account_may_look_and_not_touch(tmp_path, run):
    """Neither the socket's mode nor root's group make anybody root; both loops tell who he is."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    service = Service()
    listening = listen(tmp_path / "admin.sock")
    listening.path.chmod(0o666)
    status, told = run(_asked_by_nobody(listening, service))
    listening.close()

    assert b"200 OK" in status
    assert b"403 Forbidden" in told
    assert json.loads(told.partition(b"\r\n\r\n")[2]) == {
        "message": f"uid {NOBODY} may not; expected uid 0"
    }
    ((what, peer, allowed),) = service.done
    assert (what, peer.uid, peer.gid, allowed) == ("POST /reload", NOBODY, HERE.gid, False)


async def _asked_by_nobody(listening, service):
    """Let another account ask for health and a reload; return what it was told."""
    running = AdminServer(listening.sock, service.duties())
    await running.start()
    asked = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-B", "-c", CLIENT, str(listening.path), str(NOBODY)],
        capture_output=True,
        check=True,
        timeout=30,
    )
    await running.close()
    return asked.stdout.split(b"\0")[:2]


def test_a_big_uid_is_no_negative_number():
    """The kernel's ids are unsigned (unix(7), struct ucred)."""
    peer = Peer(*server._PEER.unpack(b"\x01\0\0\0" + b"\xfe\xff\xff\xff" * 2))

    assert peer == Peer(1, 4294967294, 4294967294)


def test_a_peer_that_has_gone_is_not_root():
    """Nobody is there to be told, and nothing is done."""

    class Gone:
        transport = None

    with pytest.raises(web.HTTPBadRequest):
        server._peer(Gone())


async def test_closing_ends_the_answers(tmp_path, service):
    """Afterwards nobody is let in."""
    listening = listen(tmp_path / "admin.sock")
    running = AdminServer(listening.sock, service.duties())
    await running.start()

    await running.close()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_unix_connection(listening.path)
    listening.close()


@root_only
async def test_grants_are_given_listed_and_revoked(admin, service):
    """By root, and each wish to change something is noted first."""
    async with admin.post("/grants", json={"subject": "user:alice"}) as answer:
        given = answer.status, await answer.json()
    async with admin.get("/grants") as answer:
        listed = answer.status, await answer.json()
    async with admin.delete("/grants/01J") as answer:
        revoked = answer.status

    assert given == (201, {"id": "01J"})
    assert listed == (200, {"grants": []})
    assert revoked == 404
    assert service.done == [
        ("POST /grants", HERE, True),
        ("give", {"subject": "user:alice"}, HERE),
        ("DELETE /grants/01J", HERE, True),
        ("revoke", "01J", HERE),
    ]


@root_only
@pytest.mark.parametrize("text", ["", "[]", "{", "1"])
async def test_a_wish_that_is_no_object_is_told(admin, service, text):
    """Nobody is asked for it."""
    async with admin.post("/grants", data=text) as answer:
        assert answer.status == 400

    assert len(service.done) == 1


@root_only
async def test_a_wish_in_letters_of_nobody_is_told(admin):
    """It is no defect of ours."""
    headers = {"Content-Type": "application/json; charset=none"}
    async with admin.post("/grants", data="{}", headers=headers) as answer:
        assert answer.status == 400


async def test_who_may_not_be_recorded_changes_nothing(admin, service):
    """A grant without a record is none."""
    service.recording = False
    async with admin.post("/grants", json={}) as one, admin.delete("/grants/x") as other:
        assert (one.status, other.status) == (503, 503)


async def test_others_than_root_grant_nothing(admin, service, monkeypatch):
    """It is noted that they tried."""
    monkeypatch.setattr(server, "ROOT", -1)
    async with admin.post("/grants", json={}) as one, admin.delete("/grants/x") as other:
        assert (one.status, other.status) == (403, 403)

    assert [each[2] for each in service.done] == [False, False]


async def test_a_service_without_grants_has_no_such_page(tmp_path):
    """What is not there is not found."""
    listening = listen(tmp_path / "admin.sock")
    service = Service()
    running = AdminServer(
        listening.sock, Duties(service.ready, service.metrics, service.reload, service.note)
    )
    await running.start()
    connector = aiohttp.UnixConnector(str(listening.path))
    async with (
        aiohttp.ClientSession("http://admin", connector=connector) as client,
        client.get("/grants") as answer,
    ):
        assert answer.status == 404
    await running.close()
    listening.close()
