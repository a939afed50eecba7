"""Which commands start a login server."""

import pytest

from authz.facts.catalogue import catalogue
from authz.facts.programs import _SERVERS, create_program, exec_program, reduced
from authz.facts.questions import MISSING
from tests.builders import a_known, words

SSHD = ["/usr/sbin/sshd", "-D"]


def told(config, image=None):
    """Return what is said of a create, and of the same with no more than decides it."""
    given = MISSING if image is None else {"Config": image}
    known = a_known(image={"app": given})
    found = words(create_program({"Image": "app", **config}, known))
    assert words(create_program({"Image": "app", **config, **reduced(config)}, known)) == found
    return found


@pytest.mark.parametrize(
    ("words_", "server"),
    [
        (["sshd"], "sshd"),
        (SSHD, "sshd"),
        (["/opt/bin/dropbear", "-F"], "dropbear"),
        (["in.telnetd"], "in.telnetd"),
        (["sh", "-c", "/usr/sbin/sshd -D"], "sshd"),
        (["/bin/sh", "-c", "exec /usr/sbin/sshd -D"], "sshd"),
        (["bash", "-lc", "mkdir -p /run/sshd && ssh-keygen -A; exec '/usr/sbin/sshd' -D"], "sshd"),
        (["sh", "-ec", "if true; then sshd; fi"], "sshd"),
        (["sh", "-ec", "set -e\nsshd &\nwait"], "sshd"),
        (["sh", "-c", "sshd"], "sshd"),
        (["sh", "-c", "echo 'a; sshd b"], "sshd"),
        (["sh", "-c", "echo 'a"], ""),
        (["sh", "-c", 'exec "$@"', "--", "sshd"], "sshd"),
        (["tini", "-g", "--", "sshd", "-D"], "sshd"),
        (["/usr/bin/dumb-init", "--", "nice", "-n", "10", "telnetd"], "telnetd"),
        (["env", "-i", "PATH=/bin:/sbin", "rshd"], "rshd"),
        (["gosu", "root", "sshd"], "sshd"),
        (["timeout", "5m", "sshd"], "sshd"),
        (["service", "ssh", "start"], "sshd"),
        (["sh", "-c", "service ssh start && tail -f /dev/null"], "sshd"),
        (["/docker-entrypoint.sh", "sshd"], "sshd"),
        (["busybox", "telnetd", "-F"], "telnetd"),
        (["service", "nginx", "start"], ""),
        (["service"], ""),
        (["ssh", "host"], ""),
        (["pgrep", "sshd"], ""),
        (["echo", "sshd -D"], ""),
        (["/srv/sshd/run"], ""),
        (["sh", "-c", "echo hi"], ""),
        (["sh", "-c", "sh -c 'sshd -D'"], ""),
        (["env"], ""),
        (["env"] * 80 + ["sshd"], ""),
        (["sh", "-c", ";" * 80 + "sshd"], "sshd"),
        (["sh", "-c", "a;" * 80 + "sshd"], ""),
        (["sh", "-c", "x" * 5000 + "; sshd"], ""),
        (["SSHD"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_a_login_server_is_told_by_its_name(words_, server):
    """At the beginning of a command, and behind what only starts another program."""
    expected = [f"cmd:{server}"] if server else []

    assert words(exec_program(words_)) == expected
    assert told({"Cmd": words_}) == expected


@pytest.mark.parametrize(
    ("config", "image", "server"),
    [
        ({}, {"Cmd": SSHD}, "sshd"),
        ({}, {"Entrypoint": SSHD}, "sshd"),
        ({}, {"Entrypoint": ["/entrypoint.sh"], "Cmd": SSHD}, "sshd"),
        ({}, {"Entrypoint": ["nginx"], "Cmd": SSHD}, ""),
        ({}, {"Entrypoint": None, "Cmd": None}, ""),
        ({}, None, ""),
        ({"Cmd": []}, {"Cmd": SSHD}, "sshd"),
        ({"Cmd": ["ls"]}, {"Cmd": SSHD}, ""),
        ({"Cmd": SSHD}, {"Entrypoint": ["tini", "--"]}, "sshd"),
        ({"Cmd": ["-c", "sshd -D"]}, {"Entrypoint": ["sh"]}, "sshd"),
        ({"Cmd": SSHD}, {"Entrypoint": ["cat"]}, ""),
        ({"Entrypoint": ["tini"]}, {"Entrypoint": SSHD, "Cmd": SSHD}, ""),
        ({"Entrypoint": []}, {"Entrypoint": ["cat"], "Cmd": SSHD}, "sshd"),
        ({"Entrypoint": [""], "Cmd": SSHD}, {"Entrypoint": ["cat"]}, "sshd"),
        ({"Entrypoint": [""]}, {"Cmd": SSHD}, ""),
        ({"Entrypoint": SSHD}, {"Cmd": ["ls"]}, "sshd"),
        ({"Entrypoint": ["sh", "-c"], "Cmd": ["sshd -D"]}, None, "sshd"),
        ({"Healthcheck": {"Test": ["CMD", "sshd"]}}, None, "sshd"),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "pidof x || sshd"]}}, None, "sshd"),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "pgrep sshd"]}}, None, ""),
        ({"Healthcheck": {"Test": ["NONE", "sshd"]}}, None, ""),
        ({"Healthcheck": {}}, None, ""),
    ],
)
def test_an_image_s_choice_counts_where_nothing_takes_its_place(config, image, server):
    """As the daemon puts both together: an entry point takes the image's command away."""
    assert told(config, image) == ([f"cmd:{server}"] if server else [])


def test_a_container_without_an_image_asks_for_none():
    """A create needs one, and is refused by the daemon."""
    known = a_known()

    assert words(create_program({"Cmd": SSHD}, known)) == ["cmd:sshd"]
    assert not known.pending


def test_every_server_is_a_value_of_the_kind():
    """The table lists them, so that a row with another word is a mistake that `check` finds."""
    listed = catalogue().kinds["cmd"].value.removeprefix("enum:").split("|")

    assert sorted(listed) == sorted(_SERVERS)


def test_no_argument_is_left_of_a_command():
    """What is remembered holds no secret, and most programs are the same one."""
    body = {"Cmd": ["mysql", "-psecret"], "Entrypoint": ["tini", "-v"], "Image": "app"}

    assert reduced(body) == {"Cmd": ["other"], "Entrypoint": ["exec"]}
    assert reduced({"Cmd": [], "Entrypoint": None}) == {"Cmd": []}
    assert reduced({}) == {}


@pytest.mark.parametrize(("scripts", "server"), [(4, ["cmd:sshd"]), (5, [])])
def test_only_so_many_scripts_are_looked_at(scripts, server):
    """A body full of them would take a tenth of a second, whoever sends it."""
    assert words(exec_program(['true; exec "$@"'] * scripts + ["sshd"])) == server
