"""The plugin's socket: what the daemon says, and what anybody else could."""

import asyncio
import base64
import contextlib
import gzip
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs

from authz.audit.chain import Kind
from authz.errors import Reason
from authz.facts.questions import Question, Topic
from authz.identity.chain import anonymous
from authz.lookups.lookup_pass import KEY_BYTES, Passes
from authz.plugin import connection as connection_module
from authz.plugin import server as server_module
from authz.plugin.connection import MEDIA_TYPE
from authz.plugin.protocol import MAX_BODY, message_limit
from authz.plugin.server import ACTIVATE, REQUEST, RESPONSE, PluginServer
from authz.plugin.socket import listen
from authz.policy.current import CurrentPolicy
from authz.runner import Parts, Runner
from authz.shipped import shipped
from tests.builders import DAEMON
from tests.fakes import ScriptedLookups, ScriptedSink, wait_for

PING = {"RequestMethod": "GET", "RequestUri": "/_ping"}
NOBODY = 65534
QUICK = 0.3
"""Seconds for a document to arrive, in tests that wait for that."""


@dataclass
class Served:
    """A plugin server in a thread of its own, on the loop that the service uses."""

    path: Path
    policy: CurrentPolicy
    lookups: ScriptedLookups = field(default_factory=ScriptedLookups)
    sink: ScriptedSink = field(default_factory=ScriptedSink)
    passes: Passes = field(default_factory=lambda: Passes(b"k" * KEY_BYTES))

    def start(self) -> None:
        """Serve, and return when the socket answers."""
        self._listening = listen(self.path)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Close, and return when it has closed."""
        self.ask_to_stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._listening.close()

    def ask_to_stop(self) -> None:
        """Let it begin to close."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        runner = Runner(Parts((anonymous,), self.policy, self.lookups, self.passes, self.sink))
        server = PluginServer(self._listening.sock, runner, max_body=MAX_BODY)
        await server.start()
        self._ready.set()
        await self._stopped.wait()
        await server.close()
        runner.close()

    # --- the daemon's side -----------------------------------------------------------------------

    def connect(self) -> socket.socket:
        """Open a connection."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10)
        try:
            sock.connect(str(self.path))
        except OSError:
            sock.close()
            raise
        return sock

    def ask(self, document: object, path: str = REQUEST) -> dict[str, object]:
        """Put one question on a connection of its own, and return the plugin's answer."""
        with self.connect() as sock:
            return decoded(exchange(sock, path, document))

    def says(self, written: bytes) -> tuple[int, bytes]:
        """Send bytes, and return status and body of the answer."""
        with self.connect() as sock:
            sock.sendall(written)
            return answer_on(sock)

    def is_well(self) -> bool:
        """Say whether a good call is answered."""
        return self.ask(PING)["Allow"] is True


def call(path: str, body: bytes, *, head: str = "") -> bytes:
    """Return a call as an old daemon writes it: an empty Host, no Content-Type."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\n"
        f"Content-Length: {len(body)}\r\n{head}"
        f"Accept: {MEDIA_TYPE}\r\n\r\n"
    ).encode() + body


def answer_on(sock: socket.socket) -> tuple[int, bytes]:
    """Read one answer of a connection."""
    response = http.client.HTTPResponse(sock, method="POST")
    response.begin()
    return response.status, response.read()


def exchange(sock: socket.socket, path: str, document: object) -> tuple[int, bytes]:
    """Put one question on a connection, and return status and body."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    sock.sendall(call(path, body))
    return answer_on(sock)


def decoded(answer: tuple[int, bytes]) -> dict[str, object]:
    """Return the document of an answer with status 200."""
    status, body = answer
    assert status == 200
    found: dict[str, object] = json.loads(body)
    return found


