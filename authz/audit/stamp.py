"""How the audit writes times: in UTC, with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class _Second:
    """The text of one second: most lines fall into the one of the line before."""

    def __init__(self) -> None:
        never = datetime(1, 1, 1, tzinfo=UTC)
        self._kept = never, never, ""

    def __call__(self, time: datetime) -> str:
        """Return date and time of day, without the fraction. Threads may call this at once."""
        since, until, text = self._kept
        if not since <= time < until:
            since = time.replace(microsecond=0)
            text = since.isoformat()[:-6]  # without +00:00
            self._kept = since, since + timedelta(seconds=1), text
        return text


_second = _Second()


def stamp(time: datetime) -> str:
    """Write a time as lines do. It knows its zone."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return f"{_second(time)}.{time.microsecond // 1000:03}Z"
