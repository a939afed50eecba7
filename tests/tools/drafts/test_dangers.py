"""What a reviewer is warned of."""

import pytest

from authz.facts.facts import Fact
from authz.policy.row_check import pattern_of
from authz.tools.drafts.dangers import FACTS, danger_of, dangers


@pytest.mark.parametrize(
    ("fact", "about"),
    [
        ("privileged:true", "root on the host"),
        ("target.privileged:true", "root on the host"),
        ("bind:/", "a folder that the host runs from"),
        ("bind:/etc/ssl", "a folder that the host runs from"),
        ("bind:/srv/data", ""),
        ("bind:/home/alice", ""),
        ("bind:unknown", "a path of the host that could not be told"),
        ("cap.add:SYS_ADMIN", "a capability beyond the ordinary ones"),
        ("cap.add:CHOWN", ""),
        ("device:/dev/sda", "a device of the host"),
        ("pid:host", "a namespace of the host"),
        ("pid:private", ""),
        ("port:8080/tcp", ""),
        ("image:docker.io/library/nginx", ""),
    ],
)
def test_facts_that_mean_the_host(fact, about):
    """And those that do not."""
    kind, _, value = fact.partition(":")
    assert danger_of(Fact(kind, value)) == about


def test_actions_that_mean_the_host():
    """Whatever they say; each danger is told once."""
    assert dangers("plugin.pull", ()) == ("plugins, which are root on the host",)
    twice = (Fact("device", "/dev/a"), Fact("device", "/dev/b"))
    assert dangers("container.create", twice) == ("a device of the host",)
    assert dangers("container.list", (Fact("on", "list"),)) == ()


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in FACTS])
def test_every_pattern_is_one_of_policies(pattern):
    """A misspelt kind would warn of nothing."""
    assert pattern_of(pattern).alternatives
