"""Whether the daemon asks us, and whether we answer."""

from pathlib import Path

import pytest

from authz.doctor.plugins import answer_findings, is_asked, listed, name_of, order_findings
from authz.doctor.processes import Dockerd
from tests.scripted_http import scripted


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (["dockgate"], True, []),
        (["other", "dockgate"], True, []),
        (["registry.corp/dockgate:latest"], True, []),
        (["dockgate", "other"], True, ["plugin-order"]),
        ([], True, []),
        (["dockgate"], False, ["plugin-missing"]),
        ([], False, ["plugin-missing"]),
    ],
)
def test_we_must_be_asked_last(names, asked, expected):
    """A plugin behind us may deny what our record says was allowed."""
    assert [each.id for each in order_findings(names, "dockgate", asked=asked)] == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((403, b'{"message":"plugin x: dockgate: refused: the pass is not genuine"}'), True),
        ((403, b'{"message":"plugin other: no"}'), False),
        ((200, b"OK"), False),
    ],
)
def test_a_forged_pass_shows_whether_we_are_asked(tmp_path, answer, expected):
    """Nobody else would refuse it, and we do in any mode."""
    with scripted(tmp_path / "d", {"GET /_ping": answer}) as daemon:
        assert is_asked(f"unix://{tmp_path}/d") is expected

    assert daemon.asked[0][1]["Dockgate-Pass"] == "0.0"


def test_whoever_denies_under_our_name_is_asked(tmp_path):
    """Though it is not us."""
    said = b'{"message":"authorization denied by plugin dockgate: no"}'
    with scripted(tmp_path / "d", {"GET /_ping": (403, said)}):
        assert is_asked(f"unix://{tmp_path}/d", name="dockgate")
        assert not is_asked(f"unix://{tmp_path}/d", name="other")


def test_the_settings_are_newer_than_the_daemons_word():
    """A reload does not change what the daemon tells; several daemons tell nothing."""
    one = Dockerd(1, settings={"authorization-plugins": ["b"]})
    told = {"Plugins": {"Authorization": ["a"]}}

    assert listed(told, [one]) == ("b",)
    assert listed(told, [one, Dockerd(2)]) == ("a",)
    assert listed(told, [Dockerd(2)]) == ("a",)
    assert listed({"Plugins": {"Authorization": None}}, []) == listed({}, []) == ()


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
