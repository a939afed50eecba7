"""The closed list of kinds, and groups of actions."""

import pytest

from authz.facts.catalogue import TARGETED, catalogue, obligatory

KINDS = catalogue().kinds


@pytest.mark.parametrize(
    ("action", "kind", "can"),
    [
        ("container.create", "privileged", True),
        ("container.create", "target.privileged", True),
        ("container.exec", "target.privileged", True),
        ("container.exec", "privileged", False),
        ("container.list", "target.privileged", False),
        ("container.exec", "target.exec.user", False),
        ("container.list", "on", True),
        ("container.list", "target.on", False),
        ("container.list", "nothing", False),
        ("container.exec", "target.nothing", False),
        ("container.exec", "target.target.privileged", False),
        ("nothing", "on", False),
    ],
)
def test_what_an_action_can_yield(action, kind, can):
    """A kind of a target belongs to the actions that reach into one."""
    assert catalogue().can_yield(action, kind) is can


def test_what_an_action_must_say():
    """A create without an image, or a request that touches nothing, was not understood."""
    assert obligatory("container.create") == {"on", "image"}
    assert obligatory("image.pull") == {"on", "image"}
    assert obligatory("system.ping") == {"on"}


def test_whose_objects_an_action_touches():
    """All that any of its operations can."""
    targets = catalogue().targets
    assert targets["container.list"] == {"list"}
    assert targets["container.start"] == {"own", "tenant", "foreign", "unowned", "unknown"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_an_example_is_a_value_of_its_kind(kind):
    """What people copy from the list is in its one spelling."""
    assert catalogue().pattern_problem(kind.name, kind.example.partition(":")[2]) is None


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_must_not_say_more_than_it_can(kind):
    """What an action must yield it can yield."""
    assert kind.must <= kind.actions
    assert kind.actions <= catalogue().actions


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_core_allows_is_a_value_of_the_kind(kind):
    """A posture that no fact has would be a row that never matches."""
    for value in kind.posture:
        assert catalogue().pattern_problem(kind.name, value) is None


@pytest.mark.parametrize("kind", ["archive.path", "build.arg", "rename.to"])
def test_a_path_or_a_name_of_the_callers_choice_needs_a_row(kind):
    """A row that allows some of them would say nothing if core allowed them all."""
    assert not KINDS[kind].posture


def test_unknown_is_a_value_of_some_kinds():
    """Elsewhere a row that writes it would never match."""
    assert catalogue().pattern_problem("image", "unknown") is None
    assert catalogue().pattern_problem("device", "unknown") == (
        'the value of device is never "unknown"',
        "",
    )


def test_actions_that_reach_into_a_container():
    """Each of them exists, and looks at no whole list."""
    assert catalogue().actions >= TARGETED


def test_groups_of_actions():
    """A group is generated from the table of operations."""
    groups = catalogue().groups

    assert groups["volume.read"] == {"volume.list", "volume.inspect"}
    assert "volume.create" in groups["volume.*"] - groups["volume.write"]
    assert groups["*.read"] > groups["volume.read"] | groups["container.read"]
    assert not groups["*.read"] & (groups["container.reveal"] | groups["image.reveal"])
    assert groups["plugin.reveal"] == {"plugin.privileges"}  # the daemon asks a registry for them
    assert "container.exec" not in groups["container.run"]


def test_groups_hold_actions_that_exist():
    """And none that is as risky as the host's root, but for those that say so."""
    for name, members in catalogue().groups.items():
        assert members <= catalogue().actions
        if not name.endswith((".*", ".run")):
            assert "container.create" not in members
