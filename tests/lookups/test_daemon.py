"""Questions to a daemon that answers, and to one that answers anything else."""

import asyncio
import json
import ssl
from dataclasses import dataclass, field

import pytest
import trustme

from authz.deadlines import Deadlines
from authz.errors import ConfigurationError, LookupFailedError
from authz.facts.questions import MISSING, Question, Topic
from authz.lookups import daemon
from authz.lookups.daemon import DAEMON_LASTS, DaemonLookups
from authz.lookups.lookup_pass import HEADER, KEY_BYTES, Passes, Phase
from authz.lookups.targets import events

WEB = Question(Topic.CONTAINER, "web")
INFO = Question(Topic.DAEMON, "")
KEY = b"k" * KEY_BYTES
HANG = b""
"""An answer that never comes."""
END = b"\0"
"""No answer: the connection ends."""


def says(status: int, document, *, head: str = "") -> bytes:
    """Return an answer of the daemon as it goes over the wire."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


@dataclass
class ScriptedDaemon:
    """A server that gives one answer after the other, and the last one for ever."""

    script: list[bytes]
    requests: list[list[str]] = field(default_factory=list)
    """The lines of each request's head."""
    connections: int = 0
    pause: float = 0.0
    close_after: bool = False

    @property
    def targets(self) -> list[str]:
        """Return what was asked for."""
        return [lines[0].split(" ")[1] for lines in self.requests]

    def headers(self, number: int = 0) -> dict[str, str]:
        """Return the headers of a request, spelt as they came."""
        return dict(line.split(": ", 1) for line in self.requests[number][1:])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one connection."""
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head.decode("ascii").split("\r\n")[:-2])
                answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if answer == END:
                    break
                await asyncio.sleep(60 if answer == HANG else self.pause)
                writer.write(answer)
                await writer.drain()
                if self.close_after:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def start(tmp_path):
    """Return a way to run a daemon with a script on a unix socket, and to ask it."""
    servers, clients = [], []

    async def run(*script, key=KEY, **settings):
        scripted = ScriptedDaemon(list(script))
        path = tmp_path / "docker.sock"
        servers.append(await asyncio.start_unix_server(scripted.serve, path))
        lookups = DaemonLookups(f"unix://{path}", Passes(key), **settings)
        clients.append(lookups)
        return scripted, lookups

    yield run
    for client in clients:
        await client.close()
    for server in servers:
        server.close()


async def test_an_inspect_document_is_the_answer(start):
    """What the daemon says about an object is handed on as it is."""
    scripted, lookups = await start(says(200, {"Id": "4b", "Config": {"Labels": {"ü": "1"}}}))

    answer = await lookups.answer(WEB)

    assert answer == {"Id": "4b", "Config": {"Labels": {"ü": "1"}}}
    assert scripted.requests[0][0] == "GET /containers/web/json HTTP/1.1"


async def test_a_chunked_answer_is_read(start):
    """The daemon chunks documents above two kilobytes."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"Id":', b'"4b"}'))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, lookups = await start(head + body + b"0\r\n\r\n")

    assert await lookups.answer(WEB) == {"Id": "4b"}


async def test_no_such_object_is_an_answer(start):
    """The daemon's own sentence says so."""
    _, lookups = await start(says(404, {"message": "No such container: web"}))

    assert await lookups.answer(WEB) is MISSING


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "x",
        {"message": ""},
        {"message": 1},
        {"message": None},
        {"message": "page not found"},
    ],
)
async def test_another_404_is_no_answer(start, document):
    """A router or something in between knows nothing about the object."""
    _, lookups = await start(says(404, document))

    with pytest.raises(LookupFailedError, match=r"GET /containers/web/json: status 404"):
        await lookups.answer(WEB)


async def test_the_daemon_itself_is_never_missing(start):
    """``/info`` exists wherever there is a daemon."""
    _, lookups = await start(says(404, {"message": "no such thing"}))

    with pytest.raises(LookupFailedError, match="GET /info: status 404"):
        await lookups.answer(INFO)


