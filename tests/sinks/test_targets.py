"""Where lines are sent, by its name in the settings."""

from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.sinks.journald import Journal
from authz.sinks.output import Output
from authz.sinks.streams import Trust
from authz.sinks.syslog import Counted, Datagrams
from authz.sinks.targets import follower, transport


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        ("stdout", Output),
        ("journald", Journal),
        ("journald:///run/journal", Journal),
        ("syslog:///dev/log", Datagrams),
        ("syslog+tcp://log.example:601", Counted),
        ("syslog+tls://[::1]:6514", Counted),
    ],
)
def test_every_place_has_its_protocol(to: str, kind: type):
    """Nothing is connected yet."""
    with open("/dev/null", "w") as null, pytest.MonkeyPatch.context() as patch:  # noqa: PTH123
        patch.setattr("sys.stdout", null)
        assert isinstance(transport(to, Trust()), kind)


@pytest.mark.parametrize("to", ["", "file", "syslog://host", "http://host:1", "syslog+tcp://host"])
def test_another_one_is_told(to: str):
    """With what was expected."""
    with pytest.raises(
        ConfigurationError, match=r"audit\.forward: to is .*; expected stdout, jour"
    ):
        transport(to, Trust())


def test_each_place_has_a_position_of_its_own(tmp_path: Path):
    """Beside the file; it is no file of the audit."""
    path = tmp_path / "audit.jsonl"
    one = follower(path, "syslog:///dev/log", Trust())
    other = follower(path, "journald", Trust())

    assert one._state != other._state
    assert one._state.parent == tmp_path
    assert one.name == "syslog:///dev/log"
