"""What is written next: lines, notes before them, and checkpoints in time."""

import json
from datetime import UTC, datetime

from authz.audit.chain import Kind, Link
from authz.audit.ledger import Checkpoints, Draft, Ledger, now

TIME = datetime(2026, 7, 1, tzinfo=UTC)
DECISION = (Kind.DECISION, (b'{"id":', b'"a"', b"}\n"))


def a_ledger(link: Link | None = None, **wanted: object) -> Ledger:
    """Return a ledger whose clock stands still."""
    return Ledger(link or Link(), Checkpoints(**wanted), lambda: TIME)


def kinds(draft: Draft) -> list[str]:
    """Return the kinds of the lines in a draft."""
    return [json.loads(line)["kind"] for line in draft.lines.splitlines()]


def test_notes_wait_for_a_line_and_stay_until_it_is_written():
    """A write that fails forgets none; those of the moment are made anew."""
    ledger = a_ledger()
    ledger.say(Kind.STARTED, pid=1)
    moment = (Kind.RESUMED, {"refused": 1})

    failed = ledger.draft([DECISION], moment)
    draft = ledger.draft([DECISION])
    ledger.written(draft)

    assert kinds(failed) == ["started", "resumed", "decision"]
    assert kinds(draft) == ["started", "decision"]
    assert ledger.link == draft.link
    assert ledger.draft() == Draft(b"", draft.link)
    assert not ledger.waits


def test_a_checkpoint_comes_after_so_many_lines():
    """Before the next one, so that what is answered is never behind a missing checkpoint."""
    ledger = a_ledger(lines=2)
    seen = []
    for _ in range(6):
        draft = ledger.draft([DECISION])
        ledger.written(draft)
        seen.append(kinds(draft))

    assert [len(each) for each in seen] == [1, 1, 2, 1, 1, 2]
    assert seen[2] == ["checkpoint", "decision"]


def test_checkpoints_fall_due_among_the_lines_of_a_turn():
    """However many come together: the same lines as one by one."""
    together, single = a_ledger(lines=2), a_ledger(lines=2)
    copies: list[bytes] = []
    copying = a_ledger(lines=2, copy=copies.append)

    draft = together.draft([DECISION] * 9)
    together.written(draft)
    copying.written(copying.draft([DECISION] * 9))
    lines = b""
    for _ in range(9):
        one = single.draft([DECISION])
        single.written(one)
        lines += one.lines

    assert draft.lines == lines
    assert together.link == single.link
    assert [len(together.draft([DECISION]).checkpoints), len(draft.checkpoints)] == [0, 3]
    assert copies == list(draft.checkpoints)


def test_a_chain_that_is_continued_begins_with_a_checkpoint():
    """What the settings promise now may be another thing than before."""
    ledger = a_ledger(Link(5, "ab"))

    draft = ledger.draft([DECISION])

    assert kinds(draft) == ["checkpoint", "decision"]
    assert json.loads(draft.checkpoints[0])["count"] == 5


def test_nothing_new_needs_no_checkpoint():
    """An idle service does not fill its log with them."""
    ledger = a_ledger(seconds=0)
    ledger.mark()
    ledger.mark_by_time()
    idle = ledger.waits
    ledger.written(ledger.draft([DECISION]))
    ledger.mark_by_time()
    marked = ledger.waits
    ledger.written(ledger.draft())
    ledger.mark_by_time()

    assert (idle, marked, ledger.waits) == (False, True, False)


def test_it_is_not_always_time_for_a_checkpoint():
    """Only when the seconds have passed."""
    ledger = a_ledger(seconds=1000)
    ledger.written(ledger.draft([DECISION]))
    ledger.mark_by_time()

    assert not ledger.waits


def test_a_copy_of_each_checkpoint_is_handed_on():
    """When it is in the file, not before."""
    copies: list[bytes] = []
    ledger = a_ledger(Link(1, "ab"), copy=copies.append)

    draft = ledger.draft()
    before = list(copies)
    ledger.written(draft)

    assert (before, copies) == ([], [*draft.checkpoints])


def test_now_knows_its_zone():
    """Times of several zones could not be told apart."""
    assert now().tzinfo is UTC
