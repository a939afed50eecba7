"""The file behind ``--given``: three ways to write it, and what is wrong with it."""

import pytest

from authz.cli.given import read_given
from authz.errors import ConfigurationError
from authz.facts.questions import MISSING, Question, Topic


@pytest.fixture
def given(tmp_path):
    """Return a way to read what a file says."""

    def read(text):
        path = tmp_path / "given.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_given(path)

    return read


def test_without_a_file_nothing_is_known():
    """And nothing is made up."""
    assert read_given(None) == {}


@pytest.mark.parametrize("before", ["", "given.", "case.given."])
def test_tables_may_be_pasted_from_a_policy_test(given, before):
    """With what stands before them there."""
    answers = given(
        f'[{before}container.web]\nowner = "user:alice"\n'
        f"[{before}volume.data]\nmissing = true\n"
        f'[{before}daemon]\nDefaultRuntime = "runc"\n'
    )

    assert answers[Question(Topic.VOLUME, "data")] is MISSING
    assert answers[Question(Topic.DAEMON, "")] == {"DefaultRuntime": "runc"}
    web = answers[Question(Topic.CONTAINER, "web")]
    assert web["Config"]["Labels"] == {"dockgate.owner": "user:alice"}


@pytest.mark.parametrize("text", ["", "[given]\n", "[case.given]\n", "# nothing\n"])
def test_an_empty_file_tells_nothing(given, text):
    """It is no mistake."""
    assert given(text) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[containers.web]\n", "given.containers is not known; expected one of container"),
        ("[container.web]\n[given.volume.data]\n", "given.given is not known"),
        ("[[case]]\nname = 'x'\n", "given.case is not known"),
        ("[case]\nname = 'x'\n[case.given.container.web]\n", "given.name is not known"),
        ("given = 1\n", "given.given is not known"),
        ("container = 'web'\n", "given.container is 'web'; expected a table"),
        ("[container]\nweb = 1\n", "given.container.web is 1; expected a table"),
        ("[container\n", "given.toml: not TOML: "),
        ("container = " + "[" * 50_000, "are nested too deeply"),
        (b"[container.\xff]\n", "given.toml: byte 11 is not UTF-8"),
    ],
)
def test_a_file_that_says_something_else_is_a_mistake(given, text, message):
    """A table that is not read would leave a fact unknown without a word."""
    with pytest.raises(ConfigurationError, match=message):
        given(text)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path, name):
    """With its path and the system's reason."""
    with pytest.raises(ConfigurationError, match=r"cannot be read: (No such file|Is a directory)"):
        read_given(tmp_path / name)
