"""The record: its members, its line, and what is never in it."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.audit import record as record_module
from authz.audit.record import Asked, AuditRecord, Mode, as_json, asked
from authz.audit.redaction import Redaction
from authz.docker.request import ApiRequest
from authz.docker.routes import Operation
from authz.errors import Location, Reason
from authz.facts.facts import Fact
from authz.identity.identity import Identity, Proof
from authz.policy.condition import KEYS
from authz.policy.decision import Effect, Outcome, Row, Word
from authz.wire.raw import BodyState, Door, RawRequest
from tests.records import line

REDACTION = Redaction(b"k" * 32)
ROW = Row(
    subject="role:developer",
    domain="*",
    action="container.create",
    fact="bind:/etc",
    when="*",
    word=Word.NEVER,
    id="no-host-etc",
    location=Location("packs/pss-baseline.csv", 6, 1),
    message="host files stay on the host",
)
CREATE = Operation(
    name="ContainerCreate",
    method="POST",
    path="/containers/create",
    variant="",
    action="container.create",
    first=(1, 24),
    last=(1, 55),
    risk="host-root",
    stream="none",
    object="none",
    targets=frozenset({"new"}),
    body="json",
    required=True,
    opaque="",
)
RAW = RawRequest("POST", "/v1.41/containers/create?name=web", body=b'{"Image":"x"}')
READ = ApiRequest(CREATE, (1, 41), {}, {"name": ("web",)})


def a_record(**changes: Any) -> AuditRecord:
    """Return a record in which everything is known, but for the changes."""
    record = AuditRecord(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        time=datetime(2026, 7, 1, 12, 0, 0, 123_456, tzinfo=UTC),
        door=Door.PLUGIN,
        mode=Mode.ENFORCE,
        enforced=True,
        identity=Identity("cert:ci", ("group:cert/ops",), "ci", Proof.CERTIFICATE, 1, 2, 3, "ab"),
        asked=asked(RAW, READ, REDACTION),
        context={"user": "cert:ci"},
        outcomes=(Outcome(Fact("bind", "/etc"), Word.NEVER, ROW), Outcome(Fact("on", "new"), None)),
        verdict=Effect.DENY,
        reason=Reason.RULE,
        policy="f00",
        took_us=42,
        redaction=REDACTION,
    )
    return replace(record, **changes)


def test_every_member_of_a_whole_record():
    """The members that other programs read, with their names and forms."""
    assert as_json(a_record()) == {
        "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "time": "2026-07-01T12:00:00.123Z",
        "door": "plugin",
        "mode": "enforce",
        "enforced": True,
        "identity": {
            "subject": "cert:ci",
            "groups": ["group:cert/ops"],
            "tenant": "ci",
            "proof": "certificate",
            "uid": 1,
            "gid": 2,
            "pid": 3,
            "certificate": "ab",
        },
        "request": {
            "method": "POST",
            "target": "/v1.41/containers/create?name=web",
            "operation": "ContainerCreate",
            "action": "container.create",
            "version": "1.41",
            "body_sha256": hashlib.sha256(RAW.body).hexdigest(),
        },
        "context": {"user": "cert:ci", **dict.fromkeys(KEYS[1:])},
        "facts": [
            {
                "fact": "bind:/etc",
                "verdict": "never",
                "row": "no-host-etc",
                "at": "packs/pss-baseline.csv:6",
                "message": "host files stay on the host",
            },
            {"fact": "on:new", "verdict": "deny", "row": None, "at": None, "message": ""},
        ],
        "verdict": "deny",
        "reason": "rule",
        "policy": "f00",
        "took_us": 42,
    }


def test_what_is_not_known_is_null():
    """A refusal before anything was read still has every member."""
    record = a_record(
        identity=None,
        asked=None,
        context={},
        outcomes=(),
        policy="",
        detail="plugin message is empty",
    )

    document = as_json(record)

    assert (document["identity"], document["request"], document["policy"]) == (None, None, None)
    assert (document["context"], document["facts"]) == ({}, [])
    assert document["detail"] == "plugin message is empty"


def test_an_identity_without_tenant_and_certificate():
    """Empty texts are null, so that nobody takes them for names."""
    document = as_json(a_record(identity=Identity("user:anonymous")))

    assert document["identity"] == {
        "subject": "user:anonymous",
        "groups": [],
        "tenant": None,
        "proof": "none",
        "uid": None,
        "gid": None,
        "pid": None,
        "certificate": None,
    }


def test_a_request_that_was_not_read_is_recorded_as_it_came():
    """Method and target are known, what they mean is not."""
    document = as_json(a_record(asked=asked(RAW, None, REDACTION)))

    assert document["request"] == {
        "method": "POST",
        "target": "/v1.41/containers/create?name=web",
        "operation": None,
        "action": None,
        "version": None,
    }


def test_the_action_of_the_facts_comes_before_that_of_the_table():
    """Facts may tell a variant apart that the route does not."""
    assert asked(RAW, READ, REDACTION, "image.pull").action == "image.pull"
    assert asked(RAW, READ, REDACTION).action == "container.create"


def test_a_request_without_version_has_none():
    """The daemon's own default is not known here."""
    assert asked(RAW, replace(READ, version=None), REDACTION).version == ""


