"""JSON against Python's reader, which is loose where ours is strict."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker.gojson import Number, fold, is_empty, loads, quoted
from authz.errors import Reason, RefusedError

pytestmark = pytest.mark.property

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
MORE = ['"a":', '"A":', r'"\u017f":', r'"\ud800"', "null", "NaN", "1e400"]
PIECES = st.lists(
    st.sampled_from([*'{}[]:,"-.0e1 \n\0\ufeffé', *MORE]),
    max_size=14,
).map("".join)


def converted(value):
    """Turn numbers into what Python makes of them."""
    match value:
        case Number(text):
            return float(text) if set(text) & set(".eE") else int(text)
        case list():
            return [converted(part) for part in value]
        case dict():
            return {name: converted(part) for name, part in value.items()}
    return value


def ours(document):
    """Return what is read, or the refusal."""
    try:
        return converted(loads(document))
    except RefusedError as refusal:
        return refusal


def is_proper(refusal):
    """Say whether a refusal is one of reading, on one line."""
    return refusal.reason is Reason.UNREADABLE_REQUEST and refusal.detail.isprintable()


def has_twice(text):
    """Say whether any object of the document has a name twice."""
    found = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(Counter(n for n, _ in pairs)))
    return any(count > 1 for names in found for count in names.values())


@settings(max_examples=200, deadline=None)
@given(VALUES, st.booleans())
def test_what_python_writes_is_read_alike(value, ascii_only):
    """Escapes, exponents and white space change nothing."""
    document = json.dumps(value, ensure_ascii=ascii_only, indent=1 if ascii_only else None)

    assert ours(document.encode()) == value


@settings(max_examples=1000, deadline=None)
@given(PIECES)
def test_what_is_taken_is_what_python_reads(text):
    """Nothing but a value or a refusal comes out, and a value is Python's, read strictly."""
    value = ours(text.encode())

    if isinstance(value, RefusedError):
        assert is_proper(value)
    else:
        assert value == json.loads(text, parse_constant=pytest.fail)
        assert not has_twice(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(document):
    """What is read is text in UTF-8."""
    value = ours(document)

    if isinstance(value, RefusedError):
        assert is_proper(value)
    else:
        assert value == json.loads(document.decode("utf-8"))


@settings(max_examples=200, deadline=None)
@given(VALUES, st.integers(0, 200), st.binary(max_size=2))
def test_a_damaged_document_is_read_or_refused(value, place, damage):
    """A few other bytes anywhere break nothing."""
    document = json.dumps(value).encode()

    found = ours(document[:place] + damage + document[place + 1 :])

    assert is_proper(found) if isinstance(found, RefusedError) else True


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=3), st.data())
def test_a_repeated_name_is_always_refused(value, data):
    """Wherever it stands, and however it is escaped."""
    name = data.draw(st.sampled_from(sorted(value)))
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name if ord(letter) < 0x10000)
    written = f'"{escaped}"' if len(escaped) == 6 * len(name) else json.dumps(name)
    document = json.dumps({"outer": [value]}).replace("[{", f"[{{{written}: 0, ", 1)

    with pytest.raises(RefusedError, match="twice in one object"):
        loads(document.encode())


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_folding_is_done_once_and_letter_by_letter(name):
    """Folded names stay as they are, and have as many letters as before."""
    folded = fold(name)

    assert fold(folded) == folded
    assert len(folded) == len(name)
    assert folded == "".join(map(fold, name))


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_what_is_empty_is_false(value):
    """Emptiness is Python's, for every type."""
    read = loads(json.dumps(value).encode())

    assert is_empty(read) is not bool(value)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text(alphabet=st.characters(categories=["Cs", "Cc"])))
def test_a_quoted_text_is_one_line_of_ascii(text):
    """No text that a caller sends can forge a line of a log."""
    shown = quoted(text)

    assert shown.isprintable()
    assert len(shown) <= 61
