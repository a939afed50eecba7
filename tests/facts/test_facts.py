"""Facts as values."""

from authz.facts.facts import Fact, Facts


def test_a_fact_prints_as_policies_write_it():
    """Where it was learned does not matter for that."""
    assert str(Fact("bind", "/etc")) == str(Fact("bind", "/etc", looked_up=True)) == "bind:/etc"


def test_facts_know_no_conditions_by_default():
    """A key that is not there is not known."""
    assert Facts("system.ping", ()).conditions == {}
