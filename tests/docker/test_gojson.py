"""JSON as Go reads it."""

import json
import sys
import time
from pathlib import Path

import pytest

from authz.docker.gojson import MAX_DEPTH, Number, fold, is_empty, loads, quoted, refuse
from authz.errors import Reason, RefusedError

CORPUS = Path(__file__).parent.parent / "corpus" / "gojson" / "grammar.json"
VECTORS = json.loads(CORPUS.read_text(encoding="utf-8"))
HALF = chr(0xD83D)
"""Half of a surrogate pair."""


def document(vector):
    """Return the bytes of a vector."""
    return vector["text"].encode() if "text" in vector else bytes.fromhex(vector["hex"])


def plain(value):
    """Write numbers as the corpus does."""
    match value:
        case Number(text):
            return f"#{text}"
        case list():
            return [plain(part) for part in value]
        case dict():
            return {name: plain(part) for name, part in value.items()}
    return value


def nested(levels, opening=b"[", closing=b"]"):
    """Return a document of so many levels."""
    return opening * levels + closing * levels


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "ours" in v], ids=lambda vector: vector["id"]
)
def test_what_reads_one_way_is_read(vector):
    """Our value is the daemon's."""
    assert plain(loads(document(vector))) == vector["ours"]
    assert vector["daemon"] == "same"


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "refusal" in v], ids=lambda vector: vector["id"]
)
def test_what_the_daemon_reads_otherwise_is_refused(vector):
    """So is what it refuses itself."""
    with pytest.raises(RefusedError, match=vector["refusal"]) as refusal:
        loads(document(vector))

    assert refusal.value.reason is Reason.UNREADABLE_REQUEST
    assert refusal.value.detail.startswith("body ")


def test_a_refusal_names_the_document():
    """A parameter may hold JSON, too."""
    with pytest.raises(RefusedError, match=r"query\.filters is not JSON"):
        loads(b"x", "query.filters")


def test_a_text_without_an_end_is_told_where_it_begins():
    """In a whole sentence."""
    with pytest.raises(RefusedError, match=r"Unterminated string starting at character 1$"):
        loads(b'{"a')


def test_members_keep_their_order():
    """Facts come in the order of the document."""
    assert list(loads(b'{"b": 1, "a": 2}')) == ["b", "a"]


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_documents_nest_up_to_a_limit(opening, closing):
    """A real one has a handful of levels."""
    inner = b"1" if opening != b"[" else b""

    loads(opening * MAX_DEPTH + inner + closing * MAX_DEPTH)

    with pytest.raises(RefusedError, match="deeper than 32 levels"):
        loads(opening * (MAX_DEPTH + 1) + inner + closing * (MAX_DEPTH + 1))


@pytest.mark.parametrize("levels", [100, 9_000, 12_000, 100_000])
def test_a_deep_document_is_refused_and_breaks_nothing(levels):
    """Where Python gives up, the request is refused like any other."""
    with pytest.raises(RefusedError, match="deeper than 32 levels"):
        loads(nested(levels))


@pytest.mark.parametrize("digits", [5_000, 200_000])
def test_a_long_number_is_kept_as_text(digits):
    """Python would refuse to convert it."""
    assert loads(b"1" * digits) == Number("1" * digits)


def test_many_members_are_read_quickly():
    """A repeated name among thousands is found in one pass."""
    names = [f"{index:x}" for index in range(20_000)]
    text = json.dumps(dict.fromkeys(names, 0))[:-1] + ', "z": 0, "z": 0}'
    began = time.process_time()

    with pytest.raises(RefusedError, match='member "z" twice'):
        loads(text.encode())

    assert time.process_time() - began < 1


def test_a_refused_text_is_not_shown():
    """Build arguments are such texts, and a refusal is written down."""
    with pytest.raises(RefusedError) as refusal:
        loads(rb'{"TOKEN": "hunter2\ud800"}')

    assert "hunter2" not in refusal.value.detail


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": "secret"}, "an object"),
        (["secret"], "a list"),
        (Number("1e5"), "1e5"),
        (None, "null"),
        (True, "true"),
        ("", '""'),
        ('a"b\n', r'"a\"b\n"'),
        ("\u202e", r'"\u202e"'),
        (HALF, r'"\ud83d"'),
        ("x" * 58, '"' + "x" * 58 + '"'),
        ("x" * 59, '"' + "x" * 59 + "…"),
        (Number("1" * 99), "1" * 60 + "…"),
    ],
)
def test_a_value_is_shown_on_one_line(value, shown):
    """Nothing of it can change the line it stands in, or fill it."""
    assert quoted(value) == shown


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("HostConfig", "hostconfig"),
        ("HOSTCONFIG", "hostconfig"),
        ("Ho\u017ftConfig", "hostconfig"),
        ("Networ\u212aMode", "networkmode"),
        ("\u017f\u212a", "sk"),
        ("É", "é"),
        ("\u03a3", "\u03c3"),
        ("\u03c2", "\u03c3"),
        ("ß", "ß"),
        ("\u1e9e", "ß"),
        ("\u0130", "\u0130"),
        ("\u0131", "\u0131"),
        ("", ""),
    ],
)
def test_names_fold_by_simple_folding(name, folded):
    """One character becomes one character."""
    assert fold(name) == folded


def test_only_two_letters_beyond_ascii_fold_into_it():
    """So the ASCII names of the daemon have no other spellings."""
    folded = {chr(code): fold(chr(code)) for code in range(128, sys.maxunicode + 1)}

    into_ascii = {letter: other for letter, other in folded.items() if other.isascii()}

    assert into_ascii == {"\u017f": "s", "\u212a": "k"}


@pytest.mark.parametrize(
    "value",
    [None, False, "", [], {}, Number("0"), Number("-0"), Number("0.00"), Number("-0e9")],
)
def test_a_zero_value_is_empty(value):
    """It changes nothing, whatever the type of the member."""
    assert is_empty(value)


@pytest.mark.parametrize(
    "value",
    [True, "0", " ", [None], {"a": None}, Number("1"), Number("0.10"), Number("-0.01e0")],
)
def test_any_other_value_is_not_empty(value):
    """Also one that holds nothing but empty ones."""
    assert not is_empty(value)


def test_a_refusal_is_one_of_reading():
    """Place and problem make a sentence."""
    with pytest.raises(RefusedError) as refusal:
        refuse("query.t", "is 1")

    assert (refusal.value.reason, refusal.value.detail) == (
        Reason.UNREADABLE_REQUEST,
        "query.t is 1",
    )
