"""Bodies in the plain form: what is read at once, and what is left to the rules."""

import json

import pytest

from authz.docker.field_table import structures
from authz.docker.fields import read_by_rules
from authz.docker.gojson import fold
from authz.docker.plain import read_plain
from authz.docker.routes import load_operations
from bench.plugin import CREATE
from tests.builders import operation_named


def plain(document, name="ContainerCreate"):
    """Read a body that may be plain."""
    written = document if isinstance(document, str) else json.dumps(document)
    return read_plain(name, written.encode())


def test_what_the_command_line_sends_is_plain():
    """The document is the one that the rules give."""
    by_rules = read_by_rules(operation_named("ContainerCreate"), json.dumps(CREATE).encode())

    assert (plain(CREATE), ()) == by_rules


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Image": "a", "HostConfig": None, "Env": []},
        {"Cmd": "sleep", "Entrypoint": ["a", "b"]},
        {"ExposedPorts": {"80/tcp": {}}, "Labels": {"a": "b"}},
        {"HostConfig": {"ConsoleSize": [0, 1], "Ulimits": [{"Name": "a", "Hard": -1}]}},
        {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "1"}]}, "Memory": -(2**63)}},
        ' \n{"Image": "\\u00e9-0"}\t\r\n',
        '{"Image": "\\ud83d"}'.replace("\\ud83d", "\\u003c"),
    ],
)
def test_a_plain_body_is_read_as_by_the_rules(document):
    """Every form of type has a function."""
    written = document if isinstance(document, str) else json.dumps(document)

    found = plain(document)

    assert found is not None
    assert (found, ()) == read_by_rules(operation_named("ContainerCreate"), written.encode())


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "[]",
        "{",
        '{"Image": "a"} x',
        '{"Image": "a", "Image": "a"}',
        '{"Image": null, "Image": "a"}',
        '{"Labels": {"a": "b", "a": "c"}}',
        '{"image": "a"}',
        '{"Foo": null}',
        '{"Foo": 1}',
        '{"Image": 1}',
        '{"Image": "\\ud800"}',
        '{"Image": "\\ud83d\\ude00"}',
        '{"Image": NaN}',
        '{"Privileged": false}',
        '{"HostConfig": []}',
        '{"HostConfig": {"Memory": 1.0}}',
        '{"HostConfig": {"Memory": true}}',
        '{"HostConfig": {"Memory": 9223372036854775808}}',
        '{"HostConfig": {"ConsoleSize": [-0, 0]}}',
        '{"HostConfig": {"ConsoleSize": [0, 0, 0]}}',
        '{"HostConfig": {"Mounts": [null]}}',
        '{"HostConfig": {"Binds": {}}}',
        '{"Env": [null]}',
        '{"Env": [1]}',
        '{"Cmd": 1}',
        '{"Labels": []}',
        '{"Labels": {"a": null}}',
        '{"ExposedPorts": {"80/tcp": {"a": 1}}}',
        "[" * 100_000,
        '{"Image": "' + "a" * 5 + "\x01" + '"}',
        '{"HostConfig": {"Memory": ' + "1" * 5000 + "}}",
    ],
    ids=range(33),
)
def test_anything_else_is_left_to_the_rules(document):
    """Be it wrong, repeated, misspelt, null in a list, or only rare."""
    assert plain(document) is None


def test_bytes_that_are_no_text_are_left_to_the_rules():
    """And so is a mark before the document."""
    assert read_plain("ContainerCreate", b'{"Image": "\xff"}') is None
    assert read_plain("ContainerCreate", b'\xef\xbb\xbf{"Image": "a"}') is None


def test_a_body_that_is_a_list_is_left_to_the_rules():
    """Few operations have one."""
    assert plain([], "PluginSet") is None


def test_no_two_described_names_fold_to_one():
    """So a name comes twice only where it does so exactly: what the plain form rests on."""
    for struct in structures().values():
        assert len(set(map(fold, struct.fields))) == len(struct.fields)


def test_every_body_has_a_function():
    """No structure holds itself, which would have no end."""
    for operation in load_operations():
        if operation.body in {"json", "secret"} and structures()[operation.name].whole is None:
            assert plain({}, operation.name) == {}
