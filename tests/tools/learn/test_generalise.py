"""What is said of a value so that it is also true tomorrow."""
# ruff: noqa: S108  temporary folders that others made

import pytest

from authz.facts.facts import Fact
from authz.identity.identity import ANONYMOUS, Identity
from authz.tools.learn.generalise import ANY_ID, folded, generalised

ALICE = Identity("user:alice")
ID = "0123456789ab"
IMAGE_IDS = [f"sha256:{digit * 64}" for digit in "abc"]


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
        ("rename.to:alice-web", "{name}-*"),
        ("volume:data", "data"),
        ("volume:" + "ab" * 32, "?" * 64),
        (f"net.alias:{ID}", "?" * 12),
        (f"dns:{ID}", ID),
        ("placement:node.id==vr6rjxjqavf1uhtkibxi4keaf", "node.id==" + "?" * 25),
        ("placement:node.id==vr6r", "node.id==vr6r"),
        ("placement:node.role==manager", "node.role==manager"),
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
        ("net:test_1a2b3c4d5e6f7a8", "test_*"),
        ("volume:ci-1a2b3c4d5e6f7a8b-data", "ci-*-data"),
        ("build.net:test_1a2b3c4d5e6f7a8b", "test_*"),
        ("image.name:docker.io/library/test.1a2b3c4d5e6f7a8b", "docker.io/library/test.*"),
        ("image:docker.io/ci-1a2b3c4d5e6f/app-1a2b3c4d5e6f", "docker.io/ci-1a2b3c4d5e6f/app-*"),
        ("image:ci-1a2b3c4d5e6f.example/app", "ci-1a2b3c4d5e6f.example/app"),
        ("secret:ab*_1a2b3c4d5e6f7a8b", "ab?_*"),
        ("volume:alice_1a2b3c4d5e6f7a8b", "{name}_*"),
        ("net:1a2b3c4d5e6f7a8b", "1a2b3c4d5e6f7a8b"),
        ("net:x_1a2b3c4d5e6f7a8b", "x_1a2b3c4d5e6f7a8b"),
        ("net:test_1a2b3c4d", "test_1a2b3c4d"),
        ("net:test_123456789012", "test_123456789012"),
        ("net:test_abcdefabcdef", "test_abcdefabcdef"),
        ("net:test_1a2b3c4d5e6f7a8bg", "test_1a2b3c4d5e6f7a8bg"),
        ("image:registry.example/1a2b3c4d5e6f7a8b", "registry.example/1a2b3c4d5e6f7a8b"),
        (f"image:{IMAGE_IDS[0]}", IMAGE_IDS[0]),
        ("bind:/srv/test_1a2b3c4d5e6f7a8b", "/srv/test_1a2b3c4d5e6f7a8b"),
    ],
)
def test_a_part_that_was_made_up_is_any(fact, pattern):
    """Behind a name of somebody's choice, long, and as no word and no date looks."""
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


@pytest.mark.parametrize(
    ("others", "pattern"),
    [
        (["/tmp/tmp4_odhox8", "/tmp/tmp_22k56rd", "/tmp/tmpebavkrvy"], "/tmp/tmp????????"),
        (["/tmp/tmp4_odhox8", "/tmp/tmp_22k56rd", "/tmp/dgs-bavkrvyx"], "/tmp/tmp4_odhox8"),
        (["/tmp/tmp4_odhox8", "/tmp/tmp_22k56rd"], "/tmp/tmp4_odhox8"),
        (["/tmp/tmp4_odhox8", "/tmp/tmp_22k56rd", "/tmp/data"], "/tmp/tmp4_odhox8"),
    ],
)
def test_temporary_folders_of_one_name_are_told_by_it(others, pattern):
    """They are never the same twice, and nothing else in there is meant."""
    assert folded("bind.rw", "/tmp/tmp4_odhox8", others) == pattern


def test_mktemp_makes_folders_up_as_well():
    """With ten letters behind a dot."""
    made = [f"/var/tmp/tmp.{letter * 10}" for letter in "aB3"]
    assert folded("bind", made[0], made) == "/var/tmp/tmp.??????????"


def test_enough_ids_of_images_stand_for_any():
    """Who names images by ids names ever new ones; one id is one image."""
    assert folded("image", IMAGE_IDS[0], IMAGE_IDS) == ANY_ID
    assert folded("image", IMAGE_IDS[0], IMAGE_IDS[:2]) == IMAGE_IDS[0]
    assert folded("image", "docker.io/library/a", IMAGE_IDS) == "docker.io/library/a"
    assert folded("image.name", IMAGE_IDS[0], IMAGE_IDS) == IMAGE_IDS[0]


def test_many_unprivileged_ports_stand_for_any():
    """Programs choose them by chance; eight are no longer somebody's choice."""
    ports = [*(f"{number}/tcp" for number in range(4000, 4006)), "5000/udp", "5001/udp", "80/tcp"]

    assert folded("port", "4000/tcp", ports) == "1024-65535/tcp"
    assert folded("target.port", "5000/udp", ports) == "1024-65535/udp"
    assert folded("port", "80/tcp", ports) == "80/tcp"
    assert folded("port", "4000/tcp", ports[1:]) == "4000/tcp"
    assert folded("port.random", "80/tcp", ports) == "80/tcp"


def test_a_swarm_that_listens_at_ever_new_ports():
    """Its address stays; another part of it has no port."""
    others = ["listen=0.0.0.0:1", "listen=0.0.0.0:2", "listen=0.0.0.0:3", "listen=[::1]:4"]

    assert folded("swarm.addr", "listen=0.0.0.0:1", others) == "listen=0.0.0.0:*"
    assert folded("swarm.addr", "listen=[::1]:4", others) == "listen=[::1]:4"
    assert folded("swarm.addr", "data-path-port=1", others) == "data-path-port=1"
