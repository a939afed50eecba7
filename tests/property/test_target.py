"""Request targets, written in all the ways that mean the same."""

import re
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker.routes import load_operations
from authz.docker.target import read_target
from authz.errors import Reason, RefusedError

pytestmark = pytest.mark.property

REASONS = {Reason.UNREADABLE_REQUEST, Reason.UNKNOWN_ROUTE, Reason.LEGACY_FORM}
OPERATIONS = st.sampled_from(
    [row for row in load_operations() if row.path != "*" and row.method != "GRPC"]
)
SEGMENTS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/") | st.just(" "),
    min_size=1,
    max_size=8,
).filter(lambda text: text not in {".", ".."})
STRANGE = [
    "%",
    "%2f",
    "%00",
    "%zz",
    "..",
    "//",
    "?",
    "#",
    ";",
    "é",
    " ",
    "\\",
    "\udcff",
    "http://",
    "*",
]
USUAL = [
    "/",
    "/v1.41",
    "/v1.2",
    "/containers",
    "/create",
    "/json",
    "/web",
    "/libpod",
    "v",
    "&",
    "=",
]
PIECES = st.lists(st.sampled_from(STRANGE + USUAL), max_size=8).map("".join)
NAMES = st.lists(
    st.sampled_from(
        ["web", "/db", "%2Fdb", "%41", "%2525", ":1", "@", "json", "/start", "%20x", "."]
    ),
    min_size=1,
    max_size=3,
).map("".join)
QUERIES = st.lists(
    st.sampled_from(["a=1", "&", "=", "t=%2B", "+", "%26", "version=2", "fromImage=a", "?"]),
    max_size=6,
).map("".join)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get", "", "\n"])


def outcome(method, target):
    """Return the reading or the refusal."""
    try:
        return read_target(method, target)
    except RefusedError as refusal:
        return refusal


def filled(operation, value):
    """Put the value in place of every variable of the path."""
    return re.sub(r"{\w+}", lambda _: value, operation.path)


def rewritten(read):
    """Write a target that was read in the one spelling of all its parts."""
    path = read.operations[0].path
    for name, value in read.path.items():
        path = path.replace(f"{{{name}}}", quote(value, safe="/"))
    version = "/v{}.{}".format(*read.version) if read.version else ""
    return f"{version}{path}?{written(read.pairs)}"


def written(pairs):
    """Write pairs as a query."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


@settings(max_examples=800, deadline=None)
@given(OPERATIONS, SEGMENTS, st.sampled_from(["", "/v1.24", "/v1.45"]), st.sampled_from(["", ":@"]))
def test_a_name_survives_being_quoted(operation, name, version, safe):
    """However a client escapes a name, the operation and the name are what it meant."""
    target = version + filled(operation, quote(name, safe=safe))

    read = read_target(operation.method, target)

    assert operation in read.operations
    assert set(read.path.values()) <= {name}


@settings(max_examples=800, deadline=None)
@given(METHODS, PIECES)
def test_any_target_is_read_or_refused(method, target):
    """No other error comes out, and the refusal is one printable line."""
    found = outcome(method, target)

    if isinstance(found, RefusedError):
        assert found.reason in REASONS
        assert found.detail.isprintable()
    else:
        assert found.operations


@settings(max_examples=800, deadline=None)
@given(OPERATIONS, NAMES, QUERIES)
def test_a_target_that_was_read_reads_the_same_when_it_is_written_anew(operation, name, query):
    """What a door would send on, rebuilt from the reading, means the same."""
    read = outcome(operation.method, f"/v1.45{filled(operation, name)}?{query}")

    assert isinstance(read, RefusedError) or read_target(operation.method, rewritten(read)) == read


@settings(max_examples=500, deadline=None)
@given(OPERATIONS.filter(lambda row: row.name != "OptionsAny"), st.data())
def test_an_escape_in_a_literal_never_gets_through(operation, data):
    """Whichever letter of the route is escaped, nobody reads it as that route."""
    literal = re.sub(r"{\w+}", lambda found: " " * len(found[0]), operation.path)
    place = data.draw(
        st.sampled_from([i for i, letter in enumerate(literal) if letter not in " /"])
    )
    path = f"{operation.path[:place]}%{ord(literal[place]):02x}{operation.path[place + 1 :]}"

    found = outcome(operation.method, "/v1.45" + re.sub(r"{\w+}", "web", path))

    assert isinstance(found, RefusedError)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=4), st.booleans())
def test_a_query_survives_being_quoted(pairs, plus):
    """Blanks are written in two ways, and everything else in one."""
    query = written(pairs)

    read = read_target("GET", "/info?" + (query.replace("%20", "+") if plus else query))

    assert read.pairs == tuple(pairs)
