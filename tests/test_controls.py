"""Every published control that a request can break is held by a row, and tests show it."""

import re

import pytest

from authz.facts.catalogue import catalogue
from authz.policy.row_check import pattern_of
from tests.controls import PACKS, controls, denying, pack_rows, permitting, rows_of, shown

HELD = [control for control in controls() if control.forms]
FORMS = [(control.name, form) for control in HELD for form in control.forms]


def test_the_table_has_every_control_once():
    """Both levels of pods, and every number of the benchmark's sections on requests."""
    names = [control.name for control in controls()]
    numbers = {f"CIS 5.{n}" for n in range(1, 33)} | {f"CIS 7.{n}" for n in range(1, 10)}
    numbers |= {f"CIS 4.{n}" for n in range(1, 13)}

    assert len(names) == len(set(names))
    assert numbers <= set(names)
    assert len([name for name in names if name.startswith("PSS ")]) == 18


@pytest.mark.parametrize("control", controls(), ids=lambda control: control.name)
def test_a_control_is_held_or_there_is_a_reason(control):
    """Never both, and never neither."""
    assert bool(control.reason) != bool(control.forms)
    assert bool(control.forms) == bool(control.facts)
    assert bool(control.forms) == bool(rows_of(control.name))


@pytest.mark.parametrize("control", HELD, ids=lambda control: control.name)
def test_rows_speak_of_the_facts_of_their_controls(control):
    """Each fact that tells a control is denied by one of its rows."""
    patterns = [pattern_of(row.fact) for _, row in rows_of(control.name)]
    kinds = frozenset().union(*(pattern.kinds for pattern in patterns))

    assert set(control.facts) <= kinds
    assert set(control.facts) <= set(catalogue().kinds)


@pytest.mark.parametrize(("control", "form"), FORMS)
def test_a_control_denies_in_every_form(control, form):
    """A case of a pack is denied by a row of this control."""
    assert denying(control, form)


@pytest.mark.parametrize(("control", "form"), FORMS)
def test_a_control_permits_in_every_form(control, form):
    """The neighbour that keeps to it is denied by no row of the pack."""
    assert permitting(control, form)


def test_cases_and_rows_name_controls_that_exist():
    """A misspelt control would be in no table."""
    names = {control.name for control in controls()}

    assert {name for each in shown() for name in each.controls} <= names
    assert {name for _, row in pack_rows() for name in row.controls} <= names


def test_ids_are_unique_in_all_packs():
    """So that any of them can be loaded together."""
    ids = [row.id for _, row in pack_rows()]

    assert len(ids) == len(set(ids))


def test_every_row_of_a_pack_has_a_name_and_a_message():
    """Whoever is denied reads them."""
    assert len(PACKS) == 16
    for _, row in pack_rows():
        assert not re.search(r"\.csv:\d+$", row.id), row
        assert row.message, row


def test_the_catalogue_names_controls_of_the_table():
    """Facts and packs speak of the same controls."""
    names = {control.name for control in controls()}
    told = {name for kind in catalogue().kinds.values() for name in kind.controls.split(", ")}

    assert told - {""} <= names
