"""What is said of a value so that it is also true tomorrow."""

import pytest

from authz.facts.facts import Fact
from authz.identity.identity import ANONYMOUS, Identity
from authz.tools.learn.generalise import folded, generalised

ALICE = Identity("user:alice")
ID = "0123456789ab"


@pytest.mark.parametrize(
    ("fact", "pattern"),
    [
        ("bind:/home/alice/src/app", "/home/{name}/**"),
        ("target.bind.rw:/home/alice", "/home/{name}/**"),
        ("bind:/home/alicent/x", "/home/alicent/x"),
        ("bind:/home/bob/x", "/home/bob/x"),
        ("bind:/srv/data", "/srv/data"),
        ("image:docker.io/library/nginx", "docker.io/library/nginx"),
        ("image.id:sha256:" + "ab" * 32, "**"),
        ("volume:alice-data", "{name}-*"),
        ("net:alice_default", "{name}_*"),
        ("volume:data", "data"),
        ("volume:" + "ab" * 32, "?" * 64),
        (f"net.alias:{ID}", "?" * 12),
        (f"dns:{ID}", ID),
        ("on:unknown", "unknown"),
        ("volume.opt:o=password=digest:0123456789abcdef", "o=password=**"),
    ],
)
def test_a_value_of_alice(fact, pattern):
    """Her home and her names are hers; ids are ids; the rest stays."""
    kind, _, value = fact.partition(":")
    assert generalised(ALICE, Fact(kind, value)) == pattern


@pytest.mark.parametrize(
    ("fact", "pattern"),
    [
        ("bind:/srv/groups/red/data/x", "/srv/groups/{tenant}/**"),
        ("target.bind.rw:/srv/red", "/srv/{tenant}/**"),
        ("bind:/srv/a*b/red", "/srv/a?b/{tenant}/**"),
        ("bind:/red/data", "/red/data"),
        ("bind:/etc/red/data", "/etc/red/data"),
        ("bind:/home/red/data", "/home/red/data"),
        ("bind:/srv/redder/data", "/srv/redder/data"),
        ("bind:/home/alice/red/x", "/home/{name}/**"),
        ("volume:red-cache", "{tenant}-*"),
        ("net:alice_red", "{name}_*"),
        ("image:registry.example/red/app", "registry.example/red/app"),
    ],
)
def test_a_value_of_a_tenant(fact, pattern):
    """Folders and names of it are every member's; what is the caller's own stays their own."""
    alice = Identity("user:alice", tenant="red")
    kind, _, value = fact.partition(":")
    assert generalised(alice, Fact(kind, value)) == pattern


def test_nobody_has_no_home():
    """An account that happens to be called so is somebody else."""
    assert generalised(Identity(ANONYMOUS), Fact("bind", "/home/anonymous/x")) == (
        "/home/anonymous/x"
    )


def test_a_name_with_the_mark_in_it_fills_nothing():
    """So no placeholder is written that would match nothing."""
    anna = Identity("user:ann-b")
    assert generalised(anna, Fact("volume", "ann-b-data")) == "ann-b-data"
    assert generalised(anna, Fact("volume", "ann-b_data")) == "{name}_*"


@pytest.mark.parametrize(
    ("others", "pattern"),
    [
        (["/srv/app/a", "/srv/app/b", "/srv/app/c"], "/srv/app/*"),
        (["/srv/app/a", "/srv/app/b"], "/srv/app/a"),
        (["/srv/app/a", "/srv/app/b", "/srv/app/{name}"], "/srv/app/a"),
    ],
)
def test_enough_entries_stand_for_their_folder(others, pattern):
    """Three of them; patterns do not count."""
    assert folded("bind", "/srv/app/a", others) == pattern


def test_some_folders_stay_apart():
    """Near the root, those of the host, and what is no path."""
    assert folded("bind", "/a/1", ["/a/1", "/a/2", "/a/3"]) == "/a/1"
    etc = ["/etc/x/1", "/etc/x/2", "/etc/x/3"]
    assert folded("bind", "/etc/x/1", etc) == "/etc/x/1"
    assert folded("image", "a/b/1", ["a/b/1", "a/b/2", "a/b/3"]) == "a/b/1"
    assert folded("bind", "/home/{name}/**", ["/home/{name}/**"]) == "/home/{name}/**"