@pytest.mark.parametrize("status", [201, 206, 400, 401, 403, 409, 500, 503])
async def test_any_other_status_is_a_failure(start, status):
    """Whatever the document says."""
    answer = says(status, {"Id": "4b", "message": "No such container: web"})
    _, lookups = await start(answer)

    with pytest.raises(LookupFailedError, match=f"GET /containers/web/json: status {status}"):
        await lookups.answer(WEB)


@pytest.mark.parametrize("topic", ["service", "task", "secret", "config", "node"])
async def test_a_daemon_without_a_swarm_has_none_of_its_objects(start, topic):
    """It says so with a status of its own, as it will to the request itself."""
    _, lookups = await start(says(503, {"message": "This node is not a swarm manager."}))

    assert await lookups.answer(Question(Topic(topic), "web")) is MISSING


@pytest.mark.parametrize("document", [{}, {"message": ""}, {"message": 1}])
async def test_a_503_without_a_word_is_a_failure(start, document):
    """Something in between may say so, too."""
    _, lookups = await start(says(503, document))

    with pytest.raises(LookupFailedError, match="GET /nodes/web: status 503"):
        await lookups.answer(Question(Topic.NODE, "web"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(start, status):
    """The daemon redirects unclean paths; the clean one is another question."""
    elsewhere = says(status, {}, head="Location: /info\r\n")
    scripted, lookups = await start(elsewhere, says(200, {"Id": "4b"}))

    with pytest.raises(LookupFailedError, match=f"status {status}"):
        await lookups.answer(WEB)

    assert scripted.targets == ["/containers/web/json"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b'{"a":1}{"b":2}',
        b'{"a":"\xff"}',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b"\x1f\x8b\x08\x00",
    ],
    ids=range(11),
)
async def test_anything_but_one_object_is_a_failure(start, body):
    """There is nothing to guess at."""
    _, lookups = await start(says(200, body))

    with pytest.raises(LookupFailedError, match="status 200 with no JSON object"):
        await lookups.answer(WEB)


async def test_an_encoded_answer_is_not_decoded(start):
    """None was asked for, and a small one could become a big one."""
    scripted, lookups = await start(says(200, b'{"a":1}', head="Content-Encoding: gzip\r\n"))

    assert await lookups.answer(WEB) == {"a": 1}
    assert scripted.headers()["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("length", [True, False])
async def test_an_overlarge_answer_is_cut_off(start, monkeypatch, *, length):
    """Announced or not, no more than the limit is kept."""
    monkeypatch.setattr(daemon, "MAX_ANSWER", 100)
    body = b'{"a":"' + b"x" * 200 + b'"}'
    unannounced = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    _, lookups = await start(says(200, body) if length else unannounced)

    with pytest.raises(LookupFailedError, match="answer above 100 bytes"):
        await lookups.answer(WEB)


async def test_an_answer_at_the_limit_is_read(start, monkeypatch):
    """The limit itself is fine."""
    body = b'{"a":"' + b"x" * 92 + b'"}'
    monkeypatch.setattr(daemon, "MAX_ANSWER", len(body))
    _, lookups = await start(says(200, body))

    assert await lookups.answer(WEB) == {"a": "x" * 92}


@pytest.mark.parametrize("partial", [HANG, b"HTTP/1.1 200 OK\r\n", says(200, {"Id": 1})[:-1]])
async def test_an_answer_that_does_not_come_is_given_up(start, partial):
    """Neither a silent daemon nor a slow one holds a judgement up."""
    _, lookups = await start(partial, time_limit=0.1)

    with pytest.raises(LookupFailedError, match=r"GET /containers/web/json: no answer in time"):
        await lookups.answer(WEB)


@pytest.mark.parametrize(
    "broken",
    [
        END,
        b"HTTP/1.1 200 OK\r\n",
        says(200, {"Id": 1})[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}",
    ],
    ids=range(9),
)
async def test_a_broken_answer_is_a_failure(start, broken):
    """Half an answer, or none in HTTP, is not read as far as it goes."""
    scripted, lookups = await start(broken)
    scripted.close_after = True

    with pytest.raises(LookupFailedError, match=r"GET /containers/web/json: "):
        await lookups.answer(WEB)


async def test_a_daemon_that_is_not_there_is_a_failure(tmp_path):
    """At once, not after the time limit."""
    lookups = DaemonLookups(f"unix://{tmp_path}/none.sock", Passes(KEY))

    async with asyncio.timeout(1):
        with pytest.raises(
            LookupFailedError, match=r"GET /info: cannot connect to /.*: No such file"
        ):
            await lookups.answer(INFO)
    await lookups.close()


async def test_a_connection_that_was_closed_meanwhile_is_made_again(start):
    """A daemon that was restarted answers the next question."""
    scripted, lookups = await start(says(200, {"Id": "4b"}))
    scripted.close_after = True

    answers = [await lookups.answer(WEB), await lookups.answer(WEB)]

    assert answers == [{"Id": "4b"}, {"Id": "4b"}]
    assert scripted.connections == 2


async def test_connections_are_kept(start):
    """Many questions, one connection."""
    scripted, lookups = await start(says(200, {"Id": "4b"}))

    for _ in range(5):
        await lookups.answer(WEB)

    assert (len(scripted.requests), scripted.connections) == (5, 1)


async def test_there_are_only_so_many_connections(start, monkeypatch):
    """Further questions wait for one."""
    monkeypatch.setattr(daemon, "MOST_AT_ONCE", 3)
    scripted, lookups = await start(says(200, {"Id": "4b"}))
    scripted.pause = 0.02

    answers = await asyncio.gather(*(lookups.answer(WEB) for _ in range(9)))

    assert len(answers) == 9
    assert scripted.connections <= 3


async def test_waiting_for_a_connection_counts(start, monkeypatch):
    """The limit is for the question, not for its turn."""
    monkeypatch.setattr(daemon, "MOST_AT_ONCE", 1)
    _, lookups = await start(HANG, time_limit=0.2)
    started = asyncio.get_running_loop().time()

    ended = await asyncio.gather(*(lookups.answer(WEB) for _ in range(5)), return_exceptions=True)

    assert {str(error) for error in ended} == {"GET /containers/web/json: no answer in time"}
    assert asyncio.get_running_loop().time() - started < 1


async def test_each_question_carries_a_pass_of_its_own(start):
    """The plugin knows the look-up by it, when the daemon asks about our question."""
    scripted, lookups = await start(says(200, {"Id": "4b"}))

    await lookups.answer(WEB)
    await lookups.answer(WEB)

    passes = Passes(KEY)
    for number in range(2):
        value = scripted.headers(number)[HEADER]
        for phase in Phase:
            passes.admit(value, "GET", "/containers/web/json", phase)


async def test_an_escaped_name_arrives_as_it_was_signed(start):
    """Nothing on the way decodes or cleans the target."""
    scripted, lookups = await start(says(200, {"Id": "4b"}))
    names = ["ghcr.io/a/b@sha256:00", "../info", "a b?c#d%2F", "ü", "a\r\nX: y", "...", "{}"]

    for name in names:
        await lookups.answer(Question(Topic.IMAGE, name))

    assert scripted.targets == [
        "/images/ghcr.io%2Fa%2Fb%40sha256%3A00/json?manifests=1",
        "/images/..%2Finfo/json?manifests=1",
        "/images/a%20b%3Fc%23d%252F/json?manifests=1",
        "/images/%C3%BC/json?manifests=1",
        "/images/a%0D%0AX%3A%20y/json?manifests=1",
        "/images/.../json?manifests=1",
        "/images/%7B%7D/json?manifests=1",
    ]
    passes = Passes(KEY)
    for number, target in enumerate(scripted.targets):
        passes.admit(scripted.headers(number)[HEADER], "GET", target, Phase.REQUEST)


async def test_what_is_no_name_is_not_sent(start):
    """The daemon hears nothing of it."""
    scripted, lookups = await start(says(200, {}))

    with pytest.raises(LookupFailedError, match="is no name of a volume"):
        await lookups.answer(Question(Topic.VOLUME, ""))

    assert scripted.requests == []


async def test_a_cookie_is_not_kept(start):
    """Each question stands alone."""
    scripted, lookups = await start(says(200, {}, head="Set-Cookie: a=b; Path=/\r\n"))

    await lookups.answer(WEB)
    await lookups.answer(WEB)

    assert "Cookie" not in scripted.headers(1)


async def test_what_the_daemon_is_is_believed_for_a_while(start):
    """Then it is asked again: a restart may have changed it."""
    now = [0.0]
    answers = [says(200, {"Version": number}) for number in range(2)]
    scripted, lookups = await start(*answers, clock=lambda: now[0])

    found = []
    for moment in (0.0, DAEMON_LASTS - 0.1, DAEMON_LASTS):
        now[0] = moment
        found.append(await lookups.answer(INFO))

    assert found == [{"Version": 0}, {"Version": 0}, {"Version": 1}]
    assert scripted.targets == ["/info", "/info"]


async def test_other_answers_are_not_kept(start):
    """An object may change between two questions."""
    _, lookups = await start(says(200, {"Id": "1"}), says(200, {"Id": "2"}))

    assert [await lookups.answer(WEB), await lookups.answer(WEB)] == [{"Id": "1"}, {"Id": "2"}]


async def test_two_who_ask_what_the_daemon_is_get_one_answer(start):
    """A burst of requests asks the slow question once."""
    scripted, lookups = await start(says(200, {"Version": 1}), says(200, {"Version": 2}))
    scripted.pause = 0.05

    answers = await asyncio.gather(*(lookups.answer(INFO) for _ in range(20)))

    assert answers == [{"Version": 1}] * 20
    assert scripted.targets == ["/info"]


async def test_a_failure_is_not_believed(start):
    """Who waited for the same answer asks again, and so does the next one."""
    scripted, lookups = await start(says(500, {"message": "starting"}), says(200, {"Version": 1}))
    scripted.pause = 0.02

    first, second = await asyncio.gather(
        lookups.answer(INFO), lookups.answer(INFO), return_exceptions=True
    )

    assert str(first) == "GET /info: status 500"
    assert second == {"Version": 1}


async def test_who_waits_for_the_same_answer_has_the_same_limit(start):
    """One that hangs does not hold up the others for longer than their own time."""
    _, lookups = await start(HANG, time_limit=0.2)
    started = asyncio.get_running_loop().time()

    ended = await asyncio.gather(*(lookups.answer(INFO) for _ in range(5)), return_exceptions=True)

    assert {str(error) for error in ended} == {"GET /info: no answer in time"}
    assert asyncio.get_running_loop().time() - started < 1


async def test_who_gives_up_leaves_the_question_to_the_others(start):
    """A cancelled request does not take the answer from the one that waits for it."""
    scripted, lookups = await start(HANG, says(200, {"Version": 1}))
    first = asyncio.ensure_future(lookups.answer(INFO))
    while not scripted.requests:  # noqa: ASYNC110  the server has no event to wait for
        await asyncio.sleep(0.01)
    second = asyncio.ensure_future(lookups.answer(INFO))
    await asyncio.sleep(0)

    first.cancel()

    assert await second == {"Version": 1}
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_closing_twice_is_harmless(start):
    """So is closing what was never used."""
    _, lookups = await start(says(200, {}))
    await lookups.close()
    await lookups.answer(WEB)

    await lookups.close()
    await lookups.close()


async def test_a_daemon_on_tcp_answers(monkeypatch):
    """Without a proxy that the environment names: passes go to the daemon and to nobody else."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    scripted = ScriptedDaemon([says(200, {"Id": "4b"})])
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    lookups = DaemonLookups(f"tcp://127.0.0.1:{port}", Passes(KEY))

    answer = await lookups.answer(WEB)

    assert answer == {"Id": "4b"}
    assert scripted.headers()["Host"] == f"127.0.0.1:{port}"
    await lookups.close()
    server.close()


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_daemon_with_tls_must_prove_itself(*, trusted):
    """A question with a pass goes to nobody who cannot."""
    authority = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    ours = ssl.create_default_context()
    (authority if trusted else trustme.CA()).configure_trust(ours)
    scripted = ScriptedDaemon([says(200, {"Id": "4b"})])
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=theirs)
    port = server.sockets[0].getsockname()[1]
    lookups = DaemonLookups(f"tcp://127.0.0.1:{port}", Passes(KEY), tls=lambda: ours)

    if trusted:
        assert [await lookups.answer(WEB) for _ in range(2)] == [{"Id": "4b"}] * 2
        assert scripted.connections == 1
        ours = ssl.create_default_context()
        trustme.CA().configure_trust(ours)  # as after a reload: no idle connection outlives it
        with pytest.raises(LookupFailedError, match="certificate verify failed"):
            await lookups.answer(WEB)
    else:
        with pytest.raises(LookupFailedError, match="certificate verify failed"):
            await lookups.answer(WEB)
        assert scripted.requests == []
    await lookups.close()
    server.close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/run/docker.sock",
        "unix:",
        "unix://",
        "unix:///",
        "unix://run/docker.sock",
        "unix:///a\0b",
        "http://127.0.0.1:2375",
        "TCP://127.0.0.1:2375",
        "tcp://",
        "tcp://:2375",
        "tcp://host",
        "tcp://host:",
        "tcp://host:0",
        "tcp://host:65536",
        "tcp://host:-1",
        "tcp://host:2375/",
        "tcp://host:2375/v1.47",
        "tcp://host:2375?x=1",
        "tcp://user:secret@host:2375",
        "tcp://[::1:2375",
        "tcp://ho st:2375",
        "tcp://host:2375\n",
        "npipe:////./pipe/docker_engine",
    ],
)
def test_another_form_of_address_is_refused(address):
    """At the start, not when the first request comes."""
    with pytest.raises(ConfigurationError, match=r"^daemon: is .*; expected unix:///path"):
        DaemonLookups(address, Passes(KEY))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:///run/docker.sock", ("/run/docker.sock", "", 0)),
        ("unix:///run/a%20b?c#d.sock", ("/run/a%20b?c#d.sock", "", 0)),
        ("tcp://127.0.0.1:2375", ("", "127.0.0.1", 2375)),
        ("tcp://docker_1.example:2376", ("", "docker_1.example", 2376)),
        ("tcp://[::1]:2375", ("", "::1", 2375)),
    ],
)
def test_both_forms_of_address_are_taken_literally(address, expected):
    """A socket's path is a path, whatever URLs think of its characters."""
    assert daemon.parse_address(address) == expected


async def test_the_same_bytes_are_the_same_document(start):
    """They are asked for each time, and read once; other bytes are read anew."""
    _, lookups = await start(*[says(200, {"Id": "4b"})] * 2, says(200, {"Id": "4c"}))

    first, again, other = [await lookups.answer(WEB) for _ in range(3)]

    assert again is first
    assert other == {"Id": "4c"}


async def test_few_documents_are_kept(start, monkeypatch):
    """And no big ones."""
    monkeypatch.setattr(daemon, "MOST_REMEMBERED", 2)
    _, lookups = await start(says(200, {"Id": "x" * daemon.REMEMBERED}), says(200, {}))

    for number in range(7):
        await lookups.answer(Question(Topic.CONTAINER, f"c{number}"))

    assert list(lookups._read) == ["/containers/c5/json", "/containers/c6/json"]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_stream_begins_with_nothing_and_flows(start):
    """So that its reader knows that it is open; it carries a pass."""
    scripted, lookups = await start(CHUNKED + b"2\r\n{}\r\n0\r\n\r\n")

    assert [piece async for piece in lookups.stream(events(1))] == [b"", b"{}"]
    assert scripted.targets == [events(1)]
    Passes(KEY).admit(scripted.headers()[HEADER], "GET", events(1), Phase.REQUEST)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(says(404, {"message": "x"}), "status 404"), (END, "GET /events"), (CHUNKED, "GET /events")],
)
async def test_a_stream_that_breaks_is_a_failure(start, answer, problem):
    """Whatever it said before."""
    scripted, lookups = await start(answer)
    scripted.close_after = True
    with pytest.raises(LookupFailedError, match=problem):
        assert [piece async for piece in lookups.stream(events(1))]


