"""Documents taken apart: however they arrive, and only where they are JSON of that shape."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.facts.listings import LISTINGS, Shape
from authz.proxy import splitter
from authz.proxy.head import FramingError
from authz.proxy.splitter import Entry, Splitter

LIST = LISTINGS["ContainerList"]
VOLUMES = LISTINGS["VolumeList"]
USAGE = LISTINGS["SystemDataUsage"]


def split(shape, *pieces):
    """Feed pieces; return all parts, and whether all of it was read."""
    one = Splitter(shape)
    parts = [part for piece in pieces for part in one.feed(piece, last=False)]
    parts += one.feed(b"", last=True)
    assert one.done
    return parts


def joined(parts):
    """Put the parts together again, with all entries."""
    text, between = "", ""
    for part in parts:
        text += part if isinstance(part, str) else between + part.text
        between = "," if isinstance(part, Entry) else ""
    return json.loads(text)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(documents, max_size=5), st.booleans(), st.sampled_from([None, 1]), st.data())
def test_a_list_is_its_entries(entries, plain, indent, data):
    """Whatever they are, and wherever the bytes are torn: in escapes and characters, too."""
    body = json.dumps(entries, ensure_ascii=plain, indent=indent).encode("utf-8", "replace")
    cut = data.draw(st.integers(0, len(body)))

    parts = split(LIST, body[:cut], body[cut:])

    assert [part.value for part in parts if isinstance(part, Entry)] == json.loads(body)
    assert joined(parts) == json.loads(body)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["LayersSize", "Images", "ImageUsage", "Others", "Volumes", "More"]),
        st.none()
        | st.integers()
        | st.lists(st.integers(), max_size=2)
        | st.dictionaries(st.sampled_from(["Items", "Total", "Else"]), documents, max_size=2),
    ),
    st.data(),
)
def test_an_object_keeps_what_tells_of_nobody(document, data):
    """Its lists in their places, numbers and the like; nothing else."""
    body = json.dumps(document).encode()
    cut = data.draw(st.integers(0, len(body)))
    try:
        parts = split(USAGE, body[:cut], body[cut:])
    except FramingError:
        expected = None
    else:
        expected = joined(parts)
    assert expected == kept(document)


def kept(document):
    """Say what is left of a disk usage; None where it has another shape."""
    found = {}
    for name, value in document.items():
        if name in {"Images", "Volumes"}:
            if value is not None and not isinstance(value, list):
                return None
            found[name] = value
        elif name == "ImageUsage":
            if value is not None and not isinstance(value, dict):
                return None
            if value and not isinstance(value.get("Items"), list | None):
                return None
            found[name] = value and {
                k: v for k, v in value.items() if k == "Items" or not isinstance(v, list | dict)
            }
        elif not isinstance(value, list | dict):
            found[name] = value
    return found


def test_lists_of_nobody_can_be_kept():
    """Where the shape says so."""
    body = {"Warnings": ["slow"], "Others": ["x"], "Volumes": [{"Name": "a"}]}

    assert joined(split(VOLUMES, json.dumps(body).encode())) == {
        "Warnings": ["slow"],
        "Volumes": [{"Name": "a"}],
    }


def test_a_number_may_go_on():
    """At the end of a piece it is not read yet."""
    parts = split(LIST, b"[1", b"2", b",1.", b"5,2e", b"1,2e+", b"1]")

    assert [part.value for part in parts if isinstance(part, Entry)] == [12, 1.5, 20.0, 20.0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[",
        b"[1",
        b"[1,",
        b"[,1]",
        b"[1,]",
        b"[1 2]",
        b"[1}",
        b"[1]]",
        b"[1] x",
        b"[tru]",
        b"nul",
        b"nothing",
        b"\xff",
        b'["\xc3',
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_is_none(body):
    """As a whole, and torn."""
    for cut in (0, len(body) // 2):
        with pytest.raises(FramingError, match="it is no JSON"):
            split(LIST, body[:cut], body[cut:])


@pytest.mark.parametrize(
    "body", [b"{", b'{"a"', b'{"a" 1}', b"{1:2}", b'{"a":1,}', b'{"a":1 "b":2}', b'{"Volumes":}']
)
def test_half_an_object_is_none(body):
    """In every place."""
    with pytest.raises(FramingError):
        split(VOLUMES, body)


@pytest.mark.parametrize(
    ("shape", "body", "problem"),
    [
        (LIST, b'{"Id":"a"}', "it is no list"),
        (LIST, b"7", "it is no list"),
        (VOLUMES, b'[{"Name":"a"}]', "it is no JSON object"),
        (VOLUMES, b'{"Volumes":{}}', "Volumes is no list"),
        (USAGE, b'{"ImageUsage":[]}', "ImageUsage is no JSON object"),
        (USAGE, b'{"ImageUsage":{"Items":7}}', "ImageUsage.Items is no list"),
    ],
)
def test_another_shape_is_no_such_answer(shape: Shape, body, problem):
    """Nobody could tell what is in it."""
    with pytest.raises(FramingError, match=problem):
        split(shape, body)


def test_an_entry_can_be_too_long(monkeypatch):
    """The list as a whole cannot: nobody keeps it."""
    monkeypatch.setattr(splitter, "LONGEST_ENTRY", 50)
    one = Splitter(LIST)
    assert len(one.feed(b"[" + b'"x",' * 1000, last=False)) == 1001
    one.feed(b'"' + b"x" * 90, last=False)
    assert one.waiting == 91
    with pytest.raises(FramingError, match="an entry is longer than 50 characters"):
        one.feed(b"x" * 20, last=False)


@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
def test_an_object_that_is_too_long_is_passed_over(size, monkeypatch):
    """It can be so by the labels of others, and must not take the list away from everybody."""
    monkeypatch.setattr(splitter, "LONGEST_ENTRY", 50)
    long = {"Labels": {"a\\": 'x"]}{[' * 30, 'b"': ["y", {"z": "\\" * 30}]}}
    body = json.dumps([{"Id": "a"}, long, {"Id": "b"}]).encode()
    one = Splitter(LIST)
    parts, waiting = [], 0
    for at in range(0, len(body), size):
        parts += one.feed(body[at : at + size], last=False)
        waiting = max(waiting, one.waiting)
    parts += one.feed(b"", last=True)

    assert one.done
    if size < 100:
        assert waiting <= 100 + size
        assert joined(parts) == [{"Id": "a"}, None, {"Id": "b"}]


def test_half_of_an_object_that_is_too_long_is_no_json(monkeypatch):
    """Its end does not come."""
    monkeypatch.setattr(splitter, "LONGEST_ENTRY", 50)
    one = Splitter(LIST)
    one.feed(b'[{"a":"' + b"x" * 120, last=False)
    one.feed(b"x" * 120, last=False)
    with pytest.raises(FramingError, match="it is no JSON"):
        one.feed(b"x\\", last=True)


def test_half_of_a_long_entry_is_not_read_over_and_over():
    """A megabyte in small pieces takes no longer than in one."""
    one = Splitter(LIST)
    attempts = []
    read = one._read
    one._read = lambda text, at: attempts.append(len(text)) or read(text, at)
    body = json.dumps(["x" * 1_000_000]).encode()
    for at in range(0, len(body), 1000):
        one.feed(body[at : at + 1000], last=False)
    one.feed(b"", last=True)

    assert one.done
    assert len(attempts) < 15
