"""The table of fields."""

import pytest

from authz.docker.field_table import Field, Legacy, Row, Struct, _fields, rows, structures
from authz.docker.gojson import fold
from authz.docker.gotypes import Form, parse
from authz.docker.routes import load_operations

MEANINGS = {"fact", "harmless", "struct", *filter(None, Legacy)}
CREATE = structures()["ContainerCreate"].fields
MOVED = {name for name, known in CREATE.items() if known.legacy.moves}
DNS = {"Dns", "DnsOptions", "DnsSearch"}


def a_row(structure, name, go, meaning="harmless"):
    """Return a row of the table."""
    return Row(structure, name, go, "1.24", "1.55", meaning, "")


def innermost(text):
    """Return the type that lists and maps hold in the end."""
    kind = parse(text)
    while kind.element is not None:
        kind = kind.inner
    return kind


def test_a_field_is_found_in_any_case_or_in_one():
    """Members of a document fold, parameters of a query do not."""
    host = structures()["HostConfig"]
    known = Field("Privileged", parse("bool"))

    assert host.folding("privileged") == host.exact("Privileged") == known
    assert host.exact("privileged") is None
    assert host.folding("Privileged") is None


def test_a_structure_may_be_empty():
    """An operation whose query has no rows takes no parameters."""
    assert Struct().exact("a") is None
    assert Struct().folding("a") is None


def test_embedded_members_stand_beside_the_own_ones():
    """Go lets the members of an embedded structure through, at any depth."""
    assert structures()["HostConfig"].exact("Memory") == Field("Memory", parse("int64"))
    assert structures()["ContainerUpdate"].exact("Devices") is not None
    assert structures()["ContainerCreate"].exact("Image") == Field("Image", parse("string"))


def test_a_body_may_be_a_list():
    """Plugins are pulled with a list of privileges; a list has no members of its own."""
    assert structures()["PluginPull"] == Struct(whole=parse("[]PluginPrivilege"))


@pytest.mark.parametrize("name", sorted(structures()["HostConfig"].fields))
def test_every_member_of_hostconfig_is_known_at_the_top_level(name):
    """Old daemons read the whole HostConfig there: each member is refused, and one is judged."""
    field = structures()["ContainerCreate"].exact(name)

    assert field is not None
    assert bool(field.legacy) is (name != "Runtime")


@pytest.mark.parametrize("name", sorted(structures()["Config"].fields))
def test_no_member_of_config_is_legacy(name):
    """The container's own settings belong at the top level."""
    assert not structures()["ContainerCreate"].fields[name].legacy


@pytest.mark.parametrize(
    "row",
    [row for row in rows() if row.type in {"HostConfig", "Resources"} and row.name],
    ids=lambda row: row.name,
)
def test_what_moves_is_harmless_or_a_name_server(row):
    """Anything that a policy can deny for its danger stays refused at the top level."""
    assert (row.name in MOVED) is (row.meaning == "harmless" or row.name in DNS)


def test_only_members_of_a_create_move():
    """They move into its HostConfig; nothing else has one."""
    found = {
        name
        for name, structure in structures().items()
        if any(known.legacy.moves for known in structure.fields.values())
    }

    assert found == {"ContainerCreate"}
    assert structures()["HostConfig"].fields.keys() >= MOVED


def test_an_empty_list_that_is_a_value_is_known_as_one():
    """It takes the daemon's own list away, or the whole capability set."""
    found = structures()["ContainerCreate"].fields

    assert {name for name, known in found.items() if known.legacy is Legacy.SET} == {
        "Capabilities",
        "MaskedPaths",
        "ReadonlyPaths",
    }


def test_a_structure_s_own_members_win():
    """As in Go, an embedded member of the same name is hidden, in either order of rows."""
    rows_of = {
        "Outer": [a_row("Outer", "", "*Inner"), a_row("Outer", "X", "string")],
        "Inner": [a_row("Inner", "X", "int"), a_row("Inner", "Y", "int")],
    }

    found = _fields("Outer", rows_of)

    assert found == {"X": Field("X", parse("string")), "Y": Field("Y", parse("int"))}


def test_all_that_a_legacy_row_embeds_is_legacy():
    """And what is legacy in the embedded structure stays so."""
    rows_of = {
        "Outer": [a_row("Outer", "", "Old", "legacy"), a_row("Outer", "", "New", "struct")],
        "Old": [a_row("Old", "X", "int", "fact"), a_row("Old", "", "Deep", "struct")],
        "Deep": [a_row("Deep", "V", "int"), a_row("Deep", "W", "int", "legacy.set")],
        "New": [a_row("New", "Y", "int"), a_row("New", "Z", "int", "legacy")],
    }

    found = _fields("Outer", rows_of)

    assert {name: field.legacy for name, field in found.items()} == {
        "X": Legacy.REFUSED,
        "V": Legacy.MOVED,
        "W": Legacy.SET,
        "Y": Legacy.NOT,
        "Z": Legacy.REFUSED,
    }


@pytest.mark.parametrize("name", sorted(structures()))
def test_no_two_members_fold_alike(name):
    """Then one would be hidden, and the daemon would prefer the exact spelling."""
    names = list(structures()[name].fields)

    assert len({fold(member) for member in names}) == len(names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.type}.{row.name or row.go}")
def test_a_row_is_complete(row):
    """Every type is described, every meaning known, and every choice explained."""
    kind = innermost(row.go)

    assert row.meaning in MEANINGS
    assert bool(row.note) or row.meaning == "struct"
    assert kind.form is not Form.STRUCT or kind.name in structures()
    assert row.name or kind.form is Form.STRUCT or parse(row.go).form is Form.LIST


@pytest.mark.parametrize(
    "row",
    [row for row in rows() if row.type.startswith("query:")],
    ids=lambda row: f"{row.type}.{row.name}",
)
def test_a_parameter_belongs_to_an_operation_and_has_a_checked_type(row):
    """Only texts, booleans, integers and JSON come in a query, and nothing of it is legacy."""
    assert row.type.removeprefix("query:") in {known.name for known in load_operations()}
    assert innermost(row.go).name in {"string", "first", "bool", "int", "json"}
    assert row.meaning in {"fact", "harmless"}


@pytest.mark.parametrize(
    "operation",
    [row for row in load_operations() if row.body in {"json", "secret"}],
    ids=lambda row: row.name,
)
def test_every_json_body_is_described(operation):
    """The body of an operation is the structure of its name, or the list it says."""
    known = structures()[operation.name]

    assert bool(known.fields) is (known.whole is None)
