"""Who connects where: proofs, caps, the end of the service."""

import asyncio
import os
import ssl
import subprocess
import sys
from contextlib import suppress

import pytest
import trustme
from structlog.testing import capture_logs

from authz.errors import AuditUnavailableError, Reason, RefusedError
from authz.identity.chain import anonymous
from authz.identity.peercred import peer
from authz.proxy import listener
from authz.proxy.evidence import Accounts
from tests.fakes import until
from tests.proxy.scripted import OK, a_stage
from tests.proxy.test_connection import ATTACH, echoing

GET = b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
VERSION = GET.replace(b"/info", b"/version")
ASK = """
import os, socket, sys
os.setgroups([4242]); os.setgid(4343); os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(bytes.fromhex(sys.argv[3]))
    sys.stdout.buffer.write(b"".join(iter(lambda: s.recv(65536), b"")))
"""


async def as_account(stage, uid: int, request: bytes) -> bytes:
    """Ask as another account of this host."""
    command = [sys.executable, "-c", ASK, str(stage.address), str(uid), request.hex()]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    return done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
async def test_two_accounts_on_one_socket_get_different_answers(tmp_path):
    """From their uid alone; the record has the numbers."""
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    async with a_stage(tmp_path, methods=(peer,)) as stage:
        stage.address.chmod(0o666)
        by_root = await stage.ask(VERSION)
        by_other = await as_account(stage, 4_000_000, VERSION)

    assert by_root.startswith(b"HTTP/1.1 403 ")
    assert b"for user:root" in by_root
    assert by_other.startswith(b"HTTP/1.1 200 ")
    root, other = (record.identity for record in stage.sink.records)
    assert (root.subject, root.uid, root.pid) == ("user:root", 0, os.getpid())
    assert (other.subject, other.uid, other.gid) == ("user:#4000000", 4_000_000, 4343)
    assert other.groups == ("group:os/#4343", "group:os/#4242")
    assert other.pid != root.pid
    assert {record.context["source"] for record in stage.sink.records} == {""}


async def test_broken_framing_is_recorded_with_its_sender(tmp_path):
    """Whether a head could be read or not."""
    async with a_stage(tmp_path, methods=(peer,)) as stage:
        await stage.ask(b"GET /info HTTP/1.1\nHost: x\n\n")
        await stage.ask(GET.replace(b"Connection", b"Upgrade: h2c\r\nConnection: Upgrade, x"))

    assert [record.identity.uid for record in stage.sink.records] == [os.getuid()] * 2
    assert {record.reason for record in stage.sink.records} == {Reason.UNREADABLE_REQUEST}


async def test_an_account_that_cannot_be_named_is_refused(tmp_path, monkeypatch):
    """A directory that does not answer is a failure, and lets in nobody."""

    async def failing(*_):
        raise RefusedError(Reason.LOOKUP_FAILED, "no directory")

    monkeypatch.setattr(Accounts, "resolve", failing)
    async with a_stage(tmp_path, methods=(peer,)) as stage:
        answer = await stage.ask(GET)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"dockgate: failed: no directory (lookup_failed)" in answer
    assert stage.daemon.connections == 0


async def test_without_a_proof_it_is_401(tmp_path):
    """Where the listener wants one; the connection goes on."""
    async with a_stage(tmp_path, methods=(peer,), tcp=True) as stage:
        answer = await stage.ask(GET.replace(b"Host", b"X-Forwarded-For: 10.0.0.1\r\nHost"))

    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert stage.daemon.connections == 0
    assert stage.sink.records[0].reason.value == "no_credential"
    assert stage.sink.records[0].context["source"] == "127.0.0.1"


async def test_tls_shows_its_certificate(tmp_path):
    """The evidence has the leaf, and says that both sides proved themselves."""
    seen = []

    def looking(evidence):
        seen.append(evidence)
        return anonymous(evidence)

    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_OPTIONAL
    for certified in (True, False):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(client)
        if certified:
            authority.issue_cert("client@example.com").configure_cert(client)
        folder = tmp_path / str(certified)
        folder.mkdir()
        async with a_stage(folder, methods=(looking,), tls=server, tcp=True) as stage:
            reader, writer = await stage.connect(client)
            writer.write(GET.replace(b"Host", b"Authorization: Bearer abc\r\nHost"))
            async with asyncio.timeout(5):
                assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.close()

    assert [evidence.tls for evidence in seen] == ["mutual", "server"]
    assert {evidence.source for evidence in seen} == {"127.0.0.1"}
    assert seen[0].certificates[0].startswith("-----BEGIN CERTIFICATE-----")
    assert seen[0].bearer == "abc"
    assert seen[1].certificates == ()
    assert seen[0].listener == "test"
    assert [evidence.source for evidence in seen] == ["127.0.0.1", "127.0.0.1"]


