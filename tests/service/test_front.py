"""The proxy out of settings: what is opened, and what is found wrong before that."""

import os
import socket
import stat

import pytest
import trustme
from structlog.testing import capture_logs

from authz.docker.forward import Forward, Plan
from authz.errors import ConfigurationError, PolicyError
from authz.identity.bearer import Bearer
from authz.identity.certificate import Certificate
from authz.identity.chain import anonymous
from authz.identity.peercred import peer
from authz.lookups.lookup_pass import HEADER, Passes, Phase
from authz.metrics import Metrics
from authz.policy.current import CurrentPolicy
from authz.policy.grants import Grants
from authz.proxy.evidence import Accounts
from authz.proxy.listener import Shared
from authz.proxy.outcome import End, Outcome
from authz.proxy.upstream import Daemon
from authz.runner import Parts, Runner
from authz.service import front
from authz.service.sections import Listen, Settings
from tests.fakes import ScriptedLookups, ScriptedSink

JWT = {
    "issuer": "https://issuer.example",
    "audience": "dockgate",
    "jwks": "https://issuer.example/keys",
    "algorithms": ["ES256"],
}


@pytest.fixture(scope="module")
def policy():
    """Load a bundle."""
    return CurrentPolicy("builtin:admin")


@pytest.fixture
def files(tmp_path):
    """Write what a TLS listener needs."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return {
        "certificate": tmp_path / "cert.pem",
        "key": tmp_path / "key.pem",
        "client_ca": [tmp_path / "ca.pem"],
    }


def settings(*listens: dict, **more) -> Settings:
    """Return settings of a proxy."""
    return Settings(proxy={"listen": list(listens)}, **more)


def entrances(opened: front.Front, said: Settings):
    """Return what each server demands."""
    shared = Shared(None, Daemon(said.daemon), Metrics(), Accounts(), 1000, lambda _: ())
    return [server._listener.entrance for server in front.servers(opened, shared)]


def test_a_unix_socket_is_for_whom_the_settings_say(tmp_path, policy):
    """Its mode and group; folders on the way are made."""
    path = tmp_path / "run" / "docker.sock"
    said = settings(
        {
            "address": f"unix://{path}",
            "identity": ["peer"],
            "socket": {"mode": "0660", "group": str(os.getgid())},
        }
    )
    with front.opened(said, policy) as opened:
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == os.getgid()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
        assert opened.paths == (path,)
        assert opened.further == ()
        assert entrances(opened, said)[0].methods == (peer,)
    assert not path.exists()


def test_no_container_may_reach_what_a_listener_goes_by(tmp_path):
    """Who can write its policy, or whom it believes, need not ask any more."""
    tls = {"certificate": "/c", "key": "/k", "client_ca": ["/ca"], "crl": "/crl"}
    said = settings(
        {
            "address": "tcp://127.0.0.1:0",
            "identity": ["certificate"],
            "tls": tls,
            "policy": "/srv/team-a",
        },
        {"address": f"unix://{tmp_path}/a", "insecure": True, "policy": "builtin:admin"},
    )
    opened = tuple(front.Opened(each, None, None, None, None) for each in said.proxy.listen)

    assert set(map(str, front.Front(opened, None).paths)) == {
        *("/c", "/k", "/ca", "/crl", "/srv/team-a"),
        f"{tmp_path}/a",
    }


def test_a_listener_filters_if_the_settings_say_so(tmp_path, policy):
    """And none does otherwise."""
    said = settings(
        {"address": f"unix://{tmp_path}/a.sock", "identity": ["peer"], "filter": True},
        {"address": f"unix://{tmp_path}/b.sock", "identity": ["peer"]},
    )
    shared = Shared(None, Daemon(said.daemon), Metrics(), Accounts(), 1000, lambda _: ())
    with front.opened(said, policy) as opened:
        made = front.servers(opened, shared)

        assert [server._listener.filters for server in made] == [True, False]


def test_each_listener_has_methods_policy_and_tenant_of_its_own(tmp_path, policy, files):
    """Several at once."""
    said = settings(
        {"address": f"unix://{tmp_path}/a.sock", "identity": ["peer", "jwt"]},
        {
            "address": "tcp://127.0.0.1:0",
            "identity": ["certificate"],
            "tls": files,
            "policy": "builtin:read-only",
            "tenant": "ci",
        },
        identity={"jwt": JWT},
    )
    with front.opened(said, policy) as opened:
        first, second = entrances(opened, said)
        assert first.methods[0] is peer
        assert isinstance(first.methods[1], Bearer)
        assert first.policy is policy
        assert isinstance(second.methods[0], Certificate)
        assert (second.tenant, second.policy) == ("ci", opened.further[0])
        assert opened.paths[1] == files["key"]
        before = opened.opened[1].tls()
        opened.renew()
        assert opened.opened[1].tls() is not before
        files["certificate"].write_text("broken")
        after = opened.opened[1].tls()
        with pytest.raises(ConfigurationError):
            opened.renew()
        assert opened.opened[1].tls() is after


def test_grants_lie_over_the_policy_of_every_listener(policy, tmp_path):
    """Whoever is let through somewhere is known by name, not by where he comes in."""
    held = Grants()
    own = {"address": f"unix://{tmp_path}/p.sock", "identity": ["peer"]}
    said = settings({**own, "policy": "builtin:read-only"})
    with front.opened(said, policy, grants=held) as opened:
        assert opened.further[0].snapshot.grants is held


def test_a_revocation_list_is_read_again(policy, files, tmp_path):
    """With the other files; what is none is named at start."""
    (tmp_path / "crl.pem").write_text("nonsense")
    said = settings(
        {
            "address": "tcp://127.0.0.1:0",
            "identity": ["certificate"],
            "tls": files | {"crl": tmp_path / "crl.pem"},
        }
    )
    with pytest.raises(ConfigurationError, match=r"crl\.pem"), front.opened(said, policy):
        pass


def test_one_broken_file_holds_no_other_back(policy, files):
    """Each that cannot be read is named; the rest is as it is in the files."""
    listen = {"address": "tcp://127.0.0.1:0", "identity": ["jwt"], "tls": files}
    other = files | {"certificate": files["certificate"].with_name("other.pem")}
    other["certificate"].write_bytes(files["certificate"].read_bytes())
    said = settings({**listen, "tls": other}, listen, identity={"jwt": JWT})
    with front.opened(said, policy) as opened:
        first, second = (each.tls for each in opened.opened)
        before = first(), second()
        other["certificate"].write_text("nonsense")
        with pytest.raises(ConfigurationError, match=r"other\.pem"):
            opened.renew()
        assert opened.tokens[1]._outdated
        assert first() is before[0]
        assert second() is not before[1]


def test_insecurity_is_loud(policy):
    """A listener that lets in anybody says so."""
    said = settings({"address": "tcp://127.0.0.1:0", "insecure": True})
    with capture_logs() as logs, front.opened(said, policy) as opened:
        assert entrances(opened, said)[0].methods == (anonymous,)

    assert [entry["event"] for entry in logs] == ["listener.insecure"]


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ({"address": "unix:///s", "identity": []}, "names no identity"),
        ({"address": "tcp://127.0.0.1:1", "identity": ["peer"]}, "expected a unix address"),
        ({"address": "tcp://127.0.0.1:1", "identity": ["certificate"]}, "expected tls"),
        ({"address": "tcp://0.0.0.0:1", "identity": ["jwt"]}, "tcp in the clear"),
        ({"address": "tcp://0.0.0.0:1"}, "names no identity"),
        ({"address": "http://x", "identity": ["jwt"]}, "expected unix:///path"),
        (
            {"address": "tcp://127.0.0.1:1", "identity": ["jwt"], "socket": {}},
            "expected a unix one",
        ),
        (
            {
                "address": "unix:///s",
                "identity": ["jwt"],
                "tls": {"certificate": "a", "key": "b"},
            },
            "tls on a unix address",
        ),
    ],
)
def test_a_listener_that_proves_nothing_is_a_mistake(listen, problem):
    """Before anything is opened."""
    with pytest.raises(ValueError, match=problem):
        Listen.model_validate(listen)


def test_tokens_need_an_issuer():
    """A method without settings would let in nobody."""
    with pytest.raises(ValueError, match=r"expected \[identity.jwt\]"):
        settings({"address": "unix:///s", "identity": ["jwt"]})


def test_what_cannot_be_opened_is_named(tmp_path, policy, files):
    """A taken port, an unknown group, a key that does not fit, a bundle that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for listen, kind in (
            ({"address": f"tcp://127.0.0.1:{port}", "identity": ["jwt"]}, ConfigurationError),
            (
                {
                    "address": f"unix://{tmp_path}/a.sock",
                    "identity": ["peer"],
                    "socket": {"group": "no-such-group"},
                },
                ConfigurationError,
            ),
            (
                {
                    "address": "tcp://127.0.0.1:0",
                    "identity": ["certificate"],
                    "tls": files | {"key": files["certificate"]},
                },
                ConfigurationError,
            ),
            (
                {"address": "unix:///s", "identity": ["peer"], "policy": str(tmp_path / "absent")},
                PolicyError,
            ),
        ):
            said = settings(listen, identity={"jwt": JWT})
            with pytest.raises(kind) as caught, front.opened(said, policy):
                pass
            assert "Errno" not in str(caught.value)
    assert not (tmp_path / "a.sock").exists()


