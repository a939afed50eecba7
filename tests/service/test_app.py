"""Everything put together, run, and taken down again without a trace."""

import asyncio
import json
import os
import signal
import socket
import stat
import threading
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authz.audit.sink import Sink
from authz.errors import ConfigurationError, PolicyError
from authz.facts.known import PROTECTED
from authz.plugin.activation import activated
from authz.service import app
from authz.service.app import ADMIN, PLUGIN, opened, run
from authz.service.sections import (
    Admin,
    Audit,
    DaemonTls,
    Forwarding,
    IdentitySettings,
    Jwt,
    Listen,
    Plugin,
    Proxy,
    Settings,
    SocketFile,
)
from tests.fakes import until
from tests.policies import a_bundle
from tests.sinks.collector import answer, collecting

PING_ROW = "p, *, *, system.ping, on:host, *, allow\n"
PING = {"RequestMethod": "GET", "RequestUri": "/_ping"}


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Return settings whose every file lies in the test's folder."""
    return Settings(
        policy=str(a_bundle(tmp_path / "policy", policy=PING_ROW, people="")),
        daemon=f"unix://{tmp_path}/docker.sock",
        plugin=Plugin(socket=tmp_path / "plugin.sock"),
        audit=Audit(path=str(tmp_path / "audit.jsonl")),
        admin=Admin(address=f"unix://{tmp_path}/admin.sock"),
    )


def changed(settings: Settings, **members: object) -> Settings:
    """Return settings with other members."""
    return settings.model_copy(update=members)


def sockets_in(folder: Path) -> set[str]:
    """Return the names of the sockets in a folder."""
    return {path.name for path in folder.iterdir() if path.is_socket()}