def ends(sock: socket.socket) -> bool:
    """Say whether the other side has closed a connection."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def a_question(
    method: str = "POST",
    target: str = "/v1.45/containers/create",
    body: object = None,
    **headers: str,
) -> dict[str, object]:
    """Return an AuthZReq as the daemon fills it in for a request with this body."""
    question: dict[str, object] = {"RequestMethod": method, "RequestUri": target}
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        question["RequestBody"] = base64.b64encode(text).decode()
        written = {"Content-Type": "application/json", "Content-Length": str(len(text)), **written}
    return question | {"RequestHeaders": written}


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> CurrentPolicy:
    """Load the developer bundle, in which everybody is a developer."""
    folder = tmp_path_factory.mktemp("developer")
    for name in ("bundle.toml", "model.conf", "policy.csv", "people.csv"):
        (folder / name).write_bytes(shipped("policies", "developer", name).read_bytes())
    with (folder / "people.csv").open("a") as file:
        file.write("g, user:anonymous, role:developer, *\n")
    return CurrentPolicy(str(folder))


@pytest.fixture
def plugin(tmp_path, policy) -> Iterator[Served]:
    """Serve during a test."""
    served = Served(tmp_path / "dockgate.sock", policy)
    served.start()
    yield served
    served.sink.go.set()
    served.stop()


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Let documents arrive quickly or not at all."""
    monkeypatch.setattr(connection_module, "READING_TIME", QUICK)


# --- the protocol as the daemon speaks it --------------------------------------------------------


def test_it_activates_without_a_body(plugin):
    """Content-Length 0, an empty Host and no Content-Type are what the daemon sends."""
    with plugin.connect() as sock:
        status, body = exchange(sock, ACTIVATE, b"")

    assert (status, json.loads(body)) == (200, {"Implements": ["authz"]})


def test_the_answer_names_the_media_type_of_plugins(plugin):
    """As Docker's own plugins answer."""
    with plugin.connect() as sock:
        sock.sendall(call(ACTIVATE, b""))
        response = http.client.HTTPResponse(sock, method="POST")
        response.begin()

        assert response.getheader("Content-Type") == MEDIA_TYPE


def test_an_ordinary_create_is_allowed(plugin):
    """And what is allowed goes without a word."""
    assert plugin.ask(a_question(body={"Image": "nginx"})) == {"Allow": True, "Msg": "", "Err": ""}


def test_a_denial_says_why(plugin):
    """Err stays empty: the daemon would ignore it."""
    answer = plugin.ask(a_question(body={"Image": "nginx", "HostConfig": {"Privileged": True}}))

    assert (answer["Allow"], answer["Err"]) == (False, "")
    assert "no-privileged" in str(answer["Msg"])
    assert str(answer["Msg"]).endswith(plugin.sink.records[0].id)


def test_the_message_is_short_and_prints_nothing_odd(plugin):
    """Whatever a client writes, one line of at most 1 KiB reaches the terminal."""
    source = "/srv/\x1b[31m\u202e\n" + "ü" * 2000

    answer = plugin.ask(a_question(body={"Image": "n", "HostConfig": {"Binds": [f"{source}:/x"]}}))

    message = str(answer["Msg"])
    assert len(message.encode()) <= 1024
    assert message.isprintable()
    assert message.endswith(plugin.sink.records[0].id)


def test_many_calls_on_one_connection(plugin):
    """The daemon keeps its connections."""
    with plugin.connect() as sock:
        for _ in range(20):
            assert decoded(exchange(sock, REQUEST, PING))["Allow"] is True
            assert decoded(exchange(sock, RESPONSE, PING))["Allow"] is True


def test_calls_on_connections_side_by_side(plugin):
    """One that waits holds up no other."""
    plugin.sink.blocking = True
    plugin.sink.go.clear()
    with plugin.connect() as slow, plugin.connect() as quick:
        slow.sendall(call(REQUEST, json.dumps(PING).encode()))
        activated = exchange(quick, ACTIVATE, b"")
        plugin.sink.go.set()

        assert activated[0] == 200
        assert decoded(answer_on(slow))["Allow"] is True


