"""Bodies by the table of fields, against a model of Go's decoder."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.docker.canonical import canonical
from authz.docker.field_table import structures
from authz.docker.fields import read_body
from authz.docker.gotypes import Form, parse
from authz.docker.routes import load_operations
from authz.errors import Reason, RefusedError
from tests.builders import a_raw_request, operation_named

pytestmark = pytest.mark.property

REASONS = {Reason.UNREADABLE_REQUEST, Reason.LEGACY_FORM}
OPERATIONS = [row for row in load_operations() if row.body in {"json", "secret"}]
INTEGERS = {
    "uint": (0, 2**64 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
SCALARS = {
    "bool": st.booleans(),
    "string": st.text(max_size=5),
    "bytes": st.text(max_size=5),
    "float32": st.floats(0, 1, width=32),
}
OTHER_LETTERS = {"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a"}
NAMES = st.sampled_from(
    [
        *structures()["ContainerCreate"].fields,
        *structures()["Mount"].fields,
        "hostconfig",
        "Foo",
        "a b",
    ]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.floats(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)


def values(kind):
    """Return a strategy for what a type can hold, in the canonical form."""
    match kind.form:
        case Form.LIST | Form.ARRAY:
            found = st.lists(values(kind.inner), max_size=2)
        case Form.MAP:
            found = st.dictionaries(st.text(max_size=3), values(kind.inner), max_size=2)
        case Form.STRSLICE:
            found = st.lists(st.text(max_size=5), max_size=2)
        case Form.SET:
            found = st.just({})
        case Form.STRUCT:
            found = documents(kind.name)
        case Form.SCALAR:
            least, most = INTEGERS.get(kind.name, (-(2**63), 2**63 - 1))
            found = SCALARS.get(kind.name, st.integers(least, most))
    return found


def documents(name):
    """Return a strategy for canonical documents of a structure, of a few members each."""
    known = [
        field
        for field in structures()[name].fields.values()
        if not field.legacy and field.go.form is not Form.JSON
    ]
    members = {field.name: field.go for field in known}
    return st.lists(st.sampled_from(sorted(members)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: values(members[name]) for name in names})
    )


def mangled(kind, value, random):
    """Write a canonical value as a careless client might: any spelling, and nulls."""
    match kind.form:
        case Form.LIST:
            return [mangled(kind.inner, part, random) for part in value]
        case Form.MAP:
            return {key: mangled(kind.inner, part, random) for key, part in value.items()}
        case Form.STRUCT:
            fields = structures()[kind.name].fields
            absent = sorted(set(fields) - set(value))
            nulls = random.sample(absent, k=min(len(absent), random.randrange(3)))
            return {
                **{spelt(name, random): None for name in nulls},
                **{
                    spelt(name, random): mangled(fields[name].go, part, random)
                    for name, part in value.items()
                },
            }
    return value


def spelt(name, random):
    """Spell a name in another way that Go takes for it."""
    ways = [str.lower, str.upper, str.swapcase, str, lambda text: OTHER_LETTERS.get(text, text)]
    return "".join(random.choice(ways)(letter) for letter in name)


def outcome(document, name="ContainerCreate"):
    """Return the document that is read, or the refusal."""
    try:
        return read_body(operation_named(name), document.encode())[0]
    except RefusedError as refusal:
        return refusal


def is_canonical(value):
    """Say whether a value is free of nulls and of texts for numbers."""
    match value:
        case dict():
            return all(isinstance(name, str) for name in value) and is_canonical([*value.values()])
        case list():
            return all(map(is_canonical, value))
    return isinstance(value, bool | int | float | str)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.name)
def test_any_spelling_gives_the_same_document(operation):
    """Names in any case, with the two other letters and with nulls, mean what they mean to Go."""
    kind = structures()[operation.name].whole or parse(operation.name)

    @settings(max_examples=30, deadline=None)
    @given(values(kind), st.randoms(use_true_random=False))
    def check(document, random):
        written = mangled(kind, document, random)

        assert read_body(operation, json.dumps(written).encode()) == (document, ())

    check()


@settings(max_examples=500, deadline=None)
@given(ANY_JSON, st.sampled_from([row.name for row in OPERATIONS]))
def test_any_document_is_read_or_refused(document, name):
    """Whatever comes out is canonical."""
    found = outcome(json.dumps(document), name)

    if isinstance(found, RefusedError):
        assert found.reason in REASONS
        assert found.detail.isprintable()
    else:
        assert is_canonical({} if found is None else found)


HOSTS = st.none() | st.lists(
    st.tuples(st.just("Privileged"), st.sampled_from([None, True, False])), max_size=3
)
MEMBERS = st.lists(
    st.tuples(st.just("HostConfig"), HOSTS)
    | st.tuples(st.just("Privileged"), st.sampled_from([None, True, False])),
    max_size=4,
)


def object_of(pairs, random, *, value=json.dumps):
    """Write an object whose members may come twice, in any spelling."""
    return "{" + ", ".join(f"{json.dumps(spelt(n, random))}: {value(v)}" for n, v in pairs) + "}"


def decoded(pairs):
    """Decode an object as Go does into a nil pointer: later members over earlier ones."""
    privileged = False
    for _, value in pairs:
        privileged = privileged if value is None else value
    return privileged


def go_privileged(pairs):
    """Say whether the container is privileged, for new and for old daemons."""
    host = None
    for name, value in pairs:
        if name == "HostConfig":
            host = None if value is None else [*(host or []), *value]
    top = [pair for pair in pairs if pair[0] == "Privileged"]
    new = decoded(host or [])
    return {new, decoded(top) if host is None else new}


@settings(max_examples=700, deadline=None)
@given(MEMBERS, st.randoms(use_true_random=False))
def test_no_privilege_is_overlooked(pairs, random):
    """Whatever is repeated, misspelt or misplaced: what is taken is what all daemons make of it."""
    document = object_of(
        pairs,
        random,
        value=lambda value: (
            object_of(value, random) if isinstance(value, list) else json.dumps(value)
        ),
    )

    found = outcome(document)

    if not isinstance(found, RefusedError):
        assert go_privileged(pairs) == {found.get("HostConfig", {}).get("Privileged", False)}


@settings(max_examples=300, deadline=None)
@given(documents("HostConfig"), st.randoms(use_true_random=False))
def test_a_privileged_create_is_never_read_without_it(host, random):
    """In any spelling and any company, the member comes out."""
    body = {
        spelt("Image", random): "a",
        spelt("HostConfig", random): {
            **mangled(parse("HostConfig"), {**host, "Privileged": True}, random)
        },
    }

    request = canonical(a_raw_request(body=body))

    assert request.body["HostConfig"] == {**host, "Privileged": True}
