"""Who reaches the daemon's socket and ports."""

import grp
import os
import pwd
import socket
from pathlib import Path

import pytest

from authz.doctor import reach
from authz.doctor.processes import Dockerd
from authz.doctor.reach import RawSocket, look, members, socket_findings, tcp_findings

ROOTS = RawSocket(Path("/run/docker.sock"), "root", "docker", 0o660, (), stranger=False)
ALICES = RawSocket(Path("/run/docker.sock"), "root", "docker", 0o660, ("alice",), stranger=False)
OPEN = RawSocket(Path("/run/docker.sock"), "root", "root", 0o666, (), stranger=True)
BOBS = RawSocket(Path("/run/docker.sock"), "bob", "root", 0o600, (), stranger=False)
HOST = "tcp://10.0.0.1:2376"

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")


@pytest.fixture
def sock(tmp_path):
    """Listen on a socket below folders that everybody may pass."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    path = tmp_path / "d.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield path


@root_only
@pytest.mark.parametrize(("mode", "reached"), [(0o666, True), (0o660, False), (0o600, False)])
def test_whether_a_stranger_connects_is_tried(sock, mode, reached):
    """As an account without any rights."""
    sock.chmod(mode)

    assert look(sock).stranger is reached


@root_only
def test_a_folder_can_keep_strangers_away(sock):
    """The mode of the socket is not all."""
    sock.chmod(0o666)
    sock.parent.chmod(0o700)

    assert not look(sock).stranger


def test_without_root_the_mode_must_do(sock, monkeypatch):
    """Who may not become somebody else goes by what is written."""
    monkeypatch.setattr(reach.os, "geteuid", lambda: 1000)
    sock.chmod(0o666)
    assert look(sock).stranger
    sock.chmod(0o660)
    assert not look(sock).stranger


def test_a_socket_that_is_not_there_is_nobodys(tmp_path):
    """Then there is nothing to reach."""
    assert look(tmp_path / "none") is None


def test_ids_without_a_name_are_shown_as_numbers(sock):
    """As ls does."""
    if os.geteuid() == 0:
        os.chown(sock, 54_321, 54_321)
        found = look(sock)
        assert (found.owner, found.group, found.members) == ("54321", "54321", ())
    assert "d.sock (" in str(look(sock))


def test_members_are_those_of_either_kind(monkeypatch):
    """Whose first group it is, and who was added; root is in any case."""
    group = grp.struct_group(("docker", "x", 999, ["root", "alice"]))
    bob = pwd.struct_passwd(("bob", "x", 1001, 999, "", "/", ""))
    carol = pwd.struct_passwd(("carol", "x", 1002, 100, "", "/", ""))
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    monkeypatch.setattr(pwd, "getpwall", lambda: [bob, carol])

    assert members(999) == ("alice", "bob")
    assert members(0) == ()


@pytest.mark.parametrize(
    ("raw", "version", "proxied", "expected"),
    [
        (ROOTS, "26.1.5", True, []),
        (ROOTS, "29.7.2", False, []),
        (OPEN, "26.1.5", True, ["socket-open"]),
        (OPEN, "29.2.0", False, ["socket-open", "engine-grpc"]),
        (BOBS, "26.1.5", False, ["socket-owner"]),
        (ALICES, "26.1.5", True, ["socket-group"]),
        (ALICES, "29.7.2", True, ["socket-group", "engine-grpc"]),
        (ALICES, "", False, ["socket-group"]),
    ],
)
def test_who_gets_past_the_gate_is_told(raw, version, proxied, expected):
    """From 29.2 on a plugin guards nothing on a socket that others reach."""
    assert [each.id for each in socket_findings(raw, version, proxied=proxied)] == expected


def test_members_weigh_more_where_the_proxy_is_the_door():
    """There they go around it; a plugin at least is asked."""
    around, asked = (
        socket_findings(ALICES, "26.1.5", proxied=proxied)[0] for proxied in (True, False)
    )

    assert "alice" in around.what
    assert (around.weight, asked.weight) == ("high", "medium")


@pytest.mark.parametrize(
    ("settings", "proxied", "expected"),
    [
        ({"hosts": ["fd://", "unix:///run/docker.sock"]}, True, []),
        ({"hosts": [HOST]}, False, ["tcp-open"]),
        ({"hosts": [HOST], "tls": True}, False, ["tcp-open"]),
        ({"hosts": ["127.0.0.1:2375", ":2376", "fd://", ""]}, False, ["tcp-open"] * 2),
        ({"hosts": [HOST], "tlsverify": True}, False, []),
        ({"hosts": [HOST], "tlsverify": True}, True, ["tcp-around"]),
    ],
)
def test_ports_are_told(settings, proxied, expected):
    """Without tlsverify anybody is root; with it, people still go around the proxy."""
    found = tcp_findings([Dockerd(1, settings=settings)], proxied=proxied)

    assert [each.id for each in found] == expected


def test_it_is_told_where_a_port_comes_from():
    """A flag is not taken out of a file."""
    by_flag = Dockerd(1, flags={"host": [HOST]}, settings={"hosts": [HOST]})

    assert "command line" in tcp_findings([by_flag], proxied=False)[0].fix
    assert (
        "daemon.json"
        in tcp_findings([Dockerd(1, settings={"hosts": [HOST]})], proxied=False)[0].fix
    )
