"""Whole requests of any shape."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker.canonical import canonical
from authz.docker.request import ApiRequest
from authz.docker.routes import load_operations
from authz.errors import Reason, RefusedError
from authz.wire.raw import BodyState, RawRequest

pytestmark = pytest.mark.property

REASONS = {
    Reason.UNREADABLE_REQUEST,
    Reason.UNKNOWN_ROUTE,
    Reason.LEGACY_FORM,
    Reason.BODY_INCOMPLETE,
    Reason.BODY_TOO_LARGE,
}
ANY_TEXT = st.text(alphabet=st.characters(), max_size=12)
ROWS = st.sampled_from([row for row in load_operations() if row.method != "GRPC"])
QUERIES = st.lists(
    st.sampled_from(
        ["fromImage", "version", "name", "t", "filters", "limit", "buildargs", "x", ""]
    ),
    max_size=3,
).flatmap(
    lambda names: st.lists(
        st.sampled_from(["2", "-1", "", "%7B%7D", "a+b", "%zz", "{", ";", "null"]) | ANY_TEXT,
        min_size=len(names),
        max_size=len(names),
    ).map(lambda values: "&".join(map("=".join, zip(names, values, strict=True))))
)
PREFIXES = st.sampled_from(
    ["", "/v1.24", "/v1.41", "/v1.45", "/v1.55", "/v1.2", "//", "/v1.45.", "http://docker"]
)
MARKS = st.sampled_from(["?", "?", "?", "", "#"])
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Content-Type", "content-type", "Host"]),
        st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", ""])
        | ANY_TEXT,
    ),
    max_size=2,
).map(tuple) | st.just((("Content-Type", "application/json"),))
BODIES = st.binary(max_size=12) | st.dictionaries(
    st.sampled_from(["Image", "Container", "hostconfig", "Memory", "Name", "Detach", "Foo"]),
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just({}),
    max_size=3,
).map(lambda document: json.dumps(document).encode())
LINES = st.builds(
    lambda row, *parts: (row.method, "".join((parts[0], filled(row.path), *parts[1:]))),
    ROWS,
    PREFIXES,
    MARKS,
    st.just("") | QUERIES,
)


def filled(path):
    """Put names in place of the variables of a path."""
    return path.replace("{id}", "web").replace("{name}", "a%2Fb").replace("{any}", "x")


def is_read_or_refused(raw, max_body=256 * 1024):
    """Say whether reading ends in a value or in a refusal; any other error goes on."""
    try:
        found = canonical(raw, max_body=max_body)
    except RefusedError as refusal:
        return refusal.reason in REASONS and refusal.detail.isprintable()
    return (
        isinstance(found, ApiRequest)
        and found.operation.method == raw.method
        and found.opaque == (found.operation.opaque if found.body is None else "")
        and (found.body is None or found.operation.body in {"json", "secret"})
    )


@settings(max_examples=800, deadline=None)
@given(LINES, HEADERS, BODIES, st.sampled_from(BodyState), st.sampled_from([8, 256 * 1024]))
def test_any_request_is_read_or_refused(line, headers, body, state, max_body):
    """Nobody can make the reading fail in another way, whatever is sent."""
    assert is_read_or_refused(RawRequest(*line, headers, body, state), max_body)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["GET", "POST"]) | ANY_TEXT, ANY_TEXT.map("/{}".format) | ANY_TEXT, HEADERS)
def test_any_line_is_read_or_refused(method, target, headers):
    """Neither can text that is no request line at all."""
    assert is_read_or_refused(RawRequest(method, target, headers))
