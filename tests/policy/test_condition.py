"""The when column: what it asks, and what it says where the request does not tell."""

from __future__ import annotations

from datetime import date

import pytest

from authz.facts.facts import ALL_LABELS
from authz.policy.condition import ConditionError, parse

CONTEXT = {
    "user": "user:alice",
    "tenant": "",
    "image": "registry.corp/net/vpn",
    "door": "plugin",
    "method": "POST",
    "label.team": "net",
    "now": "2027-03-31T23:59:59+00:00",
}


def test_a_star_always_holds():
    """A row without a condition asks for nothing."""
    condition = parse("*")

    assert (condition.keys, condition.until, condition.verdict({})) == ((), None, True)


def test_it_knows_its_keys_and_its_end():
    """What ``check`` warns about is read from here."""
    condition = parse("name=a & until=2027-03-31 & label.x!=b")

    assert condition.keys == ("name", "label.x")
    assert condition.until == date(2027, 3, 31)
    assert condition.until_offset == 9
    assert [choice.offset for each in condition.clauses for choice in each.choices] == [5, 37]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("user=user:alice", True),
        ("user=user:*", True),
        ("user=user:ali", False),
        ("user=user:alice|cert:ci", True),
        ("user=cert:ci|user:alice", True),
        ("user!=user:alice", False),
        ("user!=cert:*|token:*", True),
        ("image=registry.corp/**", True),
        ("image=registry.corp/*", False),
        ("tenant=", True),
        ("tenant!=", False),
        ("label.team=net", True),
        ("label.team!=net", False),
        ("door=plugin & method=POST", True),
        ("door=plugin & method=GET", False),
        ("door=p*", True),
        # what the request does not say
        ("tls=mutual", None),
        ("tls!=mutual", None),
        ("label.other=x", None),
        ("tls=mutual & method=POST", None),
        ("tls=mutual & method=GET", False),
        ("method=GET & tls=mutual", False),
    ],
)
def test_what_it_says(text: str, verdict: bool | None):  # noqa: FBT001  a table
    """Globs over one value each; a test that fails outweighs one that is not known."""
    assert parse(text).verdict(CONTEXT) is verdict


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("source=10.0.0.0/8", "10.255.0.1", True),
        ("source=10.0.0.0/8", "11.0.0.1", False),
        ("source!=10.0.0.0/8", "11.0.0.1", True),
        ("source=10.0.0.0/8|2001:db8::/32", "2001:db8::7", True),
        ("source=2001:db8::/32", "10.0.0.1", False),
        ("source=0.0.0.0/0", "", False),
        ("source!=0.0.0.0/0", "", True),
        ("source=10.0.0.1", "10.0.0.1", True),
        ("source=10.0.*", "10.0.7.7", True),
        ("source=", "", True),
        ("source=", "10.0.0.1", False),
        ("source=10.0.0.0/8", "digest:0123", False),
    ],
)
def test_a_source_is_an_address_in_a_network(text: str, source: str, verdict: bool):  # noqa: FBT001  a table
    """A network holds addresses; on a unix socket there is none, which is known."""
    assert parse(text).verdict({"source": source}) is verdict


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("source=10.0.0.1/8", "'10.0.0.1/8' is not how networks are written", "10.0.0.0/8"),
        ("source=10.0.0.0/255.0.0.0", "is not how networks are written", "10.0.0.0/8"),
        ("source=2001:DB8::1", "is not how addresses are written", "2001:db8::1"),
        ("source=::ffff:10.0.0.1", "is not how addresses are written", "10.0.0.1"),
        ("source=::ffff:10.0.0.0/104", "is not how networks are written", "10.0.0.0/8"),
        ("source=localhost", "'localhost' is neither an address nor a network", "10.0.0.0/8"),
        ("source=10.0.*/8", "'10.0.*/8' is neither an address nor a network", "10.0.0.0/8"),
    ],
)
def test_what_no_source_is_called_is_an_error(text: str, message: str, suggestion: str):
    """A row that could never match would be silently without effect."""
    with pytest.raises(ConditionError) as caught:
        parse(text)

    assert message in caught.value.message
    assert (caught.value.offset, caught.value.suggestion) == (len("source="), suggestion)


