"""How times are written."""

from datetime import UTC, datetime, timedelta, timezone

from authz.audit.stamp import stamp

TIME = datetime(2026, 7, 1, 1, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))


def test_times_are_written_in_utc():
    """To the millisecond, which is cut and not rounded."""
    assert stamp(TIME) == "2026-06-30T23:59:59.999Z"


def test_a_second_is_no_other_one():
    """Before, within and behind the one that was written last, as the library writes it."""
    steps = [timedelta(microseconds=each) for each in (0, 1, 999, -999_999, -1_000_000, 1_500_000)]
    times = [TIME.astimezone(UTC) + step for step in steps]

    written = [each.isoformat(timespec="milliseconds")[:-6] + "Z" for each in times]
    assert [stamp(each) for each in times] == written