async def test_there_are_only_so_many_of_one(tmp_path, monkeypatch):
    """Of one caller, and in all; who leaves makes room."""
    monkeypatch.setattr(listener, "MOST_OF_ONE", 2)
    async with a_stage(tmp_path) as stage:
        first = await stage.connect()
        second = await stage.connect()
        await until(lambda: len(stage.server._connections) == 2)
        third, writer = await stage.connect()
        async with asyncio.timeout(5):
            assert await third.read() == b""
        writer.close()
        second[1].close()
        await until(lambda: len(stage.server._connections) == 1)
        assert stage.metrics.registry.get_sample_value("dockgate_proxy_connections") == 1
        assert (await stage.ask(GET)).startswith(OK[:16])
        first[1].close()


async def test_a_connection_does_not_outlive_its_authority(tmp_path, monkeypatch):
    """A reload takes one away; who came without a certificate stays."""
    monkeypatch.setattr(listener, "AGAIN", 0.02)
    authority, other = trustme.CA(), trustme.CA()
    contexts = []
    for trusted in ((authority, other), (authority,)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        for each in trusted:
            each.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        contexts.append(context)
    client, nobody = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
    for each in (client, nobody):
        authority.configure_trust(each)
    other.issue_cert("client@example.com").configure_cert(client)
    async with a_stage(tmp_path, tls=contexts[0], tcp=True) as stage:
        reader, writer = await stage.connect(client)
        _, further = await stage.connect(nobody)
        await until(lambda: len(stage.server._contexts) == 1)
        await asyncio.sleep(0.1)
        assert not reader.at_eof()
        object.__setattr__(stage.server._listener, "tls", lambda: contexts[1])
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        assert len(stage.server._connections) == 1
        assert not stage.server._contexts
        writer.close()
        further.close()


async def test_handshakes_count_from_their_first_moment(tmp_path, monkeypatch):
    """Who begins very many and says nothing has no more room than others."""
    monkeypatch.setattr(listener, "MOST_OF_ONE", 2)
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    async with a_stage(tmp_path, tls=server, tcp=True) as stage:
        silent = [await stage.connect() for _ in range(2)]
        await until(lambda: len(stage.server._connections) == 2)
        third, writer = await stage.connect()
        async with asyncio.timeout(5):
            assert await third.read() == b""
        writer.close()
        for _, each in silent:
            each.close()
        await until(lambda: not stage.server._connections)
        reader, writer = await stage.connect(client)
        writer.write(GET)
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(OK[:16])
        writer.close()
        await until(lambda: not stage.server._callers)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_defect_ends_its_connection_alone(tmp_path, others):
    """Whether or not its record waits for those of others, who go on; the log has the traceback."""

    def broken(_evidence):
        raise AssertionError("defect")

    async with a_stage(tmp_path) as stage:
        monkey = stage.server._services
        object.__setattr__(monkey, "sign", broken)
        idle = [await stage.connect() for _ in range(others)]
        with capture_logs() as logs, suppress(ConnectionResetError):
            assert await stage.ask(GET) == b""
        assert [entry["event"] for entry in logs] == ["connection.failed"]
        object.__setattr__(monkey, "sign", lambda _: ())
        assert (await stage.ask(GET)).startswith(OK[:16])
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("fault", [None, AuditUnavailableError("disk full")])
async def test_records_of_several_connections_share_a_write(tmp_path, fault):
    """Nothing is sent on before it, nor without it; whoever is alone waits for nobody's."""
    async with a_stage(tmp_path) as stage:
        await stage.ask(GET)  # from here on the names of the account are known
        found = []
        append, stage.sink.fault = stage.sink.append, fault

        def appending(*records, **more):
            found.append((len(records), len(stage.daemon.heads)))
            append(*records, **more)

        stage.sink.append = appending
        pair = [await stage.connect() for _ in range(2)]
        await until(lambda: len(stage.server._connections) == 2)
        for _, writer in pair:
            writer.write(GET)
        answers = [await reader.read() for reader, _ in pair]
        for _, writer in pair:
            writer.close()

    assert found[0] == (2, 1)
    assert [answer[9:12] for answer in answers] == [b"503" if fault else b"200"] * 2
    assert len(stage.daemon.heads) == (1 if fault else 3)


async def test_the_end_waits_for_answers_and_cuts_the_rest(tmp_path):
    """A second for what is being answered; idle connections and tunnels are closed."""

    def slow(daemon):
        async def script(reader, writer):
            await daemon.head(reader)
            await asyncio.sleep(0.2)
            writer.write(OK)

        return script

    async with a_stage(tmp_path, slow) as stage:
        idle, one = await stage.connect()
        busy, two = await stage.connect()
        two.write(GET)
        await until(lambda: stage.daemon.heads)
        await stage.server.close()
        assert (await busy.read()).endswith(b"hi")
        with suppress(ConnectionResetError):
            assert await idle.read() == b""
        one.close()
        two.close()


async def test_a_stream_does_not_outlive_rights(tmp_path, monkeypatch):
    """A reload, or the end of a proof, cuts what is under way; what may go on goes on."""
    monkeypatch.setattr(listener, "AGAIN", 0.02)
    proofs = {"hold": True}

    def proving(evidence):
        if not proofs["hold"]:
            raise RefusedError(Reason.BAD_CREDENTIAL, "it has expired")
        return anonymous(evidence)

    async with a_stage(tmp_path, echoing, methods=(proving,)) as stage:
        for end in ("proof", "policy"):
            reader, writer = await stage.connect()
            writer.write(ATTACH)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.1)
            assert stage.metrics.registry.get_sample_value("dockgate_proxy_streams") == 1
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
            if end == "proof":
                proofs["hold"] = False
            else:
                (stage.bundle / "policy.csv").write_text(
                    "p, *, *, system.ping, on:host, *, allow\n"
                )
                stage.policy.reload()
            async with asyncio.timeout(5):
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()
            proofs["hold"] = True

    reasons = [record.reason.value for record in stage.sink.records]
    assert reasons == ["rule", "bad_credential", "rule", "no_rule"]