def test_a_label_that_is_not_there_may_be_known_to_be_absent():
    """A create request shows all of its labels."""
    context = CONTEXT | {ALL_LABELS: ""}

    assert parse("label.other=").verdict(context) is True
    assert parse("label.other!=x").verdict(context) is True
    assert parse("label.team=net").verdict(context) is True


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        ("2027-03-31T23:59:59+00:00", True),
        ("2027-04-01T00:00:00+00:00", False),
        ("2027-04-01T01:30:00+02:00", True),
        ("2027-03-31T23:30:00-02:00", False),
        ("2027-03-31T23:59:59", True),
        ("", None),
        ("yesterday", None),
    ],
)
def test_until_is_the_last_day_in_utc(now: str, verdict: bool | None):  # noqa: FBT001  a table
    """Local time of the host, or of whoever writes, does not move the end."""
    assert parse("until=2027-03-31").verdict({"now": now}) is verdict


def test_until_without_a_time_is_not_known():
    """A judgement that has no time grants nothing that ends."""
    assert parse("until=2027-03-31").verdict({}) is None


@pytest.mark.parametrize(
    ("text", "message", "offset", "suggestion"),
    [
        ("", "'' is not a condition", 0, ""),
        ("always", "'always' is not a condition", 0, ""),
        ("a=b,c", "'a' is not a key", 0, ""),
        ("=x", "'' is not a key", 0, ""),
        ("usr=user:a", "'usr' is not a key", 0, "user"),
        ("name=a & usr=user:a", "'usr' is not a key", 9, "user"),
        ("label.=x", "'label.' is not a key", 0, ""),
        ("label.*=x", "'label.*' is not a key", 0, ""),
        ("name==a", "'name==a' is not a condition", 0, "name=a"),
        ("name = a", "'name = a' is not a condition", 0, ""),
        ("name<a", "'name<a' is not a condition", 0, "name=a"),
        ("name= a", "' a' has space around it", 5, "a"),
        ("name=a  & door=plugin", "'name=a ' has space around it", 0, "name=a"),
        ("name=a&door=plugin", "joins conditions without a space", 0, "name=a & door=plugin"),
        ("name=a && door=plugin", "joins conditions without a space", 0, "name=a & door=plugin"),
        ("name=a| b", "' b' has space around it", 7, "b"),
        ("name=a||b", "an empty value in a list", 7, ""),
        ("name=a|", "an empty value in a list", 7, ""),
        ("name=!a", "'!' stands before the =: name!=a", 5, "a"),
        ("name={name}", "placeholders stand in the fact column only", 5, ""),
        ("tls=mutal", "'mutal' is never the value of tls; expected none, server or", 4, "mutual"),
        ("door=", "'' is never the value of door", 5, ""),
        ("method=post", "'post' is never the value of method", 7, "POST"),
        ("user=alice", "'alice' has no type; expected user:, cert:", 5, "user:alice"),
        ("user=role:dev", "'role:dev' has no type", 5, ""),
        ("until=31.3.2027", "'31.3.2027' is not a day", 6, ""),
        ("until=20270331", "'20270331' is not a day", 6, "2027-03-31"),
        ("until=2027/3/1", "'2027/3/1' is not a day", 6, "2027-03-01"),
        ("until=2027-02-30", "'2027-02-30' is not a day", 6, ""),
        ("until!=2027-03-31", "until takes = and the last day", 0, "until=2027-03-31"),
        ("until=2027-03-31 & until=2027-03-30", "until is given twice", 19, ""),
    ],
)
def test_what_cannot_be_read(text: str, message: str, offset: int, suggestion: str):
    """A condition that would silently never hold is a mistake, told where it stands."""
    with pytest.raises(ConditionError) as caught:
        parse(text)

    assert message in caught.value.message
    assert (caught.value.offset, caught.value.suggestion) == (offset, suggestion)
