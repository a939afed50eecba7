"""One decision on a terminal: every failing fact, and nothing that could move a cursor."""

import json
from datetime import UTC, datetime

import pytest

from authz.audit.record import Asked, AuditRecord, Mode
from authz.cli import report
from authz.errors import Location, Reason
from authz.facts.facts import Fact
from authz.gate import Verdict
from authz.identity.identity import Identity
from authz.policy.combine import combine
from authz.policy.decision import Effect, Outcome, Row, Word
from authz.tools.rehearse import Rehearsal
from authz.wire.raw import Door


def a_row(word=Word.ALLOW, **parts):
    """Return a row of line 2."""
    members = {"id": "policy.csv:2", "fact": "on:new", "message": "", "controls": (), **parts}
    return Row("*", "*", "*", when="*", word=word, location=Location("policy.csv", 2), **members)


def a_rehearsal(*outcomes, effect=None, nearest=(), detail="", asked=None):
    """Return what became of a create."""
    decision = combine(tuple(outcomes), tuple(nearest)) if outcomes else None
    effect = effect or (decision.effect if decision else Effect.REFUSE)
    reason = decision.reason if decision else Reason.UNREADABLE_REQUEST
    record = AuditRecord(
        id="01ID",
        time=datetime(2027, 1, 2, tzinfo=UTC),
        door=Door.CLI,
        mode=Mode.ENFORCE,
        enforced=True,
        identity=Identity("user:alice"),
        asked=asked or Asked("POST", "/containers/create", action="container.create"),
        outcomes=tuple(outcomes),
        verdict=effect,
        reason=reason,
        detail=detail,
    )
    return Rehearsal(Verdict("01ID", effect, reason, decision=decision), record)


def printed(capsys, rehearsal, *, verbose=False):
    """Return the lines that a person reads."""
    report.echo(rehearsal, verbose=verbose)
    return capsys.readouterr().out.splitlines()


ALLOWED = Outcome(Fact("on", "new"), Word.ALLOW, a_row())
DENIED = Outcome(
    Fact("privileged", "true"),
    Word.DENY,
    a_row(Word.DENY, id="no-root", message="root on this host", controls=("CIS 5.5",)),
)
UNSPOKEN = Outcome(Fact("bind", "/etc"), None)
BROKEN = Outcome(Fact("image", "nginx"), Word.DENY, a_row(Word.DENY), "there is no tenant")
BROKEN_ANYWHERE = Outcome(Fact("image", "nginx"), None, None, "there is no tenant")


def test_an_allow_is_one_line(capsys):
    """What was asked, in words of the daemon and of policies."""
    lines = printed(capsys, a_rehearsal(ALLOWED))

    assert lines == ["ALLOW   POST /containers/create  container.create"]


def test_verbose_shows_what_allowed(capsys):
    """Each fact with its row."""
    lines = printed(capsys, a_rehearsal(ALLOWED), verbose=True)

    assert lines[1:] == ["        on:new                         allowed by policy.csv:2"]


def test_every_failing_fact_is_shown(capsys):
    """With the row that denies it, why it does, and that no row allows it."""
    lines = printed(capsys, a_rehearsal(ALLOWED, DENIED, UNSPOKEN))

    assert lines == [
        "DENY    POST /containers/create  container.create",
        f"        {'privileged:true':30} by no-root (policy.csv:2) [CIS 5.5]  root on this host",
        "        bind:/etc                      no row allows it",
    ]


def test_verbose_shows_all_facts_in_order(capsys):
    """Allowed and denied ones."""
    lines = printed(capsys, a_rehearsal(DENIED, ALLOWED, UNSPOKEN), verbose=True)

    assert [line.split()[0] for line in lines[1:]] == ["privileged:true", "on:new", "bind:/etc"]


def test_facts_that_one_row_settles_share_a_line(capsys):
    """Up to three values are spelt out; another row or kind begins another line."""
    binds = [Outcome(Fact("bind", f"/{number}"), None) for number in range(5)]

    lines = printed(capsys, a_rehearsal(*binds[:3], DENIED, *binds), verbose=True)

    assert [line.strip() for line in lines[1:]] == [
        f"{'bind:/0, /1, /2':30} no row allows it",
        f"{'privileged:true':30} by no-root (policy.csv:2) [CIS 5.5]  root on this host",
        f"{'bind:/0, /1, /2 and 2 more':30} no row allows it",
    ]