def call(path: Path, method: str, target: str, body: object = None) -> tuple[int, object]:
    """Send one request to a unix socket, and return status and document."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        client = HTTPConnection("localhost")
        client.sock = sock
        client.request(method, target, json.dumps(body) if body is not None else None)
        response = client.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text[:1] in b"{[" else text.decode()


async def serving(settings: Settings, *calls) -> list[tuple[int, object]]:
    """Run the service, make some calls, end it with a signal, and return the answers."""
    with opened(settings) as ground:
        task = asyncio.create_task(run(ground))
        answers = [await asyncio.to_thread(call, *one) for one in calls]
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 10)
    return answers


# --- opening and closing -------------------------------------------------------------------------


def test_everything_is_opened_and_closed_again(settings, tmp_path):
    """Private sockets and a locked file while it runs; nothing but the file behind it."""
    with opened(settings) as ground:
        modes = {stat.S_IMODE(s.path.stat().st_mode) for s in ground.sockets.values()}
        with pytest.raises(ConfigurationError, match="another process is writing"):
            Sink(settings.audit.path)

        assert set(ground.sockets) == {PLUGIN, ADMIN}
        assert modes == {0o600}
    assert sockets_in(tmp_path) == set()
    Sink(settings.audit.path).close()


def test_doors_that_nobody_wants_are_not_opened(settings, tmp_path):
    """The plugin and the admin socket are each left out where they are not configured."""
    with opened(changed(settings, admin=None)) as ground:
        assert (set(ground.sockets), sockets_in(tmp_path)) == ({PLUGIN}, {"plugin.sock"})
    with opened(changed(settings, plugin=None)) as ground:
        assert (set(ground.sockets), sockets_in(tmp_path)) == ({ADMIN}, {"admin.sock"})


def test_others_find_their_socket_beside_one_that_is_ours_alone(settings, tmp_path):
    """A folder that both lie in is one that others may enter."""
    folder = tmp_path / "run"
    theirs = Listen(
        address=f"unix://{folder}/docker.sock", identity=["peer"], socket=SocketFile(mode="0660")
    )
    shared = changed(
        settings,
        proxy=Proxy(listen=[theirs]),
        admin=Admin(address=f"unix://{folder}/admin.sock"),
    )
    with opened(shared):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
        assert stat.S_IMODE((folder / "docker.sock").stat().st_mode) == 0o660
        assert stat.S_IMODE((folder / "admin.sock").stat().st_mode) == 0o600


def test_a_second_socket_that_cannot_be_made_takes_the_first_with_it(settings, tmp_path):
    """Neither a socket nor a lock is left behind."""
    (tmp_path / "admin.sock").write_text("in the way")

    with pytest.raises(ConfigurationError, match="is in the way"), opened(settings):
        pass

    assert sockets_in(tmp_path) == set()
    assert (tmp_path / "admin.sock").read_text() == "in the way"
    Sink(settings.audit.path).close()


def test_a_policy_that_does_not_load_opens_nothing(settings, tmp_path):
    """The policy comes first."""
    (tmp_path / "policy" / "policy.csv").write_text("nonsense\n")

    with pytest.raises(PolicyError), opened(settings):
        pass

    assert {path.name for path in tmp_path.iterdir()} == {"policy"}


def test_an_audit_file_that_cannot_be_opened_opens_no_socket(settings, tmp_path):
    """What cannot be recorded cannot be answered."""
    (tmp_path / "audit.jsonl").mkdir()

    with pytest.raises(ConfigurationError, match="cannot be opened"), opened(settings):
        pass

    assert sockets_in(tmp_path) == set()


def test_sockets_of_systemd_are_taken_over_and_left(settings, tmp_path, monkeypatch):
    """What is not passed is made; what somebody else made he removes."""
    path = tmp_path / "plugin.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as unit:
        unit.bind(str(path))
        unit.listen()
        path.chmod(0o600)
        passed = os.dup(unit.fileno())
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": PLUGIN}
        monkeypatch.setattr(app, "activated", partial(activated, environ=environ, first=passed))
        with opened(settings) as ground:
            assert ground.sockets[PLUGIN].own is None
            assert ground.sockets[ADMIN].own is not None

    assert sockets_in(tmp_path) == {"plugin.sock"}


# --- running -------------------------------------------------------------------------------------


async def test_it_answers_until_a_signal_says_to_end(settings, tmp_path):
    """The daemon and the operator are both answered, and the record is there."""
    with capture_logs() as logs:
        answers = await serving(
            settings,
            (tmp_path / "plugin.sock", "POST", "/AuthZPlugin.AuthZReq", PING),
            (tmp_path / "admin.sock", "GET", "/readyz"),
        )

    (allowed, ready) = answers
    assert allowed == (200, {"Allow": True, "Msg": "", "Err": ""})
    assert ready[0] == 200
    assert ready[1]["status"] == "degraded"
    assert "the daemon cannot be asked" in ready[1]["warnings"][0]
    recorded = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in recorded] == [
        "started",
        "decision",
        "stopped",
        "checkpoint",
    ]
    assert [line["event"] for line in logs] == ["service.started", "service.stopped"]


async def test_each_door_works_alone(settings, tmp_path):
    """An operator without a plugin, and a plugin without an operator."""
    plugin = (tmp_path / "plugin.sock", "POST", "/Plugin.Activate")
    admin = (tmp_path / "admin.sock", "GET", "/healthz")

    assert (await serving(changed(settings, admin=None), plugin))[0][0] == 200
    assert (await serving(changed(settings, plugin=None), admin))[0][0] == 200


async def test_the_manager_hears_of_start_and_stop(settings, tmp_path, monkeypatch):
    """Ready when both doors answer, and stopping before they close."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        await serving(settings, (tmp_path / "admin.sock", "GET", "/healthz"))
        manager.settimeout(5)
        heard = [manager.recv(100)]
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))

    assert [message for message in heard if message != b"WATCHDOG=1"] == [
        b"READY=1",
        b"STOPPING=1",
    ]


async def test_a_hangup_reads_the_policy_again(settings, tmp_path):
    """Without a question going unanswered."""
    with opened(settings) as ground, capture_logs() as logs:
        before = ground.policy.snapshot.digest
        task = asyncio.create_task(run(ground))
        await until(lambda: any(line["event"] == "service.started" for line in logs))
        a_bundle(tmp_path / "policy", policy=f"{PING_ROW}# again: {'x' * 9}\n{PING_ROW}", people="")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: any(line["event"] == "policy.reloaded" for line in logs))
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(task, 10)

    assert ground.policy.snapshot.digest != before


def test_hangups_are_not_piled_up():
    """One more reload is enough for all that were asked for meanwhile."""
    queue: asyncio.Queue[None] = asyncio.Queue(maxsize=1)

    app._put(queue)
    app._put(queue)

    assert queue.qsize() == 1


