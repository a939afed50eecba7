"""Explanations: what is near, what forbids, and the row that would really allow it."""

import json

import pytest

from authz.policy.decision import Effect
from authz.tools.explain import advise, as_json, explain, sentence
from tests.policies import a_bundle
from tests.records import ALICE, a_create, a_record, a_snapshot, read_back

ROWS = """\
# create: new ones
p, role:dev, *, container.create, on:new|image:docker.io/**, *, allow
# ports: high ones
p, role:dev, *, container.create, port:8000-8999/tcp, *, allow
# no-etc: the host's settings [CIS 5.6]
p, *, *, *, bind:/etc/**, *, never
# no-devices: not here [CIS 5.18]
p, role:dev, *, *, device:**, *, deny
# ops-ports: any
p, role:ops, *, container.create, port:*/*, *, allow
"""
PEOPLE = "g, user:alice, role:dev, *\ng, user:olga, role:ops, *\n"


@pytest.fixture
def folder(tmp_path):
    """Write the policy."""
    return a_bundle(tmp_path, policy=ROWS, people=PEOPLE)


def explained(folder, **host):
    """Explain a create by alice."""
    snapshot = a_snapshot(folder)
    return explain(read_back(a_record(snapshot, body=a_create(**host))), snapshot)


PORT = {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}


def test_the_smallest_row_really_allows_it(folder):
    """And nothing else of the kind."""
    advice = explained(folder, Binds=["/srv/a:/a"], **PORT).advice
    assert advice.proposal == (
        "p, user:alice, *, container.create, bind:/srv/a|bind.rw:/srv/a|port:80/tcp, *, allow",
    )
    (folder / "policy.csv").write_text(ROWS + advice.proposal[0] + "\n")
    assert explained(folder, Binds=["/srv/a:/a"], **PORT).now.effect is Effect.ALLOW
    assert explained(folder, Binds=["/srv/b:/b"], **PORT).now.effect is Effect.DENY


def test_near_rows_and_roles_are_named(folder):
    """The roles that were searched, what they allow of the kind, and who has it."""
    advice = explained(folder, **PORT).advice
    assert advice.roles == ("role:dev",)
    (missed,) = advice.missed
    assert sentence(missed) == "port:8000-8999/tcp by ports (policy.csv:4)"
    assert [row.subject for row in missed.elsewhere] == ["role:ops"]
    (bind, _) = explained(folder, Binds=["/srv/a:/a"]).advice.missed
    assert sentence(bind) == "no row of these roles allows any bind"


@pytest.mark.parametrize(
    ("host", "row"),
    [
        ({"Binds": ["/etc/ssl:/x"]}, "no-etc"),
        ({"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]}, "no-devices"),
    ],
)
def test_no_row_is_proposed_over_one_that_forbids(host, row, folder):
    """The row that forbids is named instead, also where other facts only lack a row."""
    advice = explained(folder, **host, **PORT).advice
    assert [each.id for each in advice.forbidden] == [row]
    assert advice.proposal == ()
    assert advice.missed


def test_what_a_proposal_grants_is_told(folder):
    """A reviewer must not overlook it."""
    assert explained(folder, UTSMode="host").advice.dangers == ("a namespace of the host",)


def test_an_allowed_request_needs_nothing(folder):
    """No advice but the roles."""
    advice = explained(folder).advice
    assert (advice.proposal, advice.forbidden, advice.missed) == ((), (), ())


def test_what_no_row_can_say_is_told(folder):
    """A request that bears a role's name cannot be allowed by any row."""
    snapshot = a_snapshot(folder)
    record = a_record(snapshot, "GET", "/v1.47/info")
    found = read_back(record)
    advice = advise(ALICE, "no.action", found.judge(snapshot), snapshot)
    assert advice.proposal == ()
    assert advice.obstacle.startswith('no row can say it: action is "no.action"')


def test_without_a_policy_the_record_speaks_alone(folder):
    """As it was written."""
    record = a_record(a_snapshot(folder), body=a_create(Privileged=True))
    found = as_json(explain(read_back(record), None))
    assert found["explanation"] is None
    assert found["id"] == record.id


def test_another_policy_is_told_to_be_another(folder):
    """With what it says now."""
    record = a_record(a_snapshot(folder), body=a_create())
    (folder / "policy.csv").write_text(ROWS.replace("docker.io/**", "quay.io/**"))
    found = explain(read_back(record), a_snapshot(folder))
    assert not found.same_policy
    assert found.now.effect is Effect.DENY


def test_the_json_has_row_comment_and_controls_of_each_fact(folder):
    """And the advice in full."""
    found = explained(folder, Binds=["/etc/ssl:/x"], **PORT)
    document = json.loads(json.dumps(as_json(found)))
    facts = {each["fact"]: each for each in document["explanation"]["facts"]}
    assert facts["bind:/etc/ssl"] == {
        "fact": "bind:/etc/ssl",
        "verdict": "never",
        "row": "no-etc",
        "at": "policy.csv:6",
        "message": "the host's settings",
        "controls": ["CIS 5.6"],
    }
    assert document["explanation"]["forbidden_by"][0]["row"] == "no-etc"
    (port,) = [each for each in document["explanation"]["no_row"] if "port" in each["fact"]]
    assert [row["row"] for row in port["nearest"]] == ["ports"]
    assert [row["subject"] for row in port["other_roles"]] == ["role:ops"]
    assert document["verdict"] == "deny"