def test_what_is_sent_on_is_signed_where_a_plugin_may_ask(tmp_path):
    """With both doors, or with a key file for the other process."""
    sent = Forward("POST", "/v1.41/containers/create", (), b"{}", Plan())
    passes = Passes(b"k" * 32)
    listen = {"address": f"unix://{tmp_path}/a.sock", "identity": ["peer"]}

    assert front.signing(settings(listen), passes)(sent) == ()
    ((name, token),) = front.signing(settings(listen, plugin={}), passes)(sent)
    assert name == HEADER
    passes.admit(token, sent.method, sent.target, Phase.REQUEST)


def test_a_daemon_behind_tls_is_known_by_its_files(policy, files):
    """Which are read again with the others."""
    tls = {"ca": files["client_ca"][0], "certificate": files["certificate"], "key": files["key"]}
    said = settings(
        {"address": "tcp://127.0.0.1:0", "identity": ["jwt"]},
        identity={"jwt": JWT},
        daemon="tcp://daemon.example:2376",
        daemon_tls=tls,
    )
    with front.opened(said, policy) as opened:
        before = opened.daemon_tls()
        opened.renew()
        assert opened.daemon_tls() is not before


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_record_has_how_each_request_ended(policy, wanted):
    """Where it is wanted; the log has streams in any case."""
    sink = ScriptedSink()
    parts = Parts((anonymous,), policy, ScriptedLookups(), Passes(b"k" * 32), sink, outcomes=wanted)
    runner = Runner(parts)

    with capture_logs() as logs:
        front.recording(runner)(
            Outcome("id-1", 101, 3, 5, 0.5, End.CLIENT, taken_over=True, entries=3, hidden=1)
        )
    runner.close()

    assert [log["event"] for log in logs] == ["stream.closed"]
    assert [members for _, members in sink.notes] == [
        {
            "id": "id-1",
            "status": 101,
            "bytes_in": 3,
            "bytes_out": 5,
            "took_us": 500_000,
            "ended": "client",
            "entries": 3,
            "hidden": 1,
        }
    ] * wanted
