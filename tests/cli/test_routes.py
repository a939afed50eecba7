"""``dockgate routes``: both tables, whole, for people and for programs."""

import json

import pytest
from click.testing import CliRunner

from authz.cli.main import main
from authz.docker.routes import load_operations
from authz.facts.catalogue import catalogue


@pytest.fixture(scope="module")
def text():
    """Return what a person reads."""
    result = CliRunner().invoke(main, ["routes"])
    assert result.exit_code == 0
    return result.output


@pytest.fixture(scope="module")
def tables():
    """Return what a program reads."""
    return json.loads(CliRunner().invoke(main, ["routes", "--json"]).output)


def test_every_operation_has_a_line_in_the_order_of_matching(text):
    """Method, path and action, as the table has them."""
    part = text.partition("\nFACTS\n")[0].splitlines()[3:]
    lines = [" ".join(line.split()) for line in part if line]

    for row, line in zip(load_operations(), lines, strict=True):
        assert line.startswith(f"{row.method} {row.path} ")
        assert f" {row.action} " in line


@pytest.mark.parametrize(
    ("start", "cells"),
    [
        (("POST", "/containers/create"), ["container.create", "1.12-1.55", "json"]),
        (("POST", "/images/create", "[fromImage]"), ["image.pull", "none"]),
        (("PUT", "/containers/{id}/archive"), ["foreign|own|tenant|unknown|unowned", "archive"]),
    ],
)
def test_a_line_says_what_the_operation_is(text, start, cells):
    """Its variant, the versions that know it, its targets and its body."""
    lines = [line.split() for line in text.partition("\nFACTS\n")[0].splitlines()]

    (line,) = (line for line in lines if tuple(line[: len(start)]) == start)
    assert [cell for cell in cells if cell not in line] == []


def test_columns_stand_below_each_other(text):
    """Their heads as well."""
    part = text.partition("\nFACTS\n")[0].splitlines()[2:]
    start = part[0].index("action")

    for line in filter(None, part):
        assert line[start - 1] == " "
        assert line[start] != " "


def test_every_kind_of_fact_has_a_line(text):
    """In the order of the catalogue."""
    lines = text.partition("\nFACTS\n")[2].splitlines()[2:]

    assert [line.split()[0] for line in lines] == [*catalogue().kinds]


def test_no_line_ends_in_blanks(text):
    """So that the output can be compared."""
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_a_program_gets_every_column(tables):
    """Of operations and kinds, as values of JSON."""
    create = next(row for row in tables["operations"] if row["operation"] == "ContainerCreate")
    kind = next(row for row in tables["facts"] if row["kind"] == "privileged")

    assert create == {
        "operation": "ContainerCreate",
        "method": "POST",
        "path": "/containers/create",
        "variant": "",
        "action": "container.create",
        "first": "1.12",
        "last": "1.55",
        "risk": create["risk"],
        "stream": "none",
        "target": create["target"],
        "body": "json",
        "opaque": "",
    }
    assert set(kind) == {"kind", "class", "value", "source", "example", "controls", "about"}
    assert len(tables["operations"]) == len(load_operations())
    assert len(tables["facts"]) == len(catalogue().kinds)


def test_groups_of_actions_are_spelt_out(tables):
    """Sorted, so that the output can be compared."""
    assert tables["groups"] == {
        name: sorted(members) for name, members in catalogue().groups.items()
    }
