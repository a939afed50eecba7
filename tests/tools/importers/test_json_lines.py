"""Policies of one JSON object a line."""

import json

import pytest

from authz.docker.routes import load_operations
from authz.tools.importers.json_lines import ACTIONS, read


def policy(**members):
    """Return a line."""
    return json.dumps({"name": "policy_1", "users": ["alice"], "actions": [""], **members})


def granted(**members):
    """Return what one policy grants."""
    return set().union(*(grant.operations for grant in read(policy(**members)).grants))


def test_actions_are_names_of_operations():
    """Each of them one that there is."""
    assert set(ACTIONS.values()) <= {each.name for each in load_operations()}
    assert len(ACTIONS) == len(set(ACTIONS.values()))


def test_policies_that_become_one_role_are_told():
    """Whoever has one of them gets what the other grants as well."""
    apart = read(policy(name="Team A") + "\n" + policy(name="team-b"))
    one = read(policy(name="Team A") + "\n" + policy(name="team-a", users=["bob"]))

    assert not any("become one" in each for each in apart.left)
    assert "role:team-a: 'Team A' and 'team-a' become one, and each gets all" in one.left


@pytest.mark.parametrize(
    ("members", "operations"),
    [
        ({"actions": ["container_create"]}, {"ContainerCreate"}),
        ({"actions": ["container_logs", "container_top"]}, {"ContainerLogs", "ContainerTop"}),
        ({"actions": ["volume_(list|create)$"]}, {"VolumeList", "VolumeCreate"}),
        ({"actions": ["volume"], "readonly": True}, {"VolumeList", "VolumeInspect"}),
        ({"actions": [""]}, set(ACTIONS.values())),
    ],
)
def test_an_action_matches_anywhere_in_a_name(members, operations):
    """Read-only keeps what is asked for by GET."""
    assert granted(**members) == operations


def test_users_are_names_of_certificates():
    """In a role of the policy's name."""
    found = read(policy(users=["alice", "bob"]))
    assert found.links == [("cert:alice", "role:policy-1"), ("cert:bob", "role:policy-1")]
    assert {grant.holder for grant in found.grants} == {"role:policy-1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("junk", "line 1: is no policy; expected name, users and actions"),
        ("[1]", "line 1: is no policy"),
        (policy(users="alice"), "line 1: is no policy"),
        (policy(users=[""]), "was for all users"),
        (policy(users=["a*"]), "'a*' is no name that a policy can have"),
        (policy(users=["a, role:x, *\ng, cert:b"]), "is no name that a policy can have"),
        (policy(actions=["("]), "'(' cannot be read as a regular expression"),
        (policy(actions=["nothing"]), "'nothing' fits no action that is known here"),
        (policy() + "\n\n" + policy(name="b"), "alice is in role:policy-1 as well"),
    ],
)
def test_what_cannot_be_carried_over_is_left(text, said):
    """With its place."""
    assert any(said in each for each in read(text).left)


def test_a_policy_without_a_name_has_its_line():
    """A role needs one."""
    assert read(policy(name="")).links == [("cert:alice", "role:line-1")]