@pytest.mark.parametrize("body", ["none", "opaque", "secret"])
def test_a_body_that_was_not_read_has_no_digest(body: str):
    """Nor has one that is a secret: whoever guesses it could check the guess."""
    request = replace(READ, operation=replace(CREATE, body=body))

    assert asked(RAW, request, REDACTION).body_sha256 == ""


@pytest.mark.parametrize(
    "raw", [replace(RAW, body=b""), replace(RAW, body=b"", body_state=BodyState.UNSEEN)]
)
def test_a_body_that_is_not_there_has_no_digest(raw: RawRequest):
    """The digest of nothing would look like that of a body."""
    assert asked(raw, READ, REDACTION).body_sha256 == ""


def test_a_fact_says_that_it_was_looked_up_or_failed():
    """Whoever judges a record again needs to know both."""
    outcome = Outcome(Fact("target.bind", "/etc", looked_up=True), Word.DENY, ROW, error="bad glob")

    fact = as_json(a_record(outcomes=(outcome,)))["facts"][0]

    assert (fact["looked_up"], fact["error"]) == (True, "bad glob")


def test_a_grant_stands_where_a_rows_place_would():
    """There is no file that it is in."""
    given = replace(ROW, id="01J", location=Location("grant:01J"))
    lifted = Outcome(Fact("bind", "/etc"), Word.EXCEPT, given)

    assert as_json(a_record(outcomes=(lifted,)))["facts"][0]["at"] == "grant:01J"


def test_times_are_written_in_utc():
    """Records of two hosts sort together."""
    time = datetime(2026, 7, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))

    assert as_json(a_record(time=time))["time"] == "2026-07-01T10:00:00.000Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"outcomes": (Outcome(Fact("volume.opt", "o=password=hunter2"), None),)},
        {"detail": "query remote is 'https://me:hunter2@h/'"},
        {"context": {"image": "https://me:hunter2@h/x"}},
    ],
)
def test_secrets_are_not_in_the_record(changes: dict[str, Any]):
    """Whatever they came in."""
    assert b"hunter2" not in line(a_record(**changes))


def test_a_record_is_one_line_of_ascii():
    """Nothing in it can end the line, move a cursor or reorder text."""
    nasty = "a\nb\r\x1b[2J\u202e\u2028\x00\ud800é"

    text = line(a_record(asked=Asked("GET", nasty)))

    assert text.isascii()
    assert text.count(b"\n") == 1
    assert text.endswith(b"}\n")
    assert b"\x1b" not in text
    assert json.loads(text)["request"]["target"] == nasty


TEXTS = st.text(max_size=6) | st.sampled_from(["a=b", "//u:p@h", "\u2028", "\ud800", '"\\'])
IDENTITIES = st.none() | st.builds(
    Identity, TEXTS, st.tuples(TEXTS) | st.just(()), TEXTS, st.sampled_from(Proof), st.none()
)
ROWS = st.none() | st.builds(
    lambda name, message: replace(ROW, id=name, message=message), TEXTS, TEXTS
)
OUTCOMES = st.builds(
    Outcome,
    st.builds(Fact, TEXTS, TEXTS, st.booleans()),
    st.none() | st.sampled_from(Word),
    ROWS,
    TEXTS,
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "id": TEXTS,
        "enforced": st.booleans(),
        "mode": st.sampled_from(Mode),
        "door": st.sampled_from(Door),
        "identity": IDENTITIES,
        "asked": st.none() | st.builds(Asked, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS),
        "context": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "outcomes": st.lists(OUTCOMES, max_size=3).map(tuple),
        "verdict": st.sampled_from(Effect),
        "reason": st.sampled_from(Reason),
        "detail": TEXTS,
        "policy": TEXTS,
        "took_us": st.integers(0, 10**9),
        "redaction": st.sampled_from([REDACTION, Redaction(b"j" * 32)]),
    },
)


