"""The stand-in for the daemon: what it judges, what it answers, and what breaks it (nothing)."""

import json
import re
import socket
import threading

import pytest

from authz.cli import scratch
from authz.cli.scratch import ANSWERS, MISSING, RAW_STREAMS, ScratchDaemon
from authz.docker.routes import load_operations
from authz.errors import Reason, RefusedError
from authz.gate import Verdict
from authz.policy.decision import Effect
from authz.wire.raw import BodyState, Door

ALLOW = Verdict("01ID", Effect.ALLOW, Reason.RULE)
DENY = Verdict("01ID", Effect.DENY, Reason.NO_RULE, "dockgate: denied: so it is; request 01ID")
HEAD = b"Host: docker\r\n"
CLOSE = b"Connection: close\r\n"


class Judge:
    """Notes every request, and says to all of them the same."""

    def __init__(self) -> None:
        """Allow an operation without an answer of its own."""
        self.seen = []
        self.verdict = ALLOW
        self.operation = ""
        self.error = None

    def __call__(self, raw):
        """Note, and say it."""
        self.seen.append(raw)
        if self.error:
            raise self.error
        return self.verdict, self.operation


@pytest.fixture
def judge():
    """Return a judge."""
    return Judge()


@pytest.fixture
def path(tmp_path, judge, capfd):
    """Run a scratch daemon; whatever it is sent, nothing appears on the terminal."""
    with ScratchDaemon(tmp_path / "docker.sock", judge):
        yield tmp_path / "docker.sock"
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def send(path, *parts, end=True):
    """Send parts of a request, end our side, and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        try:
            for part in parts:
                client.sendall(part)
            if end:
                client.shutdown(socket.SHUT_WR)
        except OSError:  # it has had enough
            pass
        answer = b""
        try:
            while chunk := client.recv(65536):
                answer += chunk
        except ConnectionResetError:  # what it did not read is lost
            pass
    return answer


def statuses(answer):
    """Return the status of each answer in a stream of them."""
    return re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)


def document(answer):
    """Return the document of one answer."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_a_request_is_judged_as_it_was_sent(path, judge):
    """Method, target, headers and body, as the daemon would get them."""
    body = b'{"Image":"nginx"}'
    send(
        path,
        b"POST //v1.47/containers/create?name=%61 HTTP/1.1\r\n" + HEAD + CLOSE,
        b"Content-Type: application/json\r\nX-A: 1\r\nx-a: 2\r\n",
        b"Content-Length: %d\r\n\r\n" % len(body) + body,
    )

    (raw,) = judge.seen
    assert (raw.method, raw.target) == ("POST", "//v1.47/containers/create?name=%61")
    assert (raw.body, raw.body_state, raw.door) == (body, BodyState.COMPLETE, Door.CLI)
    assert raw.headers == (
        ("Host", "docker"),
        ("Connection", "close"),
        ("Content-Type", "application/json"),
        ("X-A", "1"),
        ("x-a", "2"),
        ("Content-Length", "17"),
    )


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "X-Y"]
)
def test_every_method_is_judged(path, judge, method):
    """Which of them exist is for the table of operations to say."""
    answer = send(path, method.encode() + b" / HTTP/1.1\r\n" + HEAD + CLOSE + b"\r\n")

    assert [raw.method for raw in judge.seen] == [method]
    assert statuses(answer) == [b"200"]


def test_one_connection_holds_many_requests(path, judge):
    """Each body ends where the next request begins."""
    one = b"POST /a HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\n\r\nxx"
    two = b"POST /b HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: Chunked\r\n\r\n"
    chunks = b"3;ext=1\r\nyyy\r\n02\r\nzz\r\n0\r\nTrailer: 1\r\nOther: 2\r\n\r\n"
    three = b"GET /c HTTP/1.1\r\n" + HEAD + b"\r\n"

    answer = send(path, one + two + chunks + three)

    assert [(raw.target, raw.body) for raw in judge.seen] == [
        ("/a", b"xx"),
        ("/b", b"yyyzz"),
        ("/c", b""),
    ]
    assert statuses(answer) == [b"200", b"200", b"200"]


def test_clients_that_expect_to_be_asked_are_asked(path, judge):
    """A client may hold back its body until it hears 100 Continue."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(
            b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        first = client.recv(65536)
        client.sendall(b"ok")
        second = client.recv(65536)

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")
    assert judge.seen[0].body == b"ok"


def test_head_is_answered_without_a_body(path, judge):
    """The client asks for the API's version so, and reads the next answer right behind it."""
    judge.operation = "SystemPingHead"
    ping = b"HEAD /_ping HTTP/1.1\r\n" + HEAD + b"\r\n"

    answer = send(path, ping + ping)

    assert statuses(answer) == [b"200", b"200"]
    assert answer.count(b"Api-Version: 1.47\r\n") == 2
    assert answer.endswith(b"\r\n\r\n")
    assert b"{" not in answer


