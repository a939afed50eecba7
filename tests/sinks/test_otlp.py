"""Lines as log records of OpenTelemetry, and what becomes of them at a collector."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from structlog.testing import capture_logs

from authz.audit.trail import Line
from authz.sinks import otlp
from authz.sinks.otlp import Collector, batches, log_record, request
from authz.sinks.posting import Endpoint, Place
from tests.audit.logs import Log, a_log
from tests.fakes import Clock
from tests.sinks import collector as scripted
from tests.sinks.collector import TAKEN, answer, collecting, numbers


def lines(count: int) -> list[Line]:
    """Return so many lines."""
    return [Line(at, text) for at, text in enumerate(a_log(count).lines, 1)]


def attributes(record: dict) -> dict[str, str]:
    """Return the attributes of a record."""
    found = {each["key"]: each["value"] for each in record["attributes"]}
    return {key: value.get("stringValue", value.get("intValue")) for key, value in found.items()}


@contextmanager
def sending(port: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Collector]:
    """Send to a collector of this host."""
    to = Collector("otlp+http://test", Endpoint(Place("127.0.0.1", port, "/v1/logs")), clock)
    with closing(to):
        yield to


# --- what is sent -------------------------------------------------------------------------------


def test_a_record_has_the_line_and_what_one_searches_by():
    """64-bit numbers are strings, as the encoding wants them."""
    text = Log().add(
        verdict="deny",
        reason="rule",
        identity={"subject": "user:alice"},
        request={"action": "container.create"},
    )
    found = log_record(Line(1, text))

    assert found["body"] == {"stringValue": text.decode().rstrip("\n")}
    assert found["timeUnixNano"] == found["observedTimeUnixNano"] == "1782864000000000000"
    assert (found["severityNumber"], found["severityText"]) == (13, "WARN")
    assert found["attributes"][0] == {"key": "dockgate.seq", "value": {"intValue": "1"}}
    assert attributes(found) == {
        "dockgate.seq": "1",
        "dockgate.kind": "decision",
        "dockgate.id": "id-1",
        "dockgate.verdict": "deny",
        "dockgate.reason": "rule",
        "dockgate.subject": "user:alice",
        "dockgate.action": "container.create",
    }


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [("allow", (9, "INFO")), ("refuse", (13, "WARN")), (None, (10, "INFO2"))],
)
def test_a_verdict_is_a_severity(verdict: str | None, severity: tuple[int, str]):
    """The one that syslog has as well; what is no decision is a notice."""
    found = log_record(Line(1, Log().add(verdict=verdict, identity=None)))

    assert (found["severityNumber"], found["severityText"]) == severity
    assert "dockgate.subject" not in attributes(found)


@pytest.mark.parametrize(
    "text",
    [b'{"seq":7,nonsense\n', b'{"seq":7,"time":"2026-07-01"}\n', b'{"seq":7,"time":"\xff"}\n'],
)
def test_what_only_looks_like_a_line_is_sent_as_it_is(text: bytes):
    """With the time at which it was seen; the file is what proves anything."""
    before = time.time_ns()
    found = log_record(Line(7, text))

    assert found["body"]["stringValue"] == text.decode("ascii", errors="replace").rstrip("\n")
    assert "timeUnixNano" not in found
    assert before <= int(found["observedTimeUnixNano"]) <= time.time_ns()
    assert attributes(found) == {"dockgate.seq": "7"}


def test_a_name_that_is_no_text_spoils_no_request():
    """A collector would refuse all of it, and with it what comes behind, for ever."""
    found = log_record(
        Line(1, Log().add(identity={"subject": "user:\ud800\u00e9"}, reason=["\udfff"]))
    )

    assert attributes(found)["dockgate.subject"] == "user:?\u00e9"
    assert json.dumps(found).isascii()
    assert "\\ud800" not in json.dumps(attributes(found))
    assert "\\ud800" in found["body"]["stringValue"]


def test_a_request_says_whose_records_they_are():
    """The service, and the host."""
    (resource,) = json.loads(request(lines(2), "host.example"))["resourceLogs"]

    assert resource["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "dockgate"}},
        {"key": "host.name", "value": {"stringValue": "host.example"}},
    ]
    assert resource["scopeLogs"][0]["scope"] == {"name": "dockgate.audit"}
    assert len(resource["scopeLogs"][0]["logRecords"]) == 2


def test_requests_have_a_longest_size():
    """By number and by bytes; what is longer than that goes alone, and nothing is left out."""
    many = lines(otlp.MOST_LINES * 2 + 1)
    half = Line(1, b"x" * (otlp.MOST_BYTES // 2))
    large = Line(2, b"x" * (otlp.MOST_BYTES + 1))

    assert [len(each) for each in batches(many)] == [512, 512, 1]
    assert [line for each in batches(many) for line in each] == many
    assert list(batches([half, half, half])) == [[half, half], [half]]
    assert list(batches([half, large, half])) == [[half], [large], [half]]
    assert list(batches([])) == []


# --- what is answered ---------------------------------------------------------------------------


def test_what_was_answered_for_is_taken():
    """As JSON on the path of the settings; a body may be left out where all is well."""
    with collecting() as collector, sending(collector.port) as to:
        collector.script = [answer("200 OK", TAKEN), answer("200 OK"), answer("204 No Content")]
        rejected = [to.send(lines(3)) for _ in range(3)]

        assert to.settled()
    assert rejected == [0, 0, 0]
    assert numbers(collector.bodies[0]) == [1, 2, 3]
    assert "Content-Type: application/json" in collector.heads[0]


def test_lines_that_a_collector_throws_away_are_told_and_not_sent_again():
    """The protocol forbids it; which lines they may have been is in the log."""
    partial = b'{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}'
    with collecting() as collector, sending(collector.port) as to, capture_logs() as logs:
        collector.script = [answer("200 OK", partial)]
        rejected = to.send(lines(3))

    assert rejected == 2
    assert len(collector.bodies) == 1
    assert logs == [
        {
            "event": "audit.lines_rejected",
            "log_level": "error",
            "to": "otlp+http://test",
            "first": 1,
            "last": 3,
            "rejected": 2,
            "problem": "too old",
        }
    ]


def test_a_warning_is_told_once():
    """Not with every request; one that threw away more than it got counts what it got."""
    warned = answer("200 OK", b'{"partialSuccess":{"errorMessage":"soon gone"}}')
    absurd = answer("200 OK", b'{"partialSuccess":{"rejectedLogRecords":99}}')
    with collecting() as collector, sending(collector.port) as to, capture_logs() as logs:
        collector.script = [warned, warned, absurd]
        rejected = [to.send(lines(2)) for _ in range(3)]

    assert rejected == [0, 0, 2]
    assert [each["event"] for each in logs] == ["audit.collector_warned", "audit.lines_rejected"]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"[]",
        b"\xff",
        b"[" * 20000,
        b'{"partialSuccess":"x"}',
        b'{"partialSuccess":{"rejectedLogRecords":"x"}}',
        b'{"partialSuccess":{"rejectedLogRecords":[1]}}',
        b'{"partialSuccess":{"rejectedLogRecords":Infinity}}',
    ],
)
def test_a_page_of_somebody_else_is_no_receipt(body: bytes):
    """Though its status is 200: who answers so is no collector."""
    clock = Clock(1000.0)
    with collecting() as collector, sending(collector.port, clock) as to:
        collector.script = [answer("200 OK", body)]
        for _ in range(2):
            with pytest.raises(OSError, match="expected an ExportLogsServiceResponse in JSON"):
                to.send(lines(1))
        asked = len(collector.bodies)
        clock.now += otlp.REFUSED_PAUSE
        to.send(lines(1))

    assert asked == 1
    assert len(collector.bodies) == 2


@pytest.mark.parametrize("status", ["429 Too Many Requests", "502 X", "503 X", "504 X"])
@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7), ("999999999999", 300), ("0", 0), ("", 0), ("soon", 0), ("-5", 0), ("\xb2", 0)],
)
def test_a_collector_that_asks_for_time_gets_it(status: str, asked: str, waited: float):
    """Not all the time in the world; without a wish, the follower's own pauses hold."""
    clock = Clock(1000.0)
    with collecting() as collector, sending(collector.port, clock) as to:
        collector.script = [answer(status, b"", f"Retry-After: {asked}")]
        with pytest.raises(OSError, match=f"the collector answered {status[:3]}"):
            to.send(lines(1))
        clock.now += waited - 0.01
        if waited:
            with pytest.raises(OSError, match=f"the collector answered {status[:3]}"):
                to.send(lines(1))
        asked_early = len(collector.bodies)
        clock.now += 0.01
        to.send(lines(1))

    assert asked_early == 1
    assert len(collector.bodies) == 2