@settings(max_examples=300, deadline=None)
@given(CHANGES)
def test_a_line_is_what_json_makes_of_the_members(changes: dict[str, Any]):
    """It is put together from pieces, and nobody can tell, the second time neither."""
    record = a_record(**changes)
    written = json.dumps(as_json(record), separators=(",", ":")).encode() + b"\n"

    assert line(record) == written
    assert line(record) == written


def test_an_outcome_that_comes_again_is_not_written_again():
    """But for one under another key, and for what may be a secret."""
    record_module._fragments.clear()
    plain = Outcome(Fact("net", "a"), None)
    secret = Outcome(Fact("net", "a=b"), None)

    line(a_record(outcomes=(plain, secret)))

    kept = [outcome for outcome, _, _ in record_module._fragments.values()]
    assert kept == [plain]
    assert record_module._fragment(plain, REDACTION) is record_module._fragment(plain, REDACTION)


def test_outcomes_that_come_again_together_are_not_written_again():
    """But for other ones that look the same, under another key, and where one may be a secret."""
    record_module._lists.clear()
    plain = (Outcome(Fact("net", "a"), None), Outcome(Fact("net", "b"), None))
    secret = (*plain, Outcome(Fact("net", "a=b"), None))

    for _ in range(2):
        line(a_record(outcomes=plain))
        line(a_record(outcomes=secret))
    text = record_module._facts_text(plain, REDACTION)

    assert [outcomes for outcomes, _, _ in record_module._lists.values()] == [plain]
    assert record_module._facts_text(plain, REDACTION) is text
    assert record_module._facts_text((*plain,), Redaction()) == text
    record_module._lists[id(secret)] = record_module._lists[id(plain)]
    assert record_module._facts_text(secret, REDACTION) != text


def test_few_lists_are_kept(monkeypatch: pytest.MonkeyPatch):
    """As few pieces are."""
    monkeypatch.setattr(record_module, "MOST_LISTS", 4)

    for number in range(20):
        line(a_record(outcomes=(Outcome(Fact("net", str(number)), None),)))

    assert 0 < len(record_module._lists) <= 4


def test_few_pieces_are_kept(monkeypatch: pytest.MonkeyPatch):
    """Ever new values take no memory."""
    monkeypatch.setattr(record_module, "MOST_FRAGMENTS", 4)

    for number in range(20):
        line(a_record(outcomes=(Outcome(Fact("net", str(number)), None),)))

    assert 0 < len(record_module._fragments) <= 4


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        ("nginx", 1),
        ("https://me:hunter2@h/x", 0),
        ("password=hunter2", 0),
        ("x" * record_module.LONGEST_CONTEXT, 0),
    ],
)
def test_a_context_is_kept_unless_it_is_long_or_may_be_a_secret(image: str, kept: int):
    """Callers say what is in it, and secrets stay in no memory longer than they must."""
    record_module._contexts.clear()
    record = a_record(context={"user": "cert:ci", "image": image})

    assert line(record) == line(record)
    assert len(record_module._contexts) == kept


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("name=web", {("POST", "/v1.41/containers/create?name=web")}),
        ("cpus=hunter2", set()),
        ("name=w%65b", set()),
        ("name=" + "x" * 128, set()),
    ],
)
def test_a_target_is_kept_if_nothing_was_hidden_in_it(query: str, kept: set[tuple[str, str]]):
    """What was printed as it came holds no secret; what is long is printed anew."""
    record_module._printed.clear()
    raw = replace(RAW, target=f"/v1.41/containers/create?{query}")
    name, _, value = query.partition("=")
    read = replace(READ, query={name: (unquote(value),)})

    first = asked(raw, read, REDACTION).target
    assert asked(raw, read, REDACTION).target == first == REDACTION.target(read)
    assert record_module._printed == kept


