"""The tables that the program and people read."""

import csv
import re

import pytest

from authz.shipped import shipped
from tests.pages import pages


def rows(name: str) -> list[dict[str, str]]:
    """Read one table."""
    with shipped("docs", "reference", name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_operations_have_one_name_each():
    """A name in the record means one row of the table."""
    names = [row["operation"] for row in rows("operations.csv")]

    assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("row", rows("operations.csv"), ids=lambda row: row["operation"])
def test_an_operation_is_complete(row):
    """Every row says whose object it touches, how risky it is and what its body is."""
    assert row["risk"] in {"read", "reveal", "write", "host-root"}
    assert row["body"] in {"none", "json", "secret", "opaque"}
    assert bool(row["opaque"]) == (row["body"] == "opaque" or row["operation"] == "SystemAuth")
    assert set(row["target"].split("|")) <= {
        "own", "tenant", "foreign", "unowned", "new", "list", "host", "unknown",
    }  # fmt: skip


def test_bodies_with_secrets_are_named():
    """No digest of these is ever written down."""
    assert {row["operation"] for row in rows("operations.csv") if row["body"] == "secret"} == {
        "SystemAuth",
        "SwarmInit", "SwarmJoin", "SwarmUpdate", "SwarmUnlock",
        "SecretCreate", "SecretUpdate", "ConfigCreate", "ConfigUpdate",
        "PluginSet",
    }  # fmt: skip


def test_bodies_that_nobody_reads_are_archives_and_streams():
    """Every JSON body is described; plugins are shown no login."""
    assert {row["opaque"] for row in rows("operations.csv")} == {
        "", "auth", "copy", "archive", "load", "import", "build", "plugin-create",
        "session", "grpc",
    }  # fmt: skip


@pytest.mark.parametrize("row", rows("facts.csv"), ids=lambda row: row["kind"])
def test_a_kind_of_fact_is_complete(row):
    """Every kind has a class, a grammar, an example of itself and a sentence."""
    assert row["class"] in {"grant", "posture"}
    assert row["class"] == "grant" or row["posture"] == "*"
    assert row["value"]
    assert row["about"]
    assert row["example"].startswith(row["kind"] + ":")


@pytest.mark.parametrize("row", rows("facts.csv"), ids=lambda row: row["kind"])
def test_an_administrator_may_do_what_is_not_known(row):
    """No pattern reaches the value unknown, so that the shipped bundle must write it out."""
    granted = re.findall(
        r"[\w.]+(?=:unknown)", shipped("policies", "admin", "policy.csv").read_text()
    )
    targets = [f"target.{row['kind']}"] if row["target"] == "yes" else []

    if row["unknown"] == "yes" and row["class"] == "grant":
        assert {row["kind"], *targets} <= set(granted)


def test_kinds_are_yielded_by_actions_that_exist():
    """A misspelt action would make a kind unreachable."""
    actions = {row["action"] for row in rows("operations.csv")}
    later = {"container.archive.*"}

    for row in rows("facts.csv"):
        named = {action for action in row["actions"].split("|") if action != "*"}
        assert named - later <= actions, row["kind"]


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_says_what_its_table_says(name):
    """``python -m tests.pages`` writes it anew."""
    assert shipped("docs", "reference", name).read_text(encoding="utf-8") == pages()[name]
