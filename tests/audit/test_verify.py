"""Every kind of tampering is found, with its place; what a crash leaves is none."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authz.audit.chain import GENESIS, Kind, Link, body
from authz.audit.reader import read
from authz.audit.verify import Demands, Finding, Report, verify
from tests.audit.logs import KEY, Log, a_log, write

PUBLIC = KEY.public_key()


def found(report: Report) -> list[tuple[int, int, str]]:
    """Return the problems: line, sequence, and what is wrong."""
    return [(each.line, each.seq, each.message) for each in report.problems]


def checked(folder: Path, lines: list[bytes], **demands: object) -> Report:
    """Check a log of one file."""
    return verify([write(folder / "audit.jsonl", lines)], Demands(**demands))


def test_a_whole_log_passes(tmp_path: Path):
    """With its numbers, for a person to compare."""
    log = a_log(5)
    log.mark()
    log.add(Kind.STOPPED)

    report = checked(tmp_path, log.lines)

    assert (report.problems, report.notes) == ([], [])
    assert (report.lines, report.first, report.last, report.head) == (7, 1, 7, log.link.head)
    assert (report.checkpoints, report.signed) == (1, 0)
    assert report.kinds == {"decision": 5, "checkpoint": 1, "stopped": 1}


def test_an_empty_log_is_no_problem(tmp_path: Path):
    """A service that was never asked."""
    assert checked(tmp_path, []).problems == []


@pytest.mark.parametrize("at", range(9))
def test_a_changed_byte_is_found(tmp_path: Path, at: int):
    """In every line but the last, and the line is named."""
    lines = a_log(10).lines
    lines[at] = lines[at].replace(b"2026", b"2025")

    message = f"was changed, or logs were spliced behind it: sequence {at + 2} does not fit it"
    assert found(checked(tmp_path, lines)) == [(at + 1, at + 1, message)]


def test_any_changed_byte_is_found(tmp_path: Path):
    """Also one that makes the line unreadable, or its number another one."""
    lines = a_log(6).lines
    random = Random(7)  # noqa: S311  what is random has to be repeatable
    for _ in range(300):
        at, text = random.randrange(5), b"".join(lines)
        start = len(b"".join(lines[:at]))
        place = start + random.randrange(len(lines[at]))
        changed = text[:place] + bytes([text[place] ^ 1 << random.randrange(8)]) + text[place + 1 :]

        assert checked(tmp_path, [changed]).problems, place


def test_a_missing_line_is_found(tmp_path: Path):
    """One or several."""
    lines = a_log(10).lines

    assert found(checked(tmp_path, lines[:4] + lines[5:])) == [
        (5, 6, "sequence 5 is missing before it")
    ]
    assert found(checked(tmp_path, lines[:4] + lines[7:])) == [
        (5, 8, "sequence 5 to 7 are missing before it")
    ]


def test_swapped_lines_are_found(tmp_path: Path):
    """Both are named, and those behind them are not."""
    lines = a_log(10).lines
    lines[4], lines[5] = lines[5], lines[4]

    assert found(checked(tmp_path, lines)) == [
        (5, 6, "sequence 5 is missing before it"),
        (6, 5, "is out of order or inserted: it comes after sequence 6"),
    ]


@pytest.mark.parametrize(
    ("inserted", "problem"),
    [
        (
            lambda log: log.lines[2],
            (6, 3, "is out of order or inserted: it comes after sequence 5"),
        ),
        (
            lambda _: b'{"id":"x"}\n',
            (6, 0, "carries no sequence number and digest: it was inserted"),
        ),
        (lambda _: b"[]\n", (6, 0, "is JSON but no record")),
    ],
)
def test_an_inserted_line_is_found(
    tmp_path: Path, inserted: Callable[[Log], bytes], problem: tuple[int, int, str]
):
    """Whatever it is, once."""
    log = a_log(10)
    lines = [*log.lines[:5], inserted(log), *log.lines[5:]]

    assert problem in found(checked(tmp_path, lines))
    assert len(found(checked(tmp_path, lines))) == 1 + (inserted(log) == b"[]\n")


def test_an_inserted_line_that_fits_is_found(tmp_path: Path):
    """Who computes its link cannot make the next one fit it."""
    lines = a_log(5).lines
    forged = a_log(5)
    forged.add(verdict="allow")
    rest = a_log(10).lines[5:]

    problems = found(checked(tmp_path, [*lines, forged.lines[5], *rest]))

    assert problems == [(7, 6, "is out of order or inserted: it comes after sequence 6")]


def test_spliced_logs_are_found(tmp_path: Path):
    """Two logs of which one continues the other by number only, or of which neither does."""
    one, other = a_log(10).lines, Log()
    for _ in range(10):
        other.add(door="proxy")

    assert found(checked(tmp_path, one[:5] + other.lines[5:])) == [
        (5, 5, "was changed, or logs were spliced behind it: sequence 6 does not fit it")
    ]
    assert found(checked(tmp_path, one + other.lines)) == [
        (11, 1, "another log begins here, after sequence 10")
    ]
    assert found(checked(tmp_path, one + other.lines[2:])) == [
        (11, 3, "is out of order or inserted: it comes after sequence 10")
    ]


def test_a_beginning_that_is_missing_is_found(tmp_path: Path):
    """Unless it was said that the files are a part, or the log says that it was deleted."""
    log = a_log(5)
    rest = log.lines[3:]
    log.add(Kind.RETIRED, through=3)

    assert found(checked(tmp_path, rest)) == [
        (1, 4, "the log begins here: sequence 1 to 3 are missing before it")
    ]
    part = checked(tmp_path, rest, part=True)
    retired = checked(tmp_path, log.lines[3:])
    assert (part.problems, retired.problems) == ([], [])
    assert part.notes[0].message == "the log begins here; sequence 1 to 3 were not looked at"
    assert retired.notes[0].message.endswith("were deleted as the settings want it")


def test_a_first_line_that_tells_of_another_is_found(tmp_path: Path):
    """Number one has nothing before it."""
    log = a_log(2, Link(0, "a" * 64))

    assert found(checked(tmp_path, log.lines)) == [
        (1, 1, "is the first of a log and tells of one before it")
    ]


def test_a_torn_line_at_the_end_is_a_crash(tmp_path: Path):
    """It was never answered. In the middle it is none, as a start cuts it off."""
    lines = a_log(3).lines

    crash = checked(tmp_path, [*lines, b'{"seq":4'])
    path = write(tmp_path / "audit.jsonl.1", [*lines, b'{"seq":4'])
    middle = verify([path, write(tmp_path / "audit.jsonl", a_log(5).lines[3:])])

    assert (crash.problems, crash.notes[0].message) == (
        [],
        "a crash left 8 bytes of a line at the end",
    )
    assert found(middle) == [(4, 0, "is torn, and more lines follow")]


def test_the_log_tells_what_happened_to_it(tmp_path: Path):
    """Starts after a crash, disks that were full, files that were moved."""
    log = Log()
    log.add(Kind.STARTED, torn={"bytes": 9})
    log.add(Kind.STARTED, torn="nonsense")
    log.add(Kind.STARTED)
    log.add(Kind.RESUMED, since="then", problem="disk full", refused=3)
    log.add(Kind.CHANGED, bytes=-7)
    log.add(Kind.CONTINUED, cause="moved or removed")
    log.add(Kind.CONTINUED, named="audit.jsonl.1")

    assert [each.message for each in checked(tmp_path, log.lines).notes] == [
        "started after a crash; 9 bytes of a line were set aside",
        "started after a crash; ? bytes of a line were set aside",
        "since then nothing could be written (disk full); 3 lines were refused",
        "somebody else changed the file by -7 bytes",
        "the file was moved or removed; this one continues it",
    ]


# --- checkpoints ---------------------------------------------------------------------------------


def a_signed_log() -> Log:
    """Return a log with signed checkpoints as 4th and 8th line."""
    log = a_log(3)
    log.mark(key=KEY, promise=3)
    for _ in range(3):
        log.add()
    log.mark(key=KEY, promise=3)
    for _ in range(2):
        log.add()
    return log


def test_signed_checkpoints_are_counted(tmp_path: Path):
    """The last one says up to where the log is proved."""
    report = checked(tmp_path, a_signed_log().lines, keys=(PUBLIC,))

    assert (report.problems, report.signed, report.last_signed) == ([], 2, 8)


def test_a_log_that_was_computed_anew_is_found_by_its_signatures(tmp_path: Path):
    """Who has no key cannot sign what he wrote, nor leave the checkpoints out."""
    unsigned, bare, stranger = a_log(3), a_log(9), a_log(3)
    unsigned.mark()
    stranger.mark(key=Ed25519PrivateKey.generate())
    copied = a_log(2)
    old = json.loads(a_signed_log().lines[3])
    copied.add(verdict="allow")
    copied.lines.append(
        copied.link.line(
            Kind.CHECKPOINT,
            body({name: old[name] for name in old if name not in ("seq", "prev", "kind")}),
        )
    )
    none = "no checkpoint carries a signature of this key"
    bad = "a checkpoint without a signature of this key that holds"

    assert found(checked(tmp_path, unsigned.lines)) == []
    assert found(checked(tmp_path, unsigned.lines, keys=(PUBLIC,))) == [(4, 4, bad), (4, 4, none)]
    assert found(checked(tmp_path, stranger.lines, keys=(PUBLIC,))) == [(4, 4, bad), (4, 4, none)]
    assert found(checked(tmp_path, bare.lines, keys=(PUBLIC,))) == [(9, 9, none)]
    assert found(checked(tmp_path, copied.lines, keys=(PUBLIC,))) == [
        (4, 4, "a checkpoint that is not about the line before it")
    ]


def test_a_key_can_be_changed(tmp_path: Path):
    """Both are named then; one alone does not do."""
    other = Ed25519PrivateKey.generate()
    log = a_signed_log()
    log.mark(key=other)

    both = checked(tmp_path, log.lines, keys=(PUBLIC, other.public_key()))
    one = checked(tmp_path, log.lines, keys=(PUBLIC,))

    assert (both.problems, both.signed) == ([], 3)
    assert [each.seq for each in one.problems] == [11]


def test_a_checkpoint_that_does_not_come_is_found(tmp_path: Path):
    """The one before promised it, and that is signed."""
    log = a_log(3)
    log.mark(key=KEY, promise=3)
    for _ in range(5):
        log.add(verdict="allow")

    assert found(checked(tmp_path, log.lines, keys=(PUBLIC,))) == [
        (8, 8, "a signed checkpoint was due after sequence 7")
    ]


def test_a_truncated_end_is_found_by_checkpoints_kept_elsewhere(tmp_path: Path):
    """Without them it cannot be."""
    log = a_signed_log()
    kept = write(tmp_path / "kept.jsonl", [log.lines[3], log.lines[7]])

    whole = checked(tmp_path, log.lines, keys=(PUBLIC,), elsewhere=read(kept))
    cut = checked(tmp_path, log.lines[:6], keys=(PUBLIC,), elsewhere=read(kept))

    assert (whole.problems, checked(tmp_path, log.lines[:6], keys=(PUBLIC,)).problems) == ([], [])
    assert found(cut) == [
        (
            6,
            6,
            (
                "the end is missing: a checkpoint kept elsewhere is sequence 8, "
                "the last line here is 6"
            ),
        )
    ]


def test_another_log_is_found_by_checkpoints_kept_elsewhere(tmp_path: Path):
    """Even an unsigned one, when it is out of reach."""
    log = a_log(3)
    kept = write(tmp_path / "kept.jsonl", [log.mark()])
    forged = Log()
    for _ in range(4):
        forged.add(verdict="allow")

    report = checked(tmp_path, forged.lines, elsewhere=read(kept))

    assert found(report) == [(4, 4, "is not the line that a checkpoint kept elsewhere tells of")]


def test_what_is_no_checkpoint_counts_for_nothing(tmp_path: Path):
    """A copy that was torn is told; one that another key signed is a problem."""
    log = a_signed_log()
    kept = write(
        tmp_path / "kept.jsonl",
        [b'{"seq"\n', b'{"id":"a"}\n', a_log(3).mark(key=Ed25519PrivateKey.generate()), b"{"],
    )

    report = checked(tmp_path, log.lines, keys=(PUBLIC,), elsewhere=read(kept))

    assert [each.message for each in report.notes] == [
        "is not JSON; it is not counted",
        "is no checkpoint; it is not counted",
        "is torn: the line has no end; it is not counted",
    ]
    assert found(report) == [(3, 4, "a checkpoint without a signature of this key that holds")]


def test_a_finding_is_printed_with_its_place():
    """As editors understand it; what is not known is left out."""
    assert str(Finding(Path("a.jsonl"), 3, 7, "is gone")) == "a.jsonl:3: sequence 7: is gone"
    assert str(Finding(Path("a.jsonl"), 0, 0, "is gone")) == "a.jsonl: is gone"
    assert len(GENESIS) == 64


def test_very_many_problems_are_counted(tmp_path: Path):
    """The first are told; the rest would fill the memory."""
    report = checked(tmp_path, [b"\n"] * 1500)

    assert (len(report.problems), report.untold) == (1000, 500)
    assert report.lines == 1500
