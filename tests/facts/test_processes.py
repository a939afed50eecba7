"""Processes in a container that runs already."""

import pytest

from authz.facts.facts import Fact
from authz.facts.processes import exec_create_facts, exec_start_facts
from authz.facts.questions import MISSING
from tests.builders import a_call, a_known, a_stored_container, words

WEB = a_stored_container(config={"User": "app"})
EXEC = {"ID": "e1", "ContainerID": "web", "ProcessConfig": {"user": "", "privileged": None}}


def started(process, operation="ExecStart"):
    """Describe the start of an exec that is stored."""
    stored = EXEC | {"ProcessConfig": process}
    known = a_known(exec={"e1": stored}, container={"web": WEB})
    return list(exec_start_facts(a_call(operation, "e1", {}), known))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"Cmd": ["sh"]}, ["exec.user:app"]),
        ({"User": "0:0"}, ["exec.user:root"]),
        ({"Privileged": True}, ["exec.privileged:true", "exec.user:app"]),
        ({"Tty": True}, ["exec.user:app", "exec.tty:on"]),
        ({"Env": ["A=b", "DB_PASSWORD=x"]}, ["exec.user:app", "env.secret:DB_PASSWORD"]),
        ({"Cmd": ["/usr/sbin/sshd", "-D"]}, ["exec.user:app", "cmd:sshd"]),
        (None, ["exec.user:app"]),
    ],
)
def test_a_new_process(body, expected):
    """What it adds to the container."""
    known = a_known(container={"web": WEB})

    assert words(exec_create_facts(a_call("ContainerExec", "web", body), known)) == expected


def test_a_process_in_a_container_that_is_not_there():
    """Nobody knows as whom it would run."""
    known = a_known(container={"web": MISSING})

    assert words(exec_create_facts(a_call("ContainerExec", "web", {}), known)) == [
        "exec.user:unset"
    ]


@pytest.mark.parametrize("operation", ["ExecStart", "ExecResize"])
def test_a_start_is_judged_by_what_was_stored(operation):
    """The exec may be somebody else's."""
    process = {"user": "root", "privileged": True, "tty": True, "entrypoint": "env"}
    process["arguments"] = ["dropbear"]

    assert started(process, operation) == [
        Fact("exec.privileged", "true", looked_up=True),
        Fact("exec.user", "root", looked_up=True),
        Fact("exec.tty", "on", looked_up=True),
        Fact("cmd", "dropbear", looked_up=True),
    ]


@pytest.mark.parametrize("process", [{}, {"user": "", "privileged": None, "tty": False}, None])
def test_a_start_of_an_ordinary_process(process):
    """It runs as the container does."""
    assert started(process) == [Fact("exec.user", "app", looked_up=True)]


def test_a_start_of_an_exec_that_is_not_there():
    """Nobody knows as whom it would run."""
    known = a_known(exec={"e1": MISSING})

    assert words(exec_start_facts(a_call("ExecStart", "/e1", {}), known)) == ["exec.user:unset"]