@pytest.mark.parametrize("operation", [*ANSWERS, *MISSING, "ImageCreate", ""])
def test_what_is_allowed_gets_a_plausible_answer(path, judge, operation):
    """Status and document of an empty daemon; an empty object where nobody looks."""
    judge.operation = operation
    status, expected = ANSWERS.get(operation, (200, {}))
    if operation in MISSING:
        status, expected = 404, {"message": "no such object in the scratch daemon"}

    answer = send(path, b"GET / HTTP/1.1\r\n" + HEAD + CLOSE + b"\r\n")

    assert statuses(answer) == [str(status).encode()]
    if expected is None:
        assert answer.endswith(b"\r\n\r\n")
        assert b"Content-Length" not in answer
    else:
        assert document(answer) == expected


@pytest.mark.parametrize("operation", sorted(RAW_STREAMS))
def test_a_raw_stream_ends_at_once(path, judge, operation):
    """The process printed nothing."""
    judge.operation = operation

    answer = send(path, b"POST /x HTTP/1.1\r\n" + HEAD + b"Upgrade: tcp\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert b"Content-Type: application/vnd.docker.raw-stream\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_process_that_is_left_alone_has_no_stream(path, judge):
    """A client that asks for none takes none (``docker exec --detach``)."""
    judge.operation = "ExecStart"

    answer = send(path, b"POST /x HTTP/1.1\r\n" + HEAD + CLOSE + b"\r\n")

    assert statuses(answer) == [b"200"]


def test_a_plugin_that_was_pulled_has_a_name(path, judge):
    """Clients switch it on by that."""
    judge.operation = "PluginPull"

    answer = send(path, b"POST /x HTTP/1.1\r\n" + HEAD + CLOSE + b"\r\n")

    assert b"\r\nDocker-Plugin-Name: scratch\r\n" in answer


@pytest.mark.parametrize(("target", "told"), [("/x?path=/tmp/", True), ("/x?path=/tmp/f", False)])
def test_a_folder_is_there_to_copy_into(path, judge, target, told):
    """Only where the client says that it means one: else it names a file to be made."""
    judge.operation = "ContainerArchiveInfo"

    answer = send(path, f"HEAD {target} HTTP/1.1\r\n".encode() + HEAD + CLOSE + b"\r\n")

    assert (b"\r\nX-Docker-Container-Path-Stat: " in answer) is told


def test_the_operations_have_names_of_the_table():
    """A misspelt name would never get its answer."""
    names = {operation.name for operation in load_operations()}

    assert (set(ANSWERS) | MISSING | RAW_STREAMS) - names == set()


def test_what_is_denied_is_told_to_the_client(path, judge):
    """In the daemon's form, and the conversation goes on."""
    judge.verdict = DENY

    answer = send(path, (b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n") * 2)

    assert statuses(answer) == [b"403", b"403"]
    assert answer.count(b'{"message": "dockgate: denied: so it is; request 01ID"}') == 2


def test_what_is_refused_is_told_to_the_client(path, judge):
    """By whoever raises it."""
    judge.error = RefusedError(Reason.UNKNOWN_ROUTE, "there is no such thing")

    answer = send(path, b"GET / HTTP/1.1\r\n" + HEAD + CLOSE + b"\r\n")

    assert statuses(answer) == [b"403"]
    assert document(answer) == {"message": "dockgate: refused: there is no such thing"}


LENGTHS = {
    "words": b"Content-Length: many\r\n",
    "negative": b"Content-Length: -1\r\n",
    "signed": b"Content-Length: +1\r\n",
    "underscore": b"Content-Length: 1_0\r\n",
    "fraction": b"Content-Length: 1.0\r\n",
    "hexadecimal": b"Content-Length: 0x1\r\n",
    "other digits": "Content-Length: ²\r\n".encode("latin-1"),
    "empty": b"Content-Length:\r\n",
    "list": b"Content-Length: 1, 1\r\n",
    "huge": b"Content-Length: " + b"9" * 5000 + b"\r\n",
    "two": b"Content-Length: 1\r\nContent-Length: 2\r\n",
    "spaced": b"Content-Length : 1\r\n",
    "behind a broken line": b"broken\r\nContent-Length: 1\r\n",
    "folded at the top": b" folded\r\nContent-Length: 1\r\n",
    "without a name": b": 1\r\n",
    "coding": b"Transfer-Encoding: gzip\r\n",
    "codings": b"Transfer-Encoding: gzip, chunked\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "no coding": b"Transfer-Encoding:\r\n",
}
CHUNKS = {
    "words": b"many\r\nx\r\n0\r\n\r\n",
    "negative": b"-1\r\nx\r\n0\r\n\r\n",
    "signed": b"+1\r\nx\r\n0\r\n\r\n",
    "prefixed": b"0x1\r\nx\r\n0\r\n\r\n",
    "underscore": b"1_0\r\nx\r\n0\r\n\r\n",
    "empty": b"\r\nx\r\n0\r\n\r\n",
    "huge": b"f" * 5000 + b"\r\nx",
    "endless": b"1" * 100_000,
    "longer than it says": b"1\r\nxx\r\n0\r\n\r\n",
    "cut in the size": b"5",
    "cut in the chunk": b"5\r\nxx",
    "terabytes that do not come": b"ffffffffff\r\nxx",
    "cut behind the chunk": b"2\r\nxx",
    "cut before the end": b"2\r\nxx\r\n",
    "cut in the trailers": b"0\r\nTrailer: 1\r\n",
}
NEXT = b"GET /next HTTP/1.1\r\n" + HEAD + b"\r\n"


@pytest.mark.parametrize("header", LENGTHS.values(), ids=LENGTHS)
def test_a_body_without_a_clear_end_is_refused(path, judge, header):
    """Neither judged nor waited for, and what follows is not read as a request."""
    line = header if header.startswith(b" ") else HEAD + header

    answer = send(path, b"POST / HTTP/1.1\r\n" + line + b"\r\nx" + NEXT, end=False)

    assert statuses(answer) == [b"400"]
    assert document(answer)["message"].startswith("dockgate: ")
    assert judge.seen == []


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_broken_chunks_are_refused(path, judge, chunks):
    """Half a body is not judged for the whole."""
    head = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

    answer = send(path, head + chunks)

    assert statuses(answer) == [b"400"]
    assert judge.seen == []


def test_a_body_that_ends_early_is_refused(path, judge):
    """The client has gone away in the middle of it."""
    answer = send(path, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\n\r\nxx")

    assert statuses(answer) == [b"400"]
    assert document(answer) == {"message": "dockgate: the body ends early"}
    assert judge.seen == []


@pytest.mark.parametrize("chunked", [False, True])
def test_a_big_body_is_cut_and_the_conversation_goes_on(path, judge, monkeypatch, *, chunked):
    """A build context is not kept, but its end is found."""
    monkeypatch.setattr(scratch, "MAX_BODY", 1000)
    body = b"x" * 300_000
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body

    answer = send(path, b"POST / HTTP/1.1\r\n" + HEAD + length + b"\r\n\r\n" + sent + NEXT)

    assert [(raw.target, len(raw.body)) for raw in judge.seen] == [("/", 1000), ("/next", 0)]
    assert statuses(answer) == [b"200", b"200"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"garbage\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /\r\n\r\n",
        b"GET / HTTP/1.1 more\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 1000,
        bytes(range(256)) * 10,
    ],
    ids=range(15),
)
def test_garbage_ends_the_connection(path, judge, garbage):
    """With an error or without a word, but not with a judgement."""
    answer = send(path, garbage)

    assert judge.seen == []
    assert all(b"4" <= status < b"6" for status in statuses(answer))


def test_a_client_that_hangs_up_is_let_go(path, judge):
    """Before, within and after its request; the next one is answered."""
    for part in (b"", b"POST", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", NEXT):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(part)

    answer = send(path, NEXT)

    assert statuses(answer) == [b"200"]
    assert {raw.target for raw in judge.seen} == {"/next"}


def test_a_client_that_hangs_up_while_it_is_judged_is_let_go(path, judge):
    """There is nobody left to answer, and that is no defect."""
    gone, judged = threading.Event(), threading.Event()

    def slow(raw):
        gone.wait(5)
        judged.set()
        return judge(raw)

    with ScratchDaemon(path.with_name("slow.sock"), slow):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path.with_name("slow.sock")))
            client.sendall(NEXT * 3)
        gone.set()
        assert judged.wait(5)

        assert statuses(send(path.with_name("slow.sock"), NEXT)) == [b"200"]


def test_many_clients_are_served_at_once(path):
    """The real client keeps a connection for events while it sends another request."""
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(path))
        idle.sendall(b"POST / HTTP/1.1\r\n")

        assert statuses(send(path, NEXT)) == [b"200"]


def test_a_defect_of_ours_is_shown(tmp_path, judge, capfd):
    """What no client can cause must not pass in silence."""
    judge.error = KeyError("defect")

    with ScratchDaemon(tmp_path / "docker.sock", judge):
        answer = send(tmp_path / "docker.sock", NEXT)

    assert answer == b""
    assert "KeyError: 'defect'" in capfd.readouterr().err


def test_only_methods_are_made_up():
    """Whatever else the base class looks for and does not find, is not there."""
    conversation = object.__new__(scratch._Conversation)

    assert hasattr(conversation, "do_ANYTHING")
    assert not hasattr(conversation, "anything")


def test_afterwards_nobody_answers(tmp_path, judge):
    """The socket is closed when the client has ended."""
    with ScratchDaemon(tmp_path / "docker.sock", judge):
        pass

    with pytest.raises(ConnectionRefusedError):
        send(tmp_path / "docker.sock", NEXT)