def test_an_idle_connection_is_kept(plugin):
    """Whatever aiohttp would do after a while: a closed one costs the daemon a denied request."""
    with plugin.connect() as sock:
        first = exchange(sock, REQUEST, PING)
        sock.settimeout(1.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(10)

        assert exchange(sock, REQUEST, PING) == first


async def test_nothing_closes_an_idle_connection(tmp_path, policy):
    """A connection has no timer, before and after a call."""
    listening = listen(tmp_path / "a.sock")
    runner = Runner(
        Parts((anonymous,), policy, ScriptedLookups(), Passes(b"k" * 32), ScriptedSink())
    )
    server = PluginServer(listening.sock, runner, max_body=MAX_BODY)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(listening.path))
    written = call(ACTIVATE, b"")
    timers = []
    for piece in (written, written[:50], written[50:]):
        writer.write(piece)
        await asyncio.sleep(0.05)
        (connection,) = server._peers
        timers.append(connection._timer is not None)
    writer.close()
    await server.close()
    runner.close()
    listening.close()

    assert timers == [False, True, False]
    assert (await reader.read()).count(b"authz") == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", json.dumps({"ResponseStatusCode": 500}).encode(), b"x" * 10_000_000],
    ids=["empty", "garbage", "failed", "10MB"],
)
def test_what_was_done_is_always_allowed(plugin, body):
    """A denial would only hide it; and the connection goes on."""
    with plugin.connect() as sock:
        assert decoded(exchange(sock, RESPONSE, body)) == {"Allow": True, "Msg": "", "Err": ""}
        assert decoded(exchange(sock, REQUEST, PING))["Allow"] is True
    assert len(plugin.sink.records) == 1


@pytest.mark.usefixtures("impatient")
def test_half_a_response_is_allowed_and_its_connection_closed(plugin):
    """What would follow might be taken for another call."""
    with plugin.connect() as sock:
        sock.sendall(call(RESPONSE, b"12345")[:-1])

        assert decoded(answer_on(sock))["Allow"] is True
        assert ends(sock)


def test_a_lookup_of_our_own_comes_back_in(plugin):
    """With its pass, and once."""
    question = a_question("GET", "/info", Dockgate_Pass=plugin.passes.issue("GET", "/info"))

    assert plugin.ask(question)["Allow"] is True
    assert plugin.ask(question)["Allow"] is False
    assert [record.reason for record in plugin.sink.records] == [Reason.BAD_CREDENTIAL]


# --- what nobody should send ---------------------------------------------------------------------


DEEP = b'{"RequestMethod":' + b"[" * 100_000
MALFORMED = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"RequestMethod":"\xff"}',
    "a list": b"[]",
    "null": b"null",
    "too deep": DEEP,
    "no method": b'{"RequestUri":"/_ping"}',
    "no target": b'{"RequestMethod":"GET"}',
    "a number for a method": b'{"RequestMethod":1,"RequestUri":"/_ping"}',
    "a member twice": b'{"RequestMethod":"GET","RequestMethod":"GET","RequestUri":"/_ping"}',
    "bad base64": json.dumps(a_question() | {"RequestBody": "%%%"}).encode(),
    "two documents": json.dumps(PING).encode() * 2,
    "10 MB": b"x" * 10_000_000,
    "10 MB of JSON": json.dumps(PING | {"User": "x" * 10_000_000}).encode(),
    "a byte too many": b" " * (message_limit(MAX_BODY) + 1),
}


