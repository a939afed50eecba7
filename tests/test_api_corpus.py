"""The tables against the published descriptions of the API, version by version.

``tests/corpus/api`` lists every operation and field of the descriptions of API
1.25 to 1.55, and what engines read beyond them. Whoever takes a row out of a
table fails here, and so does whoever adds one without listing it.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from authz.docker.canonical import canonical
from authz.docker.field_table import rows, structures
from authz.docker.fields import read_query
from authz.docker.gojson import fold
from authz.docker.gotypes import Form, parse
from authz.docker.routes import load_operations
from authz.errors import Reason, RefusedError
from authz.facts.catalogue import catalogue
from tests.builders import a_raw_request

CORPUS = Path(__file__).parent / "corpus" / "api"
JSON_BODIES = {"json", "secret"}
SAMPLES = {"bool": True, "string": "x", "bytes": "eA=="}
QUERIES = {"bool": "1", "int": "1", "json": "{}"}


def listed(name):
    """Read one list."""
    with (CORPUS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


OPERATIONS = listed("operations.csv")
FIELDS = listed("fields.csv")


def version(text):
    """Return a version as numbers, so that 1.9 is older than 1.10."""
    return tuple(map(int, text.split(".")))


def innermost(kind):
    """Return what lists and maps hold in the end."""
    while kind.element is not None:
        kind = kind.inner
    return kind


def members(name, above="", seen=frozenset()):
    """Yield path, row and type of every member below a structure; no structure twice on a way."""
    for row in (row for row in rows() if row.type == name):
        kind = parse(row.go)
        inner = innermost(kind)
        below = f"{above}.{row.name}".strip(".")
        if row.name:
            yield below, row, kind
        # The top level of a create holds all of HostConfig for old engines only.
        if inner.form is Form.STRUCT and inner.name not in seen and not is_top_level(row):
            yield from members(inner.name, below if row.name else above, seen | {inner.name})


def is_top_level(row):
    """Say whether a row stands for what old engines read in another place."""
    return row.type == "ContainerCreate" and row.meaning.startswith("legacy")


def tabled():
    """Return the fields of the table by method, path, place and name, with their rows."""
    found = {}
    for operation in load_operations():
        at = operation.method, operation.path
        for row in (row for row in rows() if row.type == f"query:{operation.name}"):
            found[*at, "query", row.name] = row, parse(row.go)
        if operation.body in JSON_BODIES:
            for path, row, kind in members(operation.name):
                if not is_top_level(row):
                    found[*at, "body", folded(path)] = row, kind
    return found


def folded(path):
    """Return the spelling that all spellings of a path share."""
    return ".".join(map(fold, path.split(".")))


def key(field):
    """Return the key of a listed field."""
    name = field["field"] if field["in"] == "query" else folded(field["field"])
    return field["method"], field["path"], field["in"], name


TABLED = tabled()
BY_PATH = defaultdict(list)
for listed_field in FIELDS:
    BY_PATH[listed_field["method"], listed_field["path"]].append(listed_field)


def test_every_operation_has_a_row_and_every_row_is_listed():
    """Those that the descriptions leave out are listed as read in the engines."""
    table = [(row.method, row.path, row.variant) for row in load_operations()]

    assert sorted(table) == sorted((r["method"], r["path"], r["variant"]) for r in OPERATIONS)


@pytest.mark.parametrize("listed_", OPERATIONS, ids=lambda r: f"{r['method']} {r['path']}")
def test_an_operation_has_all_its_versions(listed_):
    """A row that starts too late or ends too early would make a version unjudged."""
    (row,) = [
        row
        for row in load_operations()
        if (row.method, row.path, row.variant)
        == (listed_["method"], listed_["path"], listed_["variant"])
    ]

    assert row.first <= version(listed_["first"]) <= version(listed_["last"]) <= row.last


def test_every_field_has_a_row_and_every_row_is_listed():
    """In the spelling that Go takes for the same."""
    assert {key(field) for field in FIELDS} == set(TABLED)


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: ":".join(f.values()))
def test_a_field_has_all_its_versions(field):
    """The row of a field covers the versions that describe it."""
    row, _ = TABLED[key(field)]

    assert version(row.first) <= version(field["first"])
    assert version(field["last"]) <= version(row.last)


def sample(kind):
    """Return a value of a type that is not zero, where there is one."""
    match kind.form:
        case Form.LIST | Form.ARRAY:
            return [sample(kind.inner)]
        case Form.MAP:
            return {"k": sample(kind.inner)}
        case Form.STRSLICE:
            return ["x"]
        case Form.STRUCT | Form.SET:
            return {}
    return SAMPLES.get(kind.name, 1)


def document(operation, field):
    """Return a body with this one member, as its description spells it."""
    whole = structures()[operation.name].whole
    kind = whole or parse(operation.name)
    return filled(kind, field.split("."))


def filled(kind, names):
    """Put a value below the names, through lists and maps."""
    if not names:
        return sample(kind)
    if kind.form is Form.LIST:
        return [filled(kind.inner, names)]
    if kind.form is Form.MAP:
        return {"k": filled(kind.inner, names)}
    known = structures()[kind.name].folding(fold(names[0]))
    assert known is not None, names
    return {names[0]: filled(known.go, names[1:])}


@pytest.mark.parametrize("at", list(BY_PATH), ids=" ".join)
def test_a_listed_field_is_read(at):
    """Each is a member that is known, whatever spelling the description has."""
    operations = [row for row in load_operations() if (row.method, row.path) == at]

    for field in BY_PATH[at]:
        for operation in operations:
            row, kind = TABLED[key(field)]
            if field["in"] == "query":
                check_parameter(operation, field["field"], kind)
            elif row.meaning.startswith("legacy"):
                check_legacy(operation, field["field"])
            elif innermost(kind).form is not Form.JSON:
                assert read(operation, field["field"]).unknown_fields == (), field


def check_parameter(operation, name, kind):
    """Check that a parameter is known; two operations with one path both know it."""
    value = QUERIES.get(innermost(kind).name, "x")

    assert read_query(operation, [(name, value)]) == ({name: (value,)}, ())


def check_legacy(operation, name):
    """Check that what only old engines apply is refused."""
    with pytest.raises(RefusedError) as refusal:
        read(operation, name)
    assert refusal.value.reason is Reason.LEGACY_FORM


def read(operation, name):
    """Read a whole request with this one member."""
    target = operation.path.replace("{id}", "x").replace("{name}", "x")
    body = json.dumps(document(operation, name)).encode()
    return canonical(a_raw_request(operation.method, f"/v1.55{target}", body))


@pytest.mark.parametrize(
    "at", [at for at in sorted(TABLED, key=str) if at[1] != "/commit"], ids=" ".join
)
def test_a_field_yields_kinds_that_exist(at):
    """At least one of them by its action; a commit says the same of each, ``commit.changes``."""
    row, _ = TABLED[at]
    kinds = row.note.split("; ") if row.meaning == "fact" else []
    actions = [known.action for known in load_operations() if (known.method, known.path) == at[:2]]

    assert set(kinds) <= set(catalogue().kinds)
    assert not kinds or any(catalogue().can_yield(a, kind) for a in actions for kind in kinds)
