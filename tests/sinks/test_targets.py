"""Where lines are sent, by its name in the settings."""

from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.sinks.journald import Journal
from authz.sinks.otlp import Collector
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
        ("otlp+http://tls:4318/v1/logs", Collector),
        ("otlp+https://[::1]:4318/otlp/v1/logs", Collector),
    ],
)
def test_every_place_has_its_protocol(to: str, kind: type):
    """Nothing is connected yet."""
    with open("/dev/null", "w") as null, pytest.MonkeyPatch.context() as patch:  # noqa: PTH123
        patch.setattr("sys.stdout", null)
        assert isinstance(transport(to, Trust()), kind)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "file",
        "syslog://host",
        "http://host:1",
        "syslog+tcp://host",
        "syslog+tcp://host:0",
        "syslog+tcp://host:65536",
        "syslog+tcp://host:1/v1/logs",
        "otlp+http://host:4318",
        "otlp+http://host/v1/logs",
        "otlp+http://user:word@host:4318/v1/logs",
        "otlp+http://host:4318/v1/logs?x=1",
        "otlp+http://host:4318/v1/logs HTTP/1.1",
        "otlp+grpc://host:4317/v1/logs",
    ],
)
def test_another_one_is_told(to: str):
    """With what was expected."""
    with pytest.raises(
        ConfigurationError, match=r"audit\.forward: to is .*; expected stdout, jour"
    ):
        transport(to, Trust())


def test_only_what_says_so_is_encrypted():
    """The name of a host says nothing."""
    tls = [
        transport(f"{to}/v1/logs", Trust())._endpoint._tls is not None
        for to in ("otlp+http://https:1", "otlp+https://http:1")
    ]
    tls += [
        transport(to, Trust())._stream._tls is not None
        for to in ("syslog+tcp://tls:1", "syslog+tls://tcp:1")
    ]

    assert tls == [False, True, False, True]


def test_each_place_has_a_position_of_its_own(tmp_path: Path):
    """Beside the file; it is no file of the audit."""
    path = tmp_path / "audit.jsonl"
    one = follower(path, "syslog:///dev/log", Trust())
    other = follower(path, "journald", Trust())

    assert one._state != other._state
    assert one._state.parent == tmp_path
    assert one.name == "syslog:///dev/log"
