"""Facts as values."""

from authz.facts.facts import LONGEST_MEMORY, Fact, Facts


def test_a_fact_prints_as_policies_write_it():
    """Where it was learned does not matter for that."""
    assert str(Fact("bind", "/etc")) == str(Fact("bind", "/etc", looked_up=True)) == "bind:/etc"


def test_facts_know_no_conditions_by_default():
    """A key that is not there is not known."""
    assert Facts("system.ping", ()).conditions == {}


def test_only_what_is_short_and_no_secret_is_remembered():
    """Credentials stand in URLs and behind equals signs."""
    assert Fact("mem.limit", "1").memorable
    assert not Fact("storage", "password=x").memorable
    assert not Fact("pull.url", "http://a:b@c").memorable
    assert not Fact("bind", "/" + "a" * LONGEST_MEMORY).memorable