def test_a_time_to_come_back_can_be_a_date():
    """The other form that HTTP has; one that is past is no pause."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert 50 < otlp._pause(soon) <= 60
    assert otlp._pause("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert otlp._pause("Wed, 21 Oct 2015 07:28:00 -0000") == 0


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        ("400 Bad Request", b'{"message":"no\\nlogs"}', r"400 Bad Request: 'no\\nlogs'"),
        ("401 Unauthorized", b"<html>", "401 Unauthorized"),
        ("404 Not Found", b'{"message"', "404 Not Found"),
        ("500 Internal Server Error", b"[]", "500 Internal Server Error"),
        ("307 X", b"", "307 Temporary Redirect"),
        ("599 X", b"", "599"),
    ],
)
def test_lines_that_are_refused_stay(status: str, body: bytes, problem: str):
    """Nothing is passed over: the same lines are sent when a minute has gone."""
    clock = Clock(1000.0)
    with collecting() as collector, sending(collector.port, clock) as to:
        collector.script = [answer(status, body)]
        with pytest.raises(OSError, match=f"^the collector answered {problem}$") as raised:
            to.send(lines(2))
        clock.now += otlp.REFUSED_PAUSE - 1
        with pytest.raises(OSError, match=problem) as again:
            to.send(lines(2))
        clock.now += 1
        to.send(lines(2))

    assert str(raised.value) == str(again.value)
    assert [numbers(each) for each in collector.bodies] == [[1, 2], [1, 2]]


def test_what_is_too_much_is_sent_in_parts():
    """In order, each once; of a line that is too much alone what says most, with a word."""
    large = answer("413 Content Too Large")
    with collecting() as collector, sending(collector.port) as to, capture_logs() as logs:
        collector.script = [large, large]
        to.send(lines(4))
        in_parts = [numbers(each) for each in collector.bodies]
        collector.script = [large]
        line = Line(5, Log().add(verdict="allow", facts=["x" * 1000]))
        to.send([line])
        cut = scripted.log_records(collector.bodies[-1])[0]

    assert in_parts == [[1, 2, 3, 4], [1, 2], [1], [2], [3, 4]]
    assert json.loads(cut["body"]["stringValue"])["cut"] == len(line.text)
    assert [each["event"] for each in logs] == ["audit.line_cut"]


def test_who_finds_everything_too_much_gets_nothing_and_loses_nothing():
    """The position stays where it is."""
    with collecting() as collector, sending(collector.port) as to, capture_logs():
        collector.script = [answer("413 Content Too Large")] * 20
        with pytest.raises(OSError, match="413"):
            to.send(lines(4))

    assert len(collector.bodies) < 10
