"""Daemons by their command lines and files, in a /proc made for the test."""

import gzip
import os
import socket
from pathlib import Path

import pytest

from authz.doctor.processes import Dockerd, behind, parse, read, running


def a_process(proc, pid, *words, exe="/usr/sbin/dockerd"):
    """Write what /proc tells of a daemon, with a file system of its own."""
    folder = proc / str(pid)
    (folder / "root").mkdir(parents=True)
    (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (folder / "exe").symlink_to(exe)
    (folder / "ns").mkdir()
    whose(folder)
    return folder


def whose(folder, uids=(0, 0, 0, 0), caps=-1, user=""):
    """Say who runs a process: its accounts, its capabilities, its user namespace."""
    place = folder / "ns" / "user"
    place.unlink(missing_ok=True)
    place.symlink_to(user or Path("/proc/self/ns/user").readlink())
    accounts = "\t".join(map(str, uids))
    mighty = f"{caps & 0x1FFFFFFFFFF:016x}"
    (folder / "status").write_text(f"Name:\tdockerd\nUid:\t{accounts}\nCapEff:\t{mighty}\n")


def a_file(folder, text, path="etc/docker/daemon.json"):
    """Write the daemon's settings where it sees them."""
    file = folder / "root" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["-H", "fd://"], {"host": ["fd://"]}),
        (["-Htcp://0.0.0.0:2375"], {"host": ["tcp://0.0.0.0:2375"]}),
        (["-H=unix:///a", "--host=unix:///b"], {"host": ["unix:///a", "unix:///b"]}),
        (["--tlsverify", "--icc=false"], {"tlsverify": ["true"], "icc": ["false"]}),
        (["--config-file", "/x.json", "stray"], {"config-file": ["/x.json"]}),
        (["-D", "--live-restore"], {"debug": ["true"], "live-restore": ["true"]}),
        (["--host"], {"host": ["true"]}),
    ],
)
def test_flags_are_read_as_the_daemon_does(words, flags):
    """Both spellings, short ones, several times, and switches without a value."""
    assert parse(words) == flags


def test_what_is_no_daemon_is_left_alone(tmp_path):
    """Its name is that of its program; whoever ends meanwhile is none."""
    a_process(tmp_path, 7, "/usr/bin/dockerd-not")
    a_process(tmp_path, 8, "/usr/bin/dockerd", "-H", "fd://")
    (tmp_path / "9").mkdir()
    (tmp_path / "self").mkdir()

    assert [each.pid for each in running(tmp_path)] == [8]


ORDINARY = 0xA80425FB
"""The capabilities of a container that nobody gave more."""


@pytest.mark.skipif(os.geteuid() != 0, reason="for others they are no danger")
@pytest.mark.parametrize("how", [{"caps": ORDINARY}, {"user": "user:[1]"}, {"caps": 0}])
def test_what_a_container_runs_is_no_daemon_of_this_host(tmp_path, how):
    """An installation runs the daemon's program as root: it must not be one of a container."""
    whose(a_process(tmp_path, 8, "dockerd"), **how)

    assert running(tmp_path) == []


@pytest.mark.parametrize("uids", [(1, 1, 1, 1), (1, 0, 0, 0)])
def test_what_another_account_calls_dockerd_is_none(tmp_path, uids):
    """Anybody can give his program that name, or start one that becomes root by it."""
    whose(a_process(tmp_path, 8, "dockerd"), uids)

    assert running(tmp_path) == []


@pytest.mark.parametrize("status", ["", "Name:\tdockerd\n", "Uid:\t0\nCapEff:\tx\n"])
def test_what_cannot_be_told_apart_is_no_daemon(tmp_path, status):
    """A process that ends meanwhile tells nothing."""
    file = a_process(tmp_path, 8, "dockerd") / "status"
    file.write_text(status)
    (a_process(tmp_path, 9, "dockerd") / "status").unlink()

    assert running(tmp_path) == []