async def test_a_judgement_waits_for_whatever_it_needs(tmp_path, monkeypatch):
    """Begun without a task, it has one behind its first wait; until then nothing is sent on."""
    named = asyncio.get_running_loop().create_future()

    async def waiting(_self, found, _last):
        await named
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
        return found.credentials

    monkeypatch.setattr(Accounts, "resolve", waiting)
    async with a_stage(tmp_path, methods=(peer,)) as stage:
        asking = asyncio.create_task(stage.ask(GET))
        await asyncio.sleep(0.1)
        assert stage.daemon.connections == 0
        named.set_result(None)
        assert (await asking).startswith(b"HTTP/1.1 200 ")


async def test_what_needs_a_task_and_does_not_wait_for_one_lets_nothing_through(
    tmp_path, monkeypatch
):
    """A defect, and it ends the connection."""

    async def hasty(_self, found, _last):
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
        return found.credentials

    monkeypatch.setattr(Accounts, "resolve", hasty)
    async with a_stage(tmp_path, methods=(peer,)) as stage:
        assert await stage.ask(GET) == b""
        assert stage.daemon.connections == 0


async def test_what_still_waits_at_the_end_is_given_up(tmp_path, monkeypatch):
    """Whenever it comes, nothing is sent on."""
    named = asyncio.get_running_loop().create_future()

    async def waiting(_self, found, _last):
        await named
        return found.credentials

    monkeypatch.setattr(Accounts, "resolve", waiting)
    monkeypatch.setattr(listener, "SHUTDOWN_TIME", 0.1)
    async with a_stage(tmp_path, methods=(peer,)) as stage:
        asking = asyncio.create_task(stage.ask(GET))
        await asyncio.sleep(0.1)
        await stage.server.close()
        named.set_result(None)
        await asyncio.sleep(0.05)
        with suppress(ConnectionError):
            assert await asking == b""
        assert stage.daemon.connections == 0


async def test_requests_sent_ahead_take_turns_with_others(tmp_path):
    """A thousand refusals in one piece are a thousand answers, and hold up nobody."""
    many = 1000
    ahead = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * many
    async with a_stage(tmp_path) as stage:
        reader, writer = await stage.connect()
        writer.write(ahead + GET)
        await until(lambda: stage.sink.records)
        other = await stage.ask(GET)
        before = len(stage.sink.records)
        async with asyncio.timeout(10):
            answers = await reader.read()
        writer.close()

    assert other.startswith(b"HTTP/1.1 200 ")
    assert before < many
    assert answers.count(b"HTTP/1.1 403 ") == many
    assert answers.endswith(b"hi")
