"""The daemon's settings with a plugin more, or one less."""

import json
from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.install.daemon_json import back_up, complaint, text_of, with_plugin, without_plugin

WHERE = Path("/etc/docker/daemon.json")


@pytest.mark.parametrize(
    ("before", "names"),
    [
        ("", ["dockgate"]),
        ("{}", ["dockgate"]),
        ('{"authorization-plugins": ["other"]}', ["other", "dockgate"]),
        ('{"authorization-plugins": ["dockgate", "other"]}', ["other", "dockgate"]),
        ('{"authorization-plugins": null}', ["dockgate"]),
    ],
)
def test_we_come_last(before, names):
    """Others are asked before, and stay."""
    assert json.loads(with_plugin(before, "dockgate", WHERE))["authorization-plugins"] == names


def test_what_else_is_there_stays_as_it_is():
    """In its order and its indentation, letters of other languages included."""
    before = '{\n    "b": "ü",\n    "a": [\n        1\n    ]\n}\n'

    after = with_plugin(before, "dockgate", WHERE)

    assert after.startswith(before[:-3] + ",\n    ")
    assert json.loads(without_plugin(after, "dockgate", WHERE)) == json.loads(before)
    assert with_plugin(after, "dockgate", WHERE) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"authorization-plugins": ["dockgate"]}', {}),
        ('{"authorization-plugins": ["dockgate", "x"]}', {"authorization-plugins": ["x"]}),
    ],
)
def test_only_our_name_goes(before, after):
    """And the list, where we were alone in it."""
    assert json.loads(without_plugin(before, "dockgate", WHERE)) == after


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (with_plugin, '{"debug":true,"authorization-plugins":["x","dockgate"]}'),
        (without_plugin, '{"debug":true,"authorization-plugins":["x"]}'),
        (without_plugin, '{"debug":true}'),
        (without_plugin, ""),
    ],
)
def test_what_says_so_already_stays_to_the_letter(change, text):
    """Nobody's file is written anew for its form."""
    assert change(text, "dockgate", WHERE) == text


@pytest.mark.parametrize("change", [with_plugin, without_plugin])
@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is no JSON object"),
        ('{"authorization-plugins": "x"}', "expected a list of names"),
        ('{"authorization-plugins": [1]}', "expected a list of names"),
    ],
)
def test_what_the_daemon_could_not_read_is_left_alone(change, before, said):
    """It is told where and what, and that nothing was changed."""
    with pytest.raises(ConfigurationError, match=f"/etc/docker/daemon.json: .*{said}.*nothing"):
        change(before, "dockgate", WHERE)


def test_a_mark_of_the_encoding_is_no_part_of_it():
    """The daemon takes a byte order mark since 23.0; what is no UTF-8 is left alone."""
    assert text_of(b'\xef\xbb\xbf{"a": "\xc3\xbc"}', WHERE) == '{"a": "ü"}'
    with pytest.raises(
        ConfigurationError, match=r"daemon\.json: is not UTF-8; nothing was changed"
    ):
        text_of(b'{"a": "\xfc"}', WHERE)


def test_a_copy_is_kept_beside(tmp_path):
    """Each time another one, closed as the file was; of no file none."""
    file = tmp_path / "daemon.json"
    assert back_up(file) is None
    file.write_text("{}")
    file.chmod(0o600)

    first, second = back_up(file), back_up(file)

    assert first != second
    assert (first.read_text(), first.stat().st_mode & 0o777) == ("{}", 0o600)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('test "$1 $2" = "--validate --config-file" && test -s "$3"', ""),
        ("echo unknown flag: --validate >&2; exit 125", None),
        ("echo 'bad key: x' >&2; exit 1", "bad key: x"),
    ],
)
def test_the_daemons_program_checks_it(tmp_path, script, expected):
    """Where it can."""
    program = tmp_path / "dockerd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)

    assert complaint("{}", [str(program)]) == expected


def test_a_program_that_is_not_there_cannot_check():
    """That is no complaint about the settings."""
    assert complaint("{}", ["/nowhere/dockerd"]) is None