async def test_the_length_of_an_answer_is_known(start):
    """As the daemon wrote it; nothing has none."""
    _, lookups = await start(says(200, b'{"Id": "4b"}'), says(404, {"message": "no such"}))

    assert await lookups.sized(WEB) == ({"Id": "4b"}, 12)
    assert await lookups.sized(WEB) == (MISSING, 0)


async def test_what_the_daemon_is_stands_at_hand_while_it_is_believed(start):
    """For who asks for it."""
    now = 0.0
    _, lookups = await start(says(200, {"ID": "x"}), clock=lambda: now)

    assert lookups.at_hand((INFO,)) == {}
    await lookups.answer(INFO)
    assert lookups.at_hand((WEB, INFO)) == {INFO: {"ID": "x"}}
    assert lookups.at_hand((WEB,)) == {}
    now = DAEMON_LASTS
    assert lookups.at_hand((INFO,)) == {}


async def test_a_kept_connection_answers_without_a_task(start):
    """What it says means the same; each question has a pass of its own."""
    scripted, lookups = await start(says(200, {"Id": "1"}), says(404, {"message": "none"}))
    limits = Deadlines(1)
    assert not lookups.ready(WEB)
    assert await lookups.answer_soon(WEB, limits) is None
    await lookups.answer(WEB)

    assert lookups.ready(WEB)
    assert not lookups.ready(INFO)
    assert await lookups.answer_soon(WEB, limits) is MISSING
    assert lookups.ready(WEB)
    assert scripted.connections == 1
    assert len({scripted.headers(number)[HEADER] for number in (0, 1)}) == 2
    assert not limits._open