def test_somebody_else_than_root_sees_the_daemon_and_his_own(tmp_path, monkeypatch):
    """He may do nothing by it that he may not do anyway."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    whose(a_process(tmp_path, 8, "dockerd"), caps=0)
    whose(a_process(tmp_path, 9, "dockerd"), [1000] * 4, user="user:[1]")
    whose(a_process(tmp_path, 10, "dockerd"), [1001] * 4)

    assert [each.pid for each in running(tmp_path)] == [8, 9]


def test_flags_lie_over_the_file(tmp_path):
    """The file is the one that the daemon sees, in its own file system."""
    folder = a_process(tmp_path, 8, "dockerd")
    file = a_file(folder, '{"icc": false, "hosts": ["fd://"], "debug": true}')

    found = read(8, ["dockerd", "--icc", "--authorization-plugin=x"], tmp_path)

    assert found.file == file
    assert found.switched_on("icc")
    assert found.switched_on("debug")
    assert not found.switched_on("tls")
    assert found.listed("hosts") == ("fd://",)
    assert found.listed("authorization-plugins") == ("x",)
    assert found.listed("icc") == ()


@pytest.mark.parametrize(
    ("text", "problem"), [("{", "is not JSON"), ("[]", "is not a JSON object")]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, text, problem):
    """The daemon goes on with what it has, until its next start."""
    a_file(a_process(tmp_path, 8, "dockerd"), text, "etc/other.json")

    found = read(8, ["dockerd", "--config-file=/etc/other.json"], tmp_path)

    assert found.problem.startswith(problem)
    assert found.settings == {"config-file": "/etc/other.json"}


def test_a_place_where_one_may_not_look_is_told(tmp_path):
    """As to anybody but root: another's file system is closed. Too long a name does it for root."""
    a_process(tmp_path, 8, "dockerd")

    assert read(8, ["dockerd", f"--config-file=/{'x' * 300}"], tmp_path).problem == (
        "File name too long"
    )


def test_a_relative_file_lies_where_the_daemon_was_started(tmp_path):
    """Which is not where we were."""
    folder = a_process(tmp_path, 8, "dockerd")
    words = ["dockerd", "--config-file", "mine.json"]
    assert read(8, words, tmp_path).file == folder / "cwd" / "mine.json"
    (tmp_path / "start").mkdir()
    (folder / "cwd").symlink_to(tmp_path / "start")
    (tmp_path / "start" / "mine.json").write_text('{"icc": false}')

    found = read(8, words, tmp_path)
    assert found.settings["icc"] is False
    assert found.file == tmp_path / "start" / "mine.json"  # there also after the daemon's end


def test_no_file_is_no_problem(tmp_path):
    """The defaults hold."""
    a_process(tmp_path, 8, "dockerd")

    assert read(8, ["dockerd", "--config-file=/nowhere.json"], tmp_path).problem == ""


def test_the_changes_are_those_of_the_program_that_runs(tmp_path):
    """One that was replaced on the disk says nothing about the one that runs."""
    usr = tmp_path / "tree" / "usr"
    folder = usr / "share" / "doc" / "docker.io"
    folder.mkdir(parents=True)
    with gzip.open(folder / "changelog.Debian.gz", "wt") as file:
        file.write("Fix CVE-1")
    a_process(tmp_path, 8, "dockerd", exe=f"{usr}/sbin/dockerd")
    a_process(tmp_path, 9, "dockerd", exe=f"{usr}/sbin/dockerd (deleted)")
    a_process(tmp_path, 10, "dockerd", exe="/opt/dockerd")
    a_process(tmp_path, 11, "dockerd", exe=f"{tmp_path}/usr/sbin/dockerd")

    assert [each.changes for each in running(tmp_path)] == ["Fix CVE-1", "", "", ""]


def test_the_daemon_behind_a_socket_is_the_one_that_listens(tmp_path):
    """Where systemd listens, or nobody, all that run count."""
    path = tmp_path / "d.sock"
    proc = tmp_path / "proc"
    a_process(proc, 8, "dockerd")
    a_process(proc, os.getpid(), "dockerd")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        ours = behind(f"unix://{path}", proc)
    nobody = behind(f"unix://{path}", proc)
    remote = behind("tcp://127.0.0.1:1", proc)

    assert [each.pid for each in ours] == [os.getpid()]
    assert len(nobody) == len(remote) == 2


def test_a_daemon_has_defaults():
    """Nothing is switched on, and nothing listed."""
    assert Dockerd(1).listed("hosts") == ()
