"""The daemon's events are followed, and a cache is told of all of it."""

import asyncio
from contextlib import suppress

from structlog.testing import capture_logs

from authz.errors import LookupFailedError
from authz.lookups.events import LONGEST_LINE, Events
from tests.fakes import until


class Told:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.news: list[object] = []
        self.lives = 0

    def follow(self) -> None:
        """Remember."""
        self.news.append("follow")

    def lose(self) -> None:
        """Remember."""
        self.news.append("lose")

    def live(self) -> None:
        """Count."""
        self.lives += 1

    def tell(self, lines: list[bytes]) -> None:
        """Remember."""
        self.news.append(lines)


class Streams:
    """Yields what the script says, one stream after the other; then streams that say nothing."""

    def __init__(self, *scripts: list[bytes | Exception]) -> None:
        self.scripts = list(scripts)
        self.targets: list[str] = []
        self.closed = 0

    async def stream(self, where: str):
        """Yield a stream."""
        self.targets.append(where)
        try:
            script = self.scripts.pop(0) if self.scripts else []
            for piece in script:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
            if not script:
                await asyncio.Event().wait()
        finally:
            self.closed += 1


async def followed(streams: Streams, connections: int) -> Told:
    """Follow until so many streams were opened."""
    told = Told()
    following = asyncio.create_task(
        Events(streams, told, again=0.001, wall=lambda: 1234.9).follow()
    )
    await until(lambda: len(streams.targets) == connections)
    await asyncio.sleep(0)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    return told


async def test_events_are_told_line_by_line():
    """However they are cut; blank lines say nothing."""
    streams = Streams([b"", b'{"a":1}\n{"b"', b":2}\n\n", b"{"])
    told = await followed(streams, 2)

    assert told.news[:5] == ["follow", [b'{"a":1}'], [b'{"b":2}'], [], "lose"]
    assert told.lives
    assert streams.closed == 2


async def test_a_stream_is_asked_for_from_now_on():
    """Events that fall between the answer's head and the subscription come again."""
    streams = Streams()
    await followed(streams, 1)

    assert streams.targets[0].startswith("/events?since=1234&filters=%7B%22type%22")


async def test_a_lost_stream_is_said_once_and_opened_again():
    """Until it could be followed again."""
    failed = LookupFailedError("no daemon")
    streams = Streams([failed], [failed], [b""], [failed])
    with capture_logs() as lines:
        told = await followed(streams, 5)

    assert [line["event"] for line in lines] == ["events.lost", "events.lost"]
    assert lines[0]["problem"] == "no daemon"
    assert told.news[:5] == ["lose", "lose", "follow", "lose", "lose"]


async def test_an_endless_event_is_none():
    """The stream is given up."""
    streams = Streams([b"", b"x" * (LONGEST_LINE + 1)])
    with capture_logs() as lines:
        told = await followed(streams, 2)

    assert told.news[:3] == ["follow", [], "lose"]
    assert "longer than" in lines[0]["problem"]
    assert streams.closed == 2