@pytest.mark.parametrize("door", [PLUGIN, ADMIN])
async def test_a_door_that_does_not_open_ends_everything(settings, door):
    """The other is closed, and nothing of the service goes on."""
    with opened(settings) as ground:
        ground.sockets[door].sock.close()
        with pytest.raises(ExceptionGroup):
            await run(ground)

        await until(lambda: "heartbeat" not in {thread.name for thread in threading.enumerate()})
    assert len(asyncio.all_tasks()) == 1


async def test_a_part_that_fails_ends_everything(settings, tmp_path, monkeypatch):
    """Both doors are closed: a service with half of its parts is none."""

    async def broken(_operator):
        raise ZeroDivisionError

    monkeypatch.setattr(app.Operator, "watch_engine", broken)
    with opened(settings) as ground:
        with pytest.raises(ExceptionGroup):
            await run(ground)
        with pytest.raises(ConnectionRefusedError):
            call(tmp_path / "plugin.sock", "POST", "/Plugin.Activate")


# --- what no container may reach -----------------------------------------------------------------


def test_our_own_places_are_protected(settings, tmp_path):
    """Sockets, audit, policy and key: whoever writes there need not ask any more."""
    places = app._protected(changed(settings, pass_key=tmp_path / "key"))

    assert places[: len(PROTECTED)] == PROTECTED
    assert {path.removeprefix(f"{tmp_path}") for path in places[len(PROTECTED) :]} == {
        "/plugin.sock",
        "/admin.sock",
        "/docker.sock",
        "",
        "/key",
        "/policy",
    }


def test_keys_of_others_are_protected(settings):
    """With the one we are the daemon's master, with the others anybody whom tokens name."""
    jwt = Jwt(issuer="https://i.example", audience="a", jwks="/keys.json", algorithms=["ES256"])
    places = app._protected(
        changed(
            settings,
            daemon_tls=DaemonTls(ca="/ca.pem", certificate="/cert.pem", key="/key.pem"),
            identity=IdentitySettings(jwt=jwt),
        )
    )
    remote = jwt.model_copy(update={"jwks": "https://i.example/keys"})

    assert {"/ca.pem", "/cert.pem", "/key.pem", "/keys.json"} <= set(places)
    assert len(app._protected(changed(settings, identity=IdentitySettings(jwt=remote)))) == len(
        app._protected(settings)
    )


def test_what_has_no_place_is_not_protected(settings):
    """A shipped policy, standard output, and doors that are not open."""
    lean = changed(
        settings, policy="builtin:developer", audit=Audit(path="-"), admin=None, plugin=None
    )

    assert app._protected(lean)[len(PROTECTED) :] == (str(settings.daemon).removeprefix("unix://"),)


def test_places_are_protected_as_the_daemon_names_them(settings, tmp_path):
    """What is seen below a folder of ours is not called so on the host."""
    elsewhere = changed(settings, host_root=tmp_path, daemon=f"unix://{tmp_path}/run/docker.sock")

    assert "/run/docker.sock" in app._protected(elsewhere)
    assert str(tmp_path / "run" / "docker.sock") not in app._protected(elsewhere)


async def test_who_reads_metrics_sees_what_a_collector_throws_away(settings, tmp_path):
    """And readyz warns of it: the position has moved on."""
    partial_success = b'{"partialSuccess":{"rejectedLogRecords":1}}'
    with collecting() as collector, capture_logs() as logs:
        collector.script = [answer("200 OK", partial_success)]
        to = Forwarding(to=f"otlp+http://127.0.0.1:{collector.port}/v1/logs")
        audit = settings.audit.model_copy(update={"forward": [to]})
        with opened(changed(settings, audit=audit)) as ground:
            task = asyncio.create_task(run(ground))
            await until(lambda: any(log["event"] == "audit.lines_rejected" for log in logs))
            await until(lambda: ground.kept.followers[0].rejected)
            found = [
                (await asyncio.to_thread(call, tmp_path / "admin.sock", "GET", target))[1]
                for target in ("/readyz", "/metrics")
            ]
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(task, 10)

    assert (
        f"{to.to} threw 1 records away that it was sent; the log says why" in found[0]["warnings"]
    )
    assert f'dockgate_audit_rejected{{sink="{to.to}"}} 1.0' in found[1].splitlines()
