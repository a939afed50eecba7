"""Where lines are sent, by its name in the settings."""

import socket
from pathlib import Path

import pytest

from authz.audit.trail import Line
from authz.errors import ConfigurationError
from authz.sinks.otlp import Collector
from authz.sinks.output import Output
from authz.sinks.streams import Datagrams, Trust
from authz.sinks.syslog import Counted
from authz.sinks.targets import follower, transport


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        ("stdout", Output),
        ("journald", Datagrams),
        ("journald:///run/journal", Datagrams),
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
    ("protocol", "begins"), [("syslog", b"<108>1 "), ("journald", b"MESSAGE=")]
)
def test_a_unix_socket_hears_its_protocol(protocol: str, begins: bytes, tmp_path: Path):
    """What the settings call it decides, not where it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(5)
        sender = transport(f"{protocol}://{tmp_path}/log", Trust())
        sender.send([Line(1, b'{"seq":1,"verdict":"deny"}\n')])
        sender.close()

        assert server.recv(4096).startswith(begins)


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
