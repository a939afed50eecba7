"""The reader of plain bodies, held to the reader by the rules."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker.field_table import structures
from authz.docker.fields import read_by_rules
from authz.docker.gotypes import parse
from authz.docker.plain import read_plain
from authz.errors import RefusedError
from tests.property.test_fields import ANY_JSON, OPERATIONS, documents, mangled, values

pytestmark = pytest.mark.property

SCRAPS = st.sampled_from(
    [
        *(b"-0", b"0", b"1", b"00", b"1e0", b"1.0", b"1e-999", b"1" * 30, b"-", b"null", b"true"),
        *(b"NaN", b"Infinity", b'"', b"\\u", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\xff"),
        *(b",", b":", b"{", b"}", b"[", b"]", b"{}", b"[]", b" ", b"\n", b"\x0b", b"\xc2\xa0"),
        *(b'"Image":"b",', b'"Privileged":null,', b'"HostConfig":{},', b"\xef\xbb\xbf", b"\x00"),
    ]
)
"""What makes a document another one, or none."""


def agree(operation, body):
    """Say whether a body is plain. Fails where the two readers make something else of it."""
    plain = read_plain(operation.name, body)
    if plain is None:
        return False
    try:
        document, unknown = read_by_rules(operation, body)
    except RefusedError as refusal:
        pytest.fail(f"taken for plain: {body!r}; by the rules {refusal}")
    # Written out, true differs from 1 and the order of members counts.
    assert (json.dumps(plain), ()) == (json.dumps(document), unknown)
    return True


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.name)
def test_both_make_the_same_of_any_spelling(operation):
    """Canonical documents, and the same as a careless client writes them."""
    kind = structures()[operation.name].whole or parse(operation.name)

    @settings(max_examples=30, deadline=None)
    @given(values(kind), st.randoms(use_true_random=False))
    def check(document, random):
        agree(operation, json.dumps(document).encode())
        agree(operation, json.dumps(mangled(kind, document, random), ensure_ascii=False).encode())

    check()


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from(OPERATIONS).flatmap(lambda row: st.tuples(st.just(row), ANY_JSON))
    | st.sampled_from([row for row in OPERATIONS if structures()[row.name].whole is None]).flatmap(
        lambda row: st.tuples(st.just(row), documents(row.name))
    ),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), SCRAPS), max_size=3),
)
def test_both_make_the_same_of_what_was_spoilt(pair, cuts):
    """Whatever is put in or taken out, anywhere."""
    operation, document = pair
    body = json.dumps(document).encode()
    for place, length, scrap in cuts:
        body = body[:place] + scrap + body[place + length :]

    agree(operation, body)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Image", "Privileged", "HostConfig", "hostConfig", "Labels", "Foo"]),
            st.sampled_from(
                ["null", "true", '"a"', "{}", "-0", '{"Privileged":true}', '{"a":"b","a":"c"}']
            ),
        ),
        max_size=5,
    )
)
def test_a_name_that_comes_twice_is_never_plain(members):
    """Nor one that folds to another."""
    body = "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"
    create = next(row for row in OPERATIONS if row.name == "ContainerCreate")
    names = [name.lower() for name, _ in members]

    if agree(create, body.encode()):
        assert len(names) == len(set(names))
