"""Whether the daemon asks us, and whether we answer."""

from pathlib import Path

import pytest

from authz.doctor.plugins import answer_findings, in_force, name_of, order_findings
from authz.doctor.processes import Dockerd
from tests.scripted_http import scripted


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dockgate"], []),
        (["other", "dockgate"], []),
        (["registry.corp/dockgate:latest"], []),
        (["dockgate", "other"], ["plugin-order"]),
        (["dockgate-2"], ["plugin-missing"]),
        ([], ["plugin-missing"]),
    ],
)
def test_we_must_be_asked_last(names, expected):
    """A plugin behind us may deny what our record says was allowed."""
    assert [each.id for each in order_findings(names, "dockgate")] == expected


def test_the_daemon_itself_says_whom_it_asks():
    """Its settings stand in where it says nothing."""
    daemon = Dockerd(1, settings={"authorization-plugins": ["b"]})

    assert in_force({"Plugins": {"Authorization": ["a"]}}, [daemon]) == ("a",)
    assert in_force({"Plugins": {"Authorization": None}}, [daemon]) == ("b",)
    assert in_force({}, []) == ()


@pytest.mark.parametrize("path", ["/run/docker/plugins/dg.sock", "/run/docker/plugins/dg/dg.sock"])
def test_the_name_is_that_of_the_socket(path):
    """In both places where the daemon looks."""
    assert name_of(Path(path)) == "dg"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b'{"Implements":["authz"]}', []), (b'{"Implements":["volume"]}', ["plugin-silent"])],
)
def test_a_plugin_says_what_it_is(tmp_path, text, expected):
    """As the daemon asks it at its start."""
    with scripted(tmp_path / "s", {"POST /Plugin.Activate": (200, text)}):
        assert [each.id for each in answer_findings(tmp_path / "s")] == expected


def test_a_plugin_that_is_not_there_is_told(tmp_path):
    """The daemon refuses everything then."""
    assert [each.id for each in answer_findings(tmp_path / "s")] == ["plugin-silent"]
