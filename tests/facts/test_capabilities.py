"""Capabilities of a container."""

import pytest

from authz.errors import RefusedError
from authz.facts.capabilities import (
    DEFAULT,
    EVERY,
    added_facts,
    kept_facts,
    normal,
    privileged_facts,
)
from tests.builders import words


def kept(**host):
    """Return the names of the capabilities that a container holds."""
    return {fact.value for fact in kept_facts(host)}


@pytest.mark.parametrize("name", ["SYS_ADMIN", "CAP_SYS_ADMIN", "cap_sys_admin", "sYs_AdMiN"])
def test_a_capability_has_one_name(name):
    """Case and prefix mean nothing to the daemon."""
    assert normal(name) == "SYS_ADMIN"
    assert words(added_facts({"CapAdd": [name]})) == ["cap.add:SYS_ADMIN"]


def test_a_string_is_a_list_of_one():
    """Engines up to 28 read a lone string as a list."""
    assert words(added_facts({"CapAdd": "kill"})) == ["cap.add:KILL"]


def test_all_is_spelt_out():
    """ALL yields itself and every capability but the dropped ones."""
    facts = words(added_facts({"CapAdd": ["all"], "CapDrop": ["CAP_SYS_ADMIN"]}))

    assert facts[0] == "cap.add:ALL"
    assert "cap.add:SYS_MODULE" in facts
    assert "cap.add:SYS_ADMIN" not in facts
    assert len(facts) == len(EVERY)


def test_privileged_is_all():
    """A privileged container is given everything."""
    facts = words(privileged_facts())

    assert facts[0] == "cap.add:ALL"
    assert len(facts) == 1 + len(EVERY)


def test_nothing_asked_for_is_nothing_added():
    """The default set is not added."""
    assert words(added_facts({"CapDrop": ["ALL"]})) == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({}, DEFAULT),
        ({"CapDrop": ["net_raw"]}, DEFAULT - {"NET_RAW"}),
        ({"CapAdd": ["SYS_TIME"]}, DEFAULT | {"SYS_TIME"}),
        ({"CapDrop": ["ALL"]}, set()),
        ({"CapDrop": ["ALL"], "CapAdd": ["KILL"]}, {"KILL"}),
        ({"CapDrop": ["KILL"], "CapAdd": ["KILL"]}, DEFAULT),
        ({"CapAdd": ["ALL"]}, EVERY),
        ({"CapAdd": ["ALL"], "CapDrop": ["ALL"]}, EVERY),
        ({"CapAdd": ["ALL"], "CapDrop": ["KILL"]}, EVERY - {"KILL"}),
        ({"Privileged": True, "CapDrop": ["ALL"]}, EVERY),
    ],
)
def test_what_is_held_in_the_end(host, expected):
    """Adding and dropping are combined by the daemon's rules."""
    assert kept(**host) == expected


@pytest.mark.parametrize("name", ["", "SYS_ADMN", "CAP_CAP_SYS_ADMIN", "CAP_", "*", " ALL"])
@pytest.mark.parametrize("member", ["CapAdd", "CapDrop"])
def test_what_is_no_capability_is_refused(member, name):
    """The daemon answers 400, and no row was written for it."""
    with pytest.raises(RefusedError, match=f"{member}: .* is no capability"):
        kept(**{member: [name]})


def test_the_sets_have_the_sizes_of_the_kernel():
    """Fourteen by default, forty-one in all."""
    assert (len(DEFAULT), len(EVERY)) == (14, 41)