@pytest.mark.parametrize(
    ("outcome", "where"), [(BROKEN, "policy.csv:2: there is"), (BROKEN_ANYWHERE, "  there is")]
)
def test_a_row_that_cannot_be_evaluated_is_told(capsys, outcome, where):
    """With its place, where there is one."""
    lines = printed(capsys, a_rehearsal(ALLOWED, outcome))

    assert lines[0].startswith("REFUSE  POST ")
    assert lines[1].startswith("        image:nginx ")
    assert lines[1].endswith(f"{where} no tenant")


def test_a_refusal_says_why(capsys):
    """The gate's sentence and its code; there are no facts."""
    lines = printed(
        capsys, a_rehearsal(detail="target is unclean", asked=Asked("GET", "/a/../b")), verbose=True
    )

    assert lines == ["REFUSE  GET /a/../b", "        target is unclean (unreadable_request)"]


def test_a_request_that_could_not_be_read_has_no_line_of_its_own(capsys):
    """The verdict stands alone."""
    rehearsal = a_rehearsal()
    object.__setattr__(rehearsal.record, "asked", None)

    assert [line.strip() for line in printed(capsys, rehearsal)] == ["REFUSE"]


def test_the_nearest_rows_are_shown(capsys):
    """At most three of them."""
    near = [a_row(fact=f"bind:/srv/{number}", id=f"row-{number}") for number in range(5)]

    lines = printed(capsys, a_rehearsal(UNSPOKEN, nearest=near))

    assert lines[2:] == [
        f"        near:  bind:/srv/{number}  allowed by row-{number} (policy.csv:2)"
        for number in range(3)
    ]


EVIL = "\x1b[2J\r\n\u202e\x9b\u2028"


@pytest.mark.parametrize(
    "rehearsal",
    [
        a_rehearsal(ALLOWED, asked=Asked(f"GET{EVIL}", "/")),
        a_rehearsal(ALLOWED, asked=Asked("GET", f"/{EVIL}")),
        a_rehearsal(detail=EVIL),
        a_rehearsal(Outcome(Fact("bind", EVIL), None)),
        a_rehearsal(Outcome(Fact("bind", "/"), Word.DENY, a_row(Word.DENY, message=EVIL))),
        a_rehearsal(Outcome(Fact("bind", "/"), Word.DENY, a_row(Word.DENY), EVIL)),
        a_rehearsal(UNSPOKEN, nearest=[a_row(fact=f"bind:{EVIL}")]),
    ],
    ids=["method", "target", "detail", "fact", "message", "error", "near"],
)
def test_nothing_moves_the_cursor(capsys, rehearsal):
    """What a client or an author wrote is shown, not obeyed."""
    report.echo(rehearsal, verbose=True)

    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\r\u202e\x9b\u2028")
    assert out.count("\\x1b[2J\\r\\n\\u202e\\x9b\\u2028") == 1


@pytest.mark.parametrize(
    ("rehearsal", "code"),
    [(a_rehearsal(ALLOWED), "32"), (a_rehearsal(DENIED), "31"), (a_rehearsal(), "33")],
)
def test_the_verdict_has_a_colour(monkeypatch, rehearsal, code):
    """Green, red or yellow, on a terminal."""
    said = []
    monkeypatch.setattr(report.click, "echo", said.append)

    report.echo(rehearsal, verbose=False)

    assert said[0].startswith(f"\x1b[{code}m\x1b[1m")


def test_a_program_gets_the_audit_record(capsys):
    """The members that every program sees."""
    report.echo_json(report.document(a_rehearsal(ALLOWED, UNSPOKEN)))

    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["identity"]["subject"]) == ("deny", "user:alice")
    assert [fact["fact"] for fact in document["facts"]] == ["on:new", "bind:/etc"]