def test_few_targets_and_contexts_are_kept(monkeypatch: pytest.MonkeyPatch):
    """Callers choose what is in them."""
    monkeypatch.setattr(record_module, "MOST_QUESTIONS", 3)
    monkeypatch.setattr(record_module, "MOST_CONTEXTS", 3)
    for number in range(9):
        raw = replace(RAW, target=f"/v1.41/containers/create?name={number}")
        read = replace(READ, query={"name": (str(number),)})
        line(a_record(asked=asked(raw, read, REDACTION), context={"name": str(number)}))

    assert 0 < len(record_module._printed) <= 3
    assert 0 < len(record_module._contexts) <= 3


LIST = RawRequest("GET", "/v1.41/containers/json?all=1")
LISTED = ApiRequest(
    replace(CREATE, name="ContainerList", action="container.list", body="none"),
    (1, 41),
    {},
    {"all": ("1",)},
)
ALLOWED = (Outcome(Fact("on", "list"), Word.ALLOW, ROW),)


def a_list(**changes: Any) -> AuditRecord:
    """Return a record of a question that comes again and again."""
    same = {"asked": asked(LIST, LISTED, REDACTION), "outcomes": ALLOWED, "verdict": Effect.ALLOW}
    return a_record(**{**same, **changes})


def test_the_very_same_question_is_printed_once():
    """Another action, another key or another request is another one, however alike."""
    first = asked(LIST, LISTED, REDACTION)
    others = [
        asked(LIST, LISTED, REDACTION, "container.prune"),
        asked(LIST, LISTED, Redaction(b"o" * 32)),
        asked(LIST, replace(LISTED), REDACTION),
        asked(replace(LIST, body=b"x"), LISTED, REDACTION),
        asked(replace(LIST, method="DELETE"), LISTED, REDACTION),
    ]

    assert others[0].action == "container.prune"
    assert [each is first for each in others] == [False] * len(others)
    assert asked(LIST, LISTED, REDACTION, "container.prune") == others[0]
    assert asked(LIST, LISTED, REDACTION) == first
    assert asked(LIST, LISTED, REDACTION) is asked(LIST, LISTED, REDACTION)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "01ARZ3NDEKTSV4RRFFQ69G5FAW"},
        {"time": datetime(2026, 7, 1, 12, 0, 1, 5_000, tzinfo=UTC)},
        {"time": datetime(2026, 7, 1, 11, 59, 59, 999_999, tzinfo=UTC)},
        {"took_us": 43},
        {"detail": "why"},
        {"door": Door.PROXY},
        {"mode": Mode.SHADOW},
        {"enforced": False},
        {"identity": Identity("cert:other")},
        {"identity": None},
        {"asked": asked(LIST, replace(LISTED), REDACTION, "container.prune")},
        {"asked": None},
        {"context": {"user": "cert:ci", "now": "2026-07-01T12:00:01+00:00"}},
        {"outcomes": (Outcome(Fact("on", "list"), Word.ALLOW, replace(ROW, id="other")),)},
        {"outcomes": (Outcome(Fact("on", "x" * 90), Word.ALLOW, ROW),)},
        {"verdict": Effect.REFUSE},
        {"reason": Reason.INTERNAL_ERROR},
        {"policy": "f01"},
        {"redaction": Redaction(b"o" * 32)},
    ],
)
def test_a_text_that_is_kept_is_never_that_of_another_record(change: dict[str, Any]):
    """Before and behind it the one that was kept says what it said."""
    records = [a_list(), a_list(**change), a_list(), a_list(**change)]

    lines = [json.loads(line(record)) for record in records]

    assert lines == [as_json(record) for record in records]
    assert lines[0] == lines[2]


def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch):
    """And nothing that is long, or that may be a secret."""
    monkeypatch.setattr(record_module, "MOST_QUESTIONS", 3)
    monkeypatch.setattr(record_module, "MOST_SENTENCES", 3)
    record_module._sentences.clear()
    for _ in range(9):
        line(a_list(asked=asked(LIST, replace(LISTED), REDACTION)))
    few = (len(record_module._questions), len(record_module._sentences))
    record_module._sentences.clear()
    secret = Outcome(Fact("on", "password=x"), Word.ALLOW, ROW)
    long = Outcome(Fact("on", "list"), Word.ALLOW, replace(ROW, message="x" * 5000))
    for record in (
        a_list(outcomes=(secret,)),
        a_list(outcomes=(long,)),
        a_list(context={"name": "a@b"}),
        a_list(asked=asked(RAW, READ, REDACTION)),
        a_list(asked=None),
    ):
        line(record)

    assert max(few) <= 3
    assert min(few) >= 1
    assert record_module._sentences == {}
