"""Lines as log records of OpenTelemetry: OTLP/HTTP in its JSON encoding (OTLP 1.x).

The body of a record is the line itself; its attributes are what one searches by.
A batch counts as taken when the collector has said so. One that it will not have
is not passed over: it is asked again, later, until somebody has put that right.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import structlog

from authz.audit.query import table
from authz.audit.trail import Line
from authz.sinks.posting import Answer, Endpoint
from authz.sinks.syslog import host_name, shortened

MOST_LINES = 512
MOST_BYTES = 1024 * 1024
"""Of lines in one request; a line that is longer goes alone."""

LONGEST_PAUSE = 300.0
"""Seconds that a collector can ask us to wait."""
REFUSED_PAUSE = 60.0
"""Seconds until a collector is asked again that will not have what was sent."""

INFO: Final = (9, "INFO")
NOTICE: Final = (10, "INFO2")
WARN: Final = (13, "WARN")

_SEVERITIES = {"allow": INFO, "deny": WARN, "refuse": WARN}
_PASSING = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_LONGEST_SAYING = 200

log = structlog.get_logger(__name__)


def batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Yield the lines in order, in as many requests as their number and size want."""
    begin, size = 0, 0
    for at, line in enumerate(lines):
        if at > begin and (at - begin == MOST_LINES or size + len(line.text) > MOST_BYTES):
            yield lines[begin:at]
            begin, size = at, 0
        size += len(line.text)
    if lines:
        yield lines[begin:]


def request(lines: Sequence[Line], host: str) -> bytes:
    """Return an ``ExportLogsServiceRequest`` of lines."""
    resource = [_text("service.name", "dockgate"), _text("host.name", host)]
    scope = {
        "scope": {"name": "dockgate.audit"},
        "logRecords": [log_record(each) for each in lines],
    }
    found = {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [scope]}]}
    return json.dumps(found, separators=(",", ":")).encode("ascii")


def log_record(line: Line) -> dict[str, Any]:
    """Return a line as a ``LogRecord``: the line itself, and what one searches by."""
    record = line.record()
    identity, asked = table(record, "identity"), table(record, "request")
    number, text = _SEVERITIES.get(str(record.get("verdict")), NOTICE)
    attributes = {
        "dockgate.kind": record.get("kind"),
        "dockgate.id": record.get("id"),
        "dockgate.verdict": record.get("verdict"),
        "dockgate.reason": record.get("reason"),
        "dockgate.subject": identity.get("subject"),
        "dockgate.action": asked.get("action"),
    }
    written = _nanoseconds(record.get("time"))
    return {
        **({"timeUnixNano": str(written)} if written else {}),
        "observedTimeUnixNano": str(written or time.time_ns()),
        "severityNumber": number,
        "severityText": text,
        "body": {"stringValue": line.text.rstrip(b"\n").decode("ascii", errors="replace")},
        "attributes": [
            {"key": "dockgate.seq", "value": {"intValue": str(line.seq)}},
            *(_text(name, str(value)) for name, value in attributes.items() if value is not None),
        ],
    }


class Collector:
    """Sends log records to a collector, and takes its answers at their word."""

    def __init__(
        self, name: str, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._clock = clock
        self._host = host_name()
        self._not_before = clock()
        self._problem = ""
        self._said = ""

    def send(self, lines: Sequence[Line]) -> int:
        """Send lines; return how many of them were thrown away there. Raises OSError."""
        if self._clock() < self._not_before:
            raise ConnectionError(self._problem)
        return sum(self._export(batch) for batch in batches(lines))

    def settled(self) -> bool:
        """Say that they were taken."""
        return True

    def close(self) -> None:
        """Hang up."""
        self._endpoint.close()

    def _export(self, lines: Sequence[Line]) -> int:
        answer = self._endpoint.post(request(lines, self._host), "application/json")
        if answer.taken:
            return self._rejected(answer, lines)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and (smaller := _smaller(lines)):
            if len(lines) == 1:
                log.warning("audit.line_cut", to=self._name, seq=lines[0].seq)
            return sum(self._export(each) for each in smaller)
        raise self._refusal(answer)

    def _rejected(self, answer: Answer, lines: Sequence[Line]) -> int:
        """Return how many lines are not taken for good, which must not be sent again."""
        try:
            count, saying = _partial(answer)
        except ValueError as error:
            raise self._held(str(error), REFUSED_PAUSE) from None
        where = {"to": self._name, "first": lines[0].seq, "last": lines[-1].seq}
        if count:
            log.error("audit.lines_rejected", **where, rejected=count, problem=saying)
        elif saying and saying != self._said:
            log.warning("audit.collector_warned", **where, problem=saying)
        self._said = saying
        return min(count, len(lines))

    def _refusal(self, answer: Answer) -> ConnectionError:
        """Return what keeps lines from being sent."""
        passes = answer.status in _PASSING
        pause = _pause(answer.retry_after) if passes else REFUSED_PAUSE
        told = f"the collector answered {_status(answer.status)}{_reason(answer.body)}"
        return self._held(told, pause)

    def _held(self, problem: str, pause: float) -> ConnectionError:
        """Take note of why nothing is sent, and until when. Returns the error that says so."""
        self._problem, self._not_before = problem, self._clock() + pause
        return ConnectionError(problem)


def _smaller(lines: Sequence[Line]) -> tuple[Sequence[Line], ...]:
    """Return what to send in the place of what is too much: halves, or what says most of a line."""
    middle = len(lines) // 2
    if middle:
        return lines[:middle], lines[middle:]
    cut = shortened(lines[0])
    return ([cut],) if len(cut.text) < len(lines[0].text) else ()


def _partial(answer: Answer) -> tuple[int, str]:
    """Return how many records were rejected and what was said. Raises ValueError.

    A page of somebody who is no collector is no receipt, though its status is 200.
    """
    try:
        found = json.loads(answer.body or b"{}")
        partial = found.get("partialSuccess") or {}
        count = int(partial.get("rejectedLogRecords") or 0)
        return max(0, count), str(partial.get("errorMessage") or "")[:_LONGEST_SAYING]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        shown = answer.body[:80].decode("ascii", errors="replace")
        problem = f"the answer is {shown!r}; expected an ExportLogsServiceResponse in JSON"
        raise ValueError(problem) from None


def _pause(retry_after: str) -> float:
    """Return the seconds of ``Retry-After``, a number or a date; 0 where there is none."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(LONGEST_PAUSE, float(retry_after[:9]))
    with suppress(ValueError, TypeError, OverflowError):
        left = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        return min(LONGEST_PAUSE, max(0.0, left))
    return 0.0


def _status(number: int) -> str:
    with suppress(ValueError):
        return f"{number} {HTTPStatus(number).phrase}"
    return str(number)


def _reason(body: bytes) -> str:
    """Return what a ``Status`` says, quoted; nothing where the answer is none."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return f": {str(json.loads(body)['message'])[:_LONGEST_SAYING]!r}"
    return ""


def _nanoseconds(written: object) -> int:
    """Return a time of the log since 1970, in nanoseconds; 0 where there is none."""
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(str(written))
        if at.tzinfo is not None:
            since = at - datetime(1970, 1, 1, tzinfo=UTC)
            return max(0, (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000)
    return 0


def _text(key: str, value: str) -> dict[str, Any]:
    """Return an attribute. Half a surrogate pair is no text, and would spoil a whole request."""
    written = value.encode("utf-8", errors="replace").decode()
    return {"key": key, "value": {"stringValue": written}}
