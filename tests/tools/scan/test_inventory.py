"""What a daemon says of itself."""

import socket as sockets

import pytest

from authz.errors import ConfigurationError
from authz.facts.questions import MISSING, Question, Topic
from authz.tools.scan.inventory import SERVICE as SERVICE_LABEL
from authz.tools.scan.inventory import Daemon
from tests.scanned import SERVICE, WEB, a_daemon, serving


@pytest.fixture
def socket(tmp_path):
    """Return a path for a socket."""
    return tmp_path / "d.sock"


async def test_containers_and_services_are_listed(socket):
    """With what the daemon is; a task is seen as its service."""
    labels = {SERVICE_LABEL: "s1"}
    task = {**WEB, "Id": "7a", "Config": {**WEB["Config"], "Labels": labels}}
    with serving(socket, a_daemon(WEB, task, services=[SERVICE])) as address:
        async with Daemon(address) as daemon:
            found = await daemon.inventory()
    assert [each["Id"] for each in found.containers] == [WEB["Id"]]
    assert [each["ID"] for each in found.services] == ["s1"]
    assert found.api == (1, 41)


async def test_a_daemon_without_a_swarm_has_no_services(socket):
    """And a container that ended meanwhile is not there."""
    table = a_daemon(WEB)
    del table[f"/containers/{WEB['Id']}/json"]
    with serving(socket, table) as address:
        async with Daemon(address) as daemon:
            found = await daemon.inventory()
    assert (found.containers, found.services) == ((), ())


@pytest.mark.parametrize(
    ("where", "told", "problem"),
    [
        ("/containers/json?all=1", {}, "a JSON list of objects that have Id"),
        ("/containers/json?all=1", [1], "a JSON list of objects that have Id"),
        ("/containers/json?all=1", [{"Id": 1}], "a JSON list of objects that have Id"),
        ("/services", [{"Name": "x"}], "a JSON list of objects that have ID"),
        (f"/containers/{WEB['Id']}/json", [], "a JSON object"),
    ],
)
async def test_what_has_another_form_is_no_empty_list(socket, where, told, problem):
    """A daemon that answers oddly runs nobody knows what."""
    with serving(socket, {**a_daemon(WEB), where: (200, told)}) as address:
        async with Daemon(address) as daemon:
            with pytest.raises(ConfigurationError, match=f"GET .*: expected {problem}"):
                await daemon.inventory()


async def test_questions_are_answered_as_far_as_that_goes(socket, tmp_path):
    """An object, none, one that nobody can tell, and a path of this host."""
    (tmp_path / "link").symlink_to("/etc")
    table = a_daemon(**{"/networks/a": (200, {"Name": "a"}), "/networks/b": (500, {})})
    questions = [
        Question(Topic.NETWORK, "a"),
        Question(Topic.NETWORK, "b"),
        Question(Topic.NETWORK, "c"),
        Question(Topic.NETWORK, ".."),
        Question(Topic.PATH, str(tmp_path / "link")),
        Question(Topic.PATH, "relative"),
    ]
    with serving(socket, table) as address:
        async with Daemon(address) as daemon:
            found = await daemon.answers(questions)
    assert found == {
        questions[0]: {"Name": "a"},
        questions[2]: MISSING,
        questions[4]: {"path": "/etc"},
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"/version": (200, {})}, "the daemon's API version is None"),
        ({"/version": (200, [])}, "the daemon's API version is None"),
        ({"/version": (403, {"message": "no"})}, "GET /version: status 403 no"),
        ({"/info": (200, b"<html>")}, "GET /info: no JSON"),
        ({"/containers/json?all=1": (500, "x")}, "GET /containers/json?all=1: status 500"),
    ],
)
async def test_a_daemon_that_does_not_say_is_told(change, said, socket):
    """With what it was asked."""
    with serving(socket, a_daemon() | change) as address, pytest.raises(ConfigurationError) as e:
        async with Daemon(address) as daemon:
            await daemon.inventory()
    assert str(e.value).endswith(said)


@pytest.mark.parametrize("address", ["unix://", "docker", "http://x", "tcp://a b:1", "tcp://a"])
async def test_an_address_of_another_form_is_refused(address):
    """Before anybody is asked."""
    with pytest.raises(ConfigurationError, match=r"expected unix:///path/to\.sock or tcp://"):
        async with Daemon(address):
            pass


async def test_a_daemon_that_is_not_there_is_told(socket):
    """Over a socket and over TCP; paths of another host are not looked at."""
    async with Daemon(f"unix://{socket}") as daemon:
        with pytest.raises(ConfigurationError, match=rf"{socket}: cannot connect: No such file or"):
            await daemon.inventory()
    async with Daemon("tcp://127.0.0.1:1") as daemon:
        with pytest.raises(ConfigurationError, match=r"connect: Connection refused$"):
            await daemon.inventory()
        assert await daemon.answers([Question(Topic.PATH, "/etc")]) == {}


async def test_a_daemon_that_is_silent_is_not_waited_for(socket, monkeypatch):
    """Longer than a while."""
    monkeypatch.setattr("authz.tools.scan.inventory.TIME_LIMIT", 0.05)

    listener = sockets.socket(sockets.AF_UNIX)
    listener.bind(str(socket))
    listener.listen()
    async with Daemon(f"unix://{socket}") as daemon:
        with pytest.raises(ConfigurationError, match="no answer in time"):
            await daemon.inventory()
    listener.close()