@pytest.mark.parametrize("document", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_document_is_refused(plugin, document):
    """With a message and a record; and the same connection is good for the next call."""
    with plugin.connect() as sock:
        refused = decoded(exchange(sock, REQUEST, document))
        allowed = decoded(exchange(sock, REQUEST, PING))

    assert refused["Allow"] is False
    assert str(refused["Msg"]).startswith("dockgate: refused: plugin message ")
    assert plugin.sink.records[0].reason in {Reason.UNREADABLE_REQUEST, Reason.BODY_TOO_LARGE}
    assert allowed["Allow"] is True


def test_a_document_without_end_is_not_read_for_ever(plugin, monkeypatch):
    """Above so many bytes nothing is read any more."""
    monkeypatch.setattr(connection_module, "DRAINED", 1_000_000)
    monkeypatch.setattr(connection_module, "READING_TIME", 5.0)

    with plugin.connect() as sock:
        sock.sendall(call(REQUEST, b"x" * 1_500_000))
        refused = decoded(answer_on(sock))

    assert refused["Allow"] is False
    assert plugin.sink.records[0].reason is Reason.BODY_TOO_LARGE
    assert plugin.is_well()


@pytest.mark.usefixtures("impatient")
def test_half_a_document_is_refused_in_time(plugin):
    """408 within the reading time, and the connection closes."""
    began = time.monotonic()
    with plugin.connect() as sock:
        sock.sendall(call(REQUEST, json.dumps(PING).encode())[:-5])
        status, body = answer_on(sock)
        took = time.monotonic() - began

        assert (status, json.loads(body)["Allow"]) == (408, False)
        assert QUICK <= took < QUICK + 1
        assert ends(sock)
    assert plugin.sink.records[0].reason is Reason.TIMEOUT
    assert plugin.is_well()


def test_half_a_document_and_then_nobody(plugin):
    """It is recorded as refused, and no defect of ours is logged."""
    with capture_logs() as logs:
        with plugin.connect() as sock:
            sock.sendall(call(REQUEST, json.dumps(PING).encode())[:-5])
            time.sleep(0.1)
        wait_for(lambda: plugin.sink.records)

    assert plugin.sink.records[0].reason is Reason.UNREADABLE_REQUEST
    assert plugin.sink.records[0].detail == "plugin message broke off"
    assert {line["event"] for line in logs} == {"request.refused"}
    assert plugin.is_well()


@pytest.mark.parametrize("path", [REQUEST, RESPONSE, ACTIVATE, "/none"])
def test_whoever_goes_in_the_middle_leaves_no_trouble(plugin, path):
    """Nothing is logged as a failure, whatever was asked."""
    with capture_logs() as logs:
        for size in (1, 30, -5):
            with plugin.connect() as sock:
                sock.sendall(call(path, b"x" * 100_000)[:size])
        assert plugin.is_well()
    assert not [line for line in logs if line["log_level"] == "error"]


GARBAGE = {
    "bytes": b"\x00\xff\x16\x03\x01 secret\r\n\r\n",
    "text": b"hello secret\r\n\r\n",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nsecret",
    "a bad header": b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nsecret\x00: x\r\n\r\n",
    "a bad length": b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nContent-Length: secret\r\n\r\n",
    "two lengths": call(REQUEST, b"{}", head="Content-Length: 3\r\n"),
    "length and chunked": call(REQUEST, b"{}", head="Transfer-Encoding: chunked\r\n"),
    "a huge header": call(REQUEST, b"{}", head=f"X: {'secret' * 20_000}\r\n"),
    "a huge line": f"POST /{'secret' * 20_000} HTTP/1.1\r\n\r\n".encode(),
    "many headers": call(REQUEST, b"{}", head="X: secret\r\n" * 1000),
}


@pytest.mark.parametrize("written", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_is_no_http_is_answered_with_400(plugin, written):
    """What was in it stays out of the log, which gets one line at most."""
    with capture_logs() as logs:
        with plugin.connect() as sock:
            with contextlib.suppress(BrokenPipeError):
                sock.sendall(written)
            status, _ = answer_on(sock)
        assert status == 400
        assert plugin.is_well()

    assert [line["event"] for line in logs] in ([], ["plugin.nonsense_received"])
    assert "secret" not in str(logs)


@pytest.mark.usefixtures("impatient")
def test_a_bad_chunk_is_refused(plugin):
    """A body that breaks its own framing has no end to wait for."""
    head = f"POST {REQUEST} HTTP/1.1\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    with plugin.connect() as sock:
        sock.sendall(head)
        time.sleep(0.05)
        sock.sendall(b"zz\r\nsecret")
        status, _ = answer_on(sock)
        assert ends(sock)

    assert status == 400
    assert plugin.is_well()


def test_a_chunked_document_is_read(plugin):
    """The daemon does not send one, but it can be read in one way only."""
    document = json.dumps(PING).encode()
    head = f"POST {REQUEST} HTTP/1.1\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    status, body = plugin.says(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(document), document))

    assert (status, json.loads(body)["Allow"]) == (200, True)


def test_a_compressed_document_is_refused(plugin):
    """The daemon compresses nothing."""
    written = call(
        REQUEST, gzip.compress(json.dumps(PING).encode()), head="Content-Encoding: gzip\r\n"
    )

    status, body = plugin.says(written)

    assert (status, json.loads(body)["Allow"]) == (200, False)


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_a_100_is_refused_in_time(plugin):
    """The daemon never asks first; who does gets his refusal."""
    written = call(REQUEST, json.dumps(PING).encode(), head="Expect: 100-continue\r\n")
    head = written[: written.index(b"\r\n\r\n") + 4]

    assert plugin.says(head)[0] == 408
    assert plugin.says(written)[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_another_method_is_refused(plugin, method):
    """Calls are posted."""
    written = call(REQUEST, json.dumps(PING).encode()).replace(b"POST", method.encode(), 1)

    with plugin.connect() as sock:
        sock.sendall(written)
        assert sock.recv(65536).startswith(b"HTTP/1.1 405 ")
    assert plugin.sink.records == []


@pytest.mark.parametrize("path", ["/", "/VolumeDriver.List", "/AuthZPlugin.AuthZReq/"])
def test_another_path_is_no_call(plugin, path):
    """404, and nothing is judged."""
    status, body = plugin.says(call(path, json.dumps(PING).encode()))

    assert (status, json.loads(body)["Allow"]) == (404, False)
    assert plugin.sink.records == []


def test_two_calls_written_at_once_are_answered_in_order(plugin):
    """The answer to the one is not taken for that to the other."""
    bad = json.dumps(a_question("GET", "/no/such")).encode()

    with plugin.connect() as sock:
        sock.sendall(call(REQUEST, json.dumps(PING).encode()) + call(REQUEST, bad))
        with sock.makefile("rb") as file:
            answers = [read_one(file) for _ in range(2)]

    assert [answer["Allow"] for answer in answers] == [True, False]


def read_one(file) -> dict[str, object]:
    """Read one answer of a file, and no byte more."""
    length = 0
    while (line := file.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    found: dict[str, object] = json.loads(file.read(length))
    return found


# --- who asks, and the end -----------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_only_the_daemon_may_ask(plugin):
    """Another account is refused, even where a mode or a proxy lets it through to the socket."""
    folder = plugin.path.parent
    for place in (folder, *folder.parents[:3]):
        place.chmod(place.stat().st_mode | 0o011)
    plugin.path.chmod(0o666)

    with capture_logs() as logs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        os.seteuid(NOBODY)
        try:
            sock.connect(str(plugin.path))
        finally:
            os.seteuid(0)
        status, body = exchange(sock, REQUEST, PING)

    assert (status, json.loads(body)["Allow"]) == (403, False)
    assert [(line["event"], line["uid"]) for line in logs] == [("plugin.caller_refused", NOBODY)]
    assert plugin.is_well()


def test_a_caller_who_has_gone_is_nobody():
    """Without a connection there is no uid to believe."""

    class Gone:
        def get_extra_info(self, _name):
            return None

    assert server_module._caller(Gone()) is None


def test_a_defect_of_the_door_is_a_refusal(plugin, monkeypatch):
    """Any status but 200 is one to the daemon; the traceback is in the log."""

    def broken(*_args, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr(server_module, "read_call", broken)
    with capture_logs() as logs, plugin.connect() as sock:
        status, body = exchange(sock, REQUEST, PING)

    assert status == 500
    assert b"ZeroDivision" not in body
    assert logs[0]["event"] == "plugin.answer_failed"
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


def test_what_is_being_answered_is_finished(tmp_path, policy):
    """A stop closes idle connections at once, and the busy one behind its answer."""
    plugin = Served(tmp_path / "dockgate.sock", policy)
    plugin.sink.blocking = True
    plugin.sink.go.clear()
    plugin.start()
    with plugin.connect() as busy, plugin.connect() as idle:
        busy.sendall(call(REQUEST, json.dumps(PING).encode()))
        wait_for(lambda: plugin.sink.threads)
        plugin.ask_to_stop()
        time.sleep(0.1)
        with pytest.raises(ConnectionRefusedError):
            plugin.connect()
        plugin.sink.go.set()

        assert decoded(answer_on(busy))["Allow"] is True
        assert ends(busy)
        assert ends(idle)
    plugin.stop()
    assert not plugin.path.exists()


def test_who_is_being_looked_up_is_finished_as_well(tmp_path, policy):
    """There is no task that could be waited for, but an answer of the daemon."""
    asked = threading.Event()

    class Slow(ScriptedLookups):
        async def answer_soon(self, question, limits):
            asked.set()
            loop = asyncio.get_running_loop()
            loop.call_later(QUICK, (reply := loop.create_future()).set_result, None)
            await reply
            return await super().answer_soon(question, limits)

    plugin = Served(tmp_path / "dockgate.sock", policy)
    plugin.lookups = Slow(known=frozenset({Topic.DAEMON}), soon=frozenset({Topic.IMAGE}))
    plugin.lookups.script = {Question(Topic.DAEMON, ""): DAEMON}
    plugin.start()
    with plugin.connect() as busy:
        busy.sendall(call(REQUEST, json.dumps(a_question("POST", CREATE, GOOD)).encode()))
        assert asked.wait(5)
        plugin.ask_to_stop()

        assert "Allow" in decoded(answer_on(busy))
        assert ends(busy)
    plugin.stop()
    assert len(plugin.sink.records) == 1


# --- what a plugin must deny ---------------------------------------------------------------------

CREATE = "/v1.45/containers/create"
START = "/v1.45/containers/web/start"
GOOD = {"Image": "nginx"}
NOTHING = {"Content_Length": "0"}

TARGETS = {
    "no slash": "_ping",
    "two slashes": "//_ping",
    "two slashes inside": "/v1.45//containers/json",
    "a fragment": "/_ping#x",
    "a fragment that cannot be read": "/_ping?#%zz",
    "a dot segment": "/v1.45/./containers/json",
    "two dots": "/v1.45/containers/../containers/json",
    "encoded dots": "/v1.45/containers/%2e%2e/json",
    "a semicolon": "/v1.45/containers/json?all=1;x=1",
    "a bad escape": "/v1.45/containers/%zz/json",
    "a bad escape in the query": "/v1.45/containers/json?all=%zz",
    "a control byte": "/v1.45/containers/json\x01",
    "a byte beyond ASCII": "/v1.45/containers/jsön",
    "a parameter twice": "/v1.45/containers/json?all=0&all=1",
    "absolute form": "http://docker/_ping",
    "an escape in a literal": "/v1.45/%63ontainers/json",
    "an escape in the version": "/v1%2e45/containers/json",
    "a version with a dot behind": "/v1.45./containers/json",
    "a version with a zero before": "/v1.045/containers/json",
    "a version that is too old": "/v1.23/containers/json",
    "a version that is none": "/v2/containers/json",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_a_target_that_is_not_canonical_is_refused(plugin, target):
    """Sentences 2 and 3: where the daemon could read another operation, nothing passes."""
    answer = plugin.ask(a_question("GET", target))

    assert answer["Allow"] is False
    assert str(answer["Msg"]).startswith("dockgate: refused: ")


BODIES = {
    "create without a body": a_question(target=CREATE, Content_Type="application/json"),
    "create with a hidden body": a_question(
        target=CREATE, Content_Type="application/json", Content_Length="2000000"
    ),
    "create with an empty body": a_question(target=CREATE, **NOTHING),
    "start that proves no emptiness": a_question(target=START),
    "services whose body a fragment hides": a_question(target="/v1.45/services/create?#%zz"),
    "a form": a_question(target=CREATE, Content_Type="application/x-www-form-urlencoded"),
    "a form to kill": a_question(
        target="/v1.45/containers/web/kill",
        Content_Type="application/x-www-form-urlencoded",
        Content_Length="11",
    ),
    "multipart": a_question(target=CREATE, body=GOOD, Content_Type="multipart/form-data"),
    "text": a_question(target=CREATE, body=GOOD, Content_Type="text/plain"),
    "a body above the limit": a_question(target=CREATE, body={"Image": "x" * MAX_BODY}),
    "a member twice": a_question(target=CREATE, body=b'{"Image":"a","Image":"b"}'),
    "members that fold": a_question(
        target=CREATE, body='{"Ho\u017ftConfig":{"Privileged":true},"HostConfig":{}}'.encode()
    ),
    "text behind the document": a_question(target=CREATE, body=b'{"Image":"a"}{}'),
    "a legacy form": a_question(target=CREATE, body={"Image": "a", "Privileged": True}),
    "a start with a HostConfig": a_question(target=START, body={"Privileged": True}),
    "another length than is told": a_question(target=CREATE, body=GOOD, Content_Length="5"),
}


@pytest.mark.parametrize("question", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_not_certain_is_refused(plugin, question):
    """Sentences 4, 5 and 8: no body seen, or one that could be read in another way."""
    answer = plugin.ask(question)

    assert answer["Allow"] is False
    assert str(answer["Msg"]).startswith("dockgate: refused: ")


TAR = {"Content_Type": "application/x-tar", "Content_Length": "10240"}
UNGRANTED = {
    "build": a_question(target="/v1.45/build", **TAR),
    "buildkit": a_question(target="/v1.45/build?version=2", **TAR),
    "load": a_question(target="/v1.45/images/load", **TAR),
    "import": a_question(target="/v1.45/images/create?fromSrc=-&repo=x", **TAR),
    "archive": a_question("PUT", "/v1.45/containers/web/archive?path=/", **TAR),
    "plugin create": a_question(target="/v1.45/plugins/create?name=x", **TAR),
    "session": a_question(target="/session", **NOTHING),
    "grpc": a_question(target="/grpc", **NOTHING),
    "plugin disable": a_question(target="/v1.45/plugins/dockgate/disable", **NOTHING),
    "plugin enable": a_question(target="/v1.45/plugins/x/enable?timeout=0", **NOTHING),
    "plugin remove": a_question("DELETE", "/v1.45/plugins/dockgate"),
    "plugin set": a_question(target="/v1.45/plugins/x/set", body=["A=b"]),
    "swarm init": a_question(target="/v1.45/swarm/init", body={"ListenAddr": "127.0.0.1"}),
    "swarm leave": a_question(target="/v1.45/swarm/leave?force=1", **NOTHING),
    "service create": a_question(target="/v1.45/services/create", body={"Name": "x"}),
    "secret create": a_question(target="/v1.45/secrets/create", body={"Name": "x"}),
    "debug": a_question("GET", "/debug/pprof/profile"),
    "checkpoint": a_question(
        target="/v1.45/containers/web/checkpoints", body={"CheckpointID": "x"}
    ),
    "prune": a_question(target="/v1.45/containers/prune", **NOTHING),
}


@pytest.mark.parametrize("question", UNGRANTED.values(), ids=UNGRANTED.keys())
def test_what_nobody_granted_is_denied(plugin, question):
    """Sentences 6 and 7: bodies that are never visible, and the administration of the daemon."""
    answer = plugin.ask(question)

    assert answer["Allow"] is False
    assert str(answer["Msg"]).startswith("dockgate: ")
    assert plugin.sink.records


def test_a_privileged_container_cannot_be_entered(plugin):
    """What a look-up tells counts as much as what the request says."""
    plugin.lookups.script = {
        Question(Topic.EXEC, "e1"): {
            "ID": "e1",
            "ContainerID": "c1",
            "ProcessConfig": {"user": "", "privileged": True},
        },
    }

    answer = plugin.ask(a_question(target="/v1.45/exec/e1/start", body={"Detach": True}))

    assert answer["Allow"] is False


def test_how_a_request_ended_is_recorded(plugin):
    """The daemon's second call finds the decision of the first, and waits for nothing."""
    question = a_question("GET", "/_ping")
    plugin.ask(question)
    answer = {**question, "ResponseStatusCode": 200, "ResponseBody": "T0s="}

    plugin.ask(answer, RESPONSE)
    wait_for(lambda: plugin.sink.notes)
    plugin.ask(answer, RESPONSE)
    plugin.is_well()

    ((kind, members),) = plugin.sink.notes
    assert (kind, members["id"]) == (Kind.OUTCOME, plugin.sink.records[0].id)
    assert (members["status"], members["bytes_out"]) == (200, 2)