async def test_a_kept_connection_that_was_closed_gives_no_answer(start):
    """Whoever asks does so again, with a new one."""
    scripted, lookups = await start(says(200, {"Id": "1"}), END, says(200, {"Id": "2"}))
    await lookups.answer(WEB)

    assert await lookups.answer_soon(WEB, Deadlines(1)) is None
    assert not lookups.ready(WEB)
    assert await lookups.answer(WEB) == {"Id": "2"}
    assert scripted.connections == 2


@pytest.mark.parametrize(
    ("said", "problem"),
    [(b"nonsense\r\n\r\n", "no HTTP"), (says(500, {"message": "x"}), "status 500")],
)
async def test_a_failure_over_a_kept_connection_is_one(start, said, problem):
    """As over any other."""
    _, lookups = await start(says(200, {"Id": "1"}), said)
    await lookups.answer(WEB)

    with pytest.raises(LookupFailedError, match=problem):
        await lookups.answer_soon(WEB, Deadlines(1))


async def test_a_kept_connection_is_not_waited_for_too_long(start):
    """It is closed then, as its answer may still come."""
    _, lookups = await start(says(200, {"Id": "1"}), HANG)
    await lookups.answer(WEB)

    with pytest.raises(TimeoutError):
        await lookups.answer_soon(WEB, Deadlines(0.05))

    assert not lookups.ready(WEB)
