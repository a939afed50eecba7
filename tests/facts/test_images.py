"""Images that are taken, and names that are given to images."""

import pytest

from authz.errors import RefusedError
from authz.facts.facts import Fact
from authz.facts.images import (
    change_facts,
    commit_facts,
    created_from,
    image_name,
    image_of,
    import_facts,
    load_facts,
    name_given,
    pull_facts,
    written_name,
)
from authz.facts.questions import MISSING, Question, Topic
from tests.builders import a_call, a_known, words

HEX = "4b" * 32
SHA256 = f"sha256:{HEX}"
NGINX = "docker.io/library/nginx"


def created(written, **topics):
    """Describe the image of a create."""
    return words(created_from(written, a_known(**topics)))


@pytest.mark.parametrize(
    ("written", "tag", "digest"),
    [
        ("nginx", "latest", "none"),
        ("docker.io/library/nginx:1.27", "1.27", "none"),
        (f"nginx:1.27@{SHA256}", "1.27", SHA256),
    ],
)
def test_an_image_by_name(written, tag, digest):
    """Registry and path, tag and digest are facts of their own; latest is told."""
    assert created(written) == [
        f"image:{NGINX}",
        "image.ref:name",
        f"image.tag:{tag}",
        f"image.digest:{digest}",
    ]


def test_an_image_by_digest_alone():
    """No tag was asked for."""
    assert created(f"nginx@{SHA256}") == [
        f"image:{NGINX}",
        "image.ref:name",
        f"image.digest:{SHA256}",
    ]


@pytest.mark.parametrize("written", [HEX, SHA256])
def test_an_image_by_id(written):
    """The id pins it, and says nothing about where it came from."""
    assert created(written) == [
        f"image:{SHA256}",
        "image.ref:id-only",
        f"image.digest:{SHA256}",
    ]


@pytest.mark.parametrize("written", ["4b", f"sha256:{HEX[:12]}", HEX[:63]])
def test_the_start_of_an_id(written):
    """The daemon says which image it starts."""
    known = a_known(image={written: {"Id": SHA256, "RepoTags": ["nginx:latest"]}})

    facts = list(created_from(written, known))

    assert facts[0] == Fact("image", SHA256, looked_up=True)
    assert str(facts[1]) == "image.ref:id-only"


@pytest.mark.parametrize(
    "answer",
    [
        MISSING,
        {"Id": SHA256, "RepoTags": ["<none>:<none>", "beef:latest"]},
        {"Id": "", "RepoTags": None},
        {"Id": "sha256:beef"},
    ],
)
def test_a_name_in_hexadecimal(answer):
    """The daemon looks for a name first, and a missing one is a name to pull."""
    assert created("beef", image={"beef": answer})[:2] == [
        "image:docker.io/library/beef",
        "image.ref:name",
    ]


def test_a_short_name_that_nobody_was_asked_about():
    """It may be an id, so it is not known, and whoever answers is asked."""
    known = a_known()

    assert words(created_from("beef", known)) == ["image:unknown", "image.ref:id-only"]
    assert list(known.pending) == [Question(Topic.IMAGE, "beef")]
    assert image_of("beef", known) == "unknown"


def test_no_image():
    """The create is refused elsewhere: it must say its image."""
    assert created("") == []
    assert image_of("", a_known()) == ""


def test_the_image_of_a_condition():
    """The same spelling as in the fact."""
    assert image_of("nginx:1.27", a_known()) == NGINX
    assert image_of(HEX, a_known()) == SHA256


def test_what_is_no_name_is_refused():
    """The refusal says where it stands."""
    with pytest.raises(RefusedError, match="Image 'a b' is not the name of an image"):
        image_name("a b", "Image")


@pytest.mark.parametrize(
    ("query", "tag", "digest"),
    [
        ({"fromImage": "nginx:1.27"}, "1.27", "none"),
        ({"fromImage": "nginx", "tag": "1.27"}, "1.27", "none"),
        ({"fromImage": "nginx:1.25", "tag": "1.27"}, "1.27", "none"),
        ({"fromImage": f"nginx@{SHA256}", "tag": "1.27"}, "1.27", SHA256),
    ],
)
def test_a_pull(query, tag, digest):
    """The tag of the query wins, and leaves a digest of the name in force."""
    assert words(pull_facts(a_call("ImageCreate", **query))) == [
        f"image:{NGINX}",
        f"image.tag:{tag}",
        f"image.digest:{digest}",
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"fromImage": "nginx", "tag": SHA256},
        {"fromImage": "nginx:1.27", "tag": SHA256},
        {"fromImage": f"nginx@sha256:{'0' * 64}", "tag": SHA256},
        {"fromImage": f"nginx@{SHA256}"},
    ],
)
def test_a_pull_by_digest(query):
    """A digest in the place of the tag stands in for tag and digest of the name."""
    assert words(pull_facts(a_call("ImageCreate", **query))) == [
        f"image:{NGINX}",
        f"image.digest:{SHA256}",
    ]


def test_a_pull_without_tag_brings_every_tag():
    """Latest among them."""
    assert words(pull_facts(a_call("ImageCreate", fromImage="nginx"))) == [
        f"image:{NGINX}",
        "image.tag:latest",
        "image.digest:none",
        "image.tag:all",
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"fromImage": SHA256}, "is an id"),
        ({"fromImage": "Nginx"}, "fromImage 'Nginx'"),
        ({"fromImage": "nginx", "tag": "/evil"}, "fromImage and tag"),
        ({"fromImage": "nginx", "tag": "5000/evil"}, "fromImage and tag"),
        ({"fromImage": "nginx", "tag": "sha256:4b"}, "fromImage and tag"),
    ],
)
def test_a_pull_of_nothing_is_refused(query, message):
    """Neither an id nor a bad tag can be fetched."""
    with pytest.raises(RefusedError, match=message):
        list(pull_facts(a_call("ImageCreate", **query)))


@pytest.mark.parametrize(
    ("source", "facts"),
    [
        ("-", []),
        ("", []),
        ("https://example.com/x.tar", ["pull.url:https://example.com/x.tar"]),
        ("169.254.169.254/x", ["pull.url:http://169.254.169.254/x"]),
    ],
)
def test_an_import(source, facts):
    """A source without a scheme is fetched by http; the name and changes are told."""
    request = a_call("ImageImport", fromSrc=source, repo="app", tag="1", changes=["USER app"])

    expected = [*facts, "image.name:docker.io/library/app", "commit.changes:USER"]
    assert words(import_facts(request)) == expected


def test_a_load_gives_any_name():
    """Nobody reads the archive."""
    assert words(load_facts(a_call("ImageLoad"))) == ["image.name:unknown"]


def test_a_name_that_is_given():
    """Registry and path; without a repository none is given."""
    assert words(name_given(a_call("ImageTag", "x", repo="app", tag="1"))) == [
        "image.name:docker.io/library/app"
    ]
    assert words(name_given(a_call("ImageTag", "x", tag="1"))) == []


def test_an_id_is_no_name():
    """Nothing can be called like an id."""
    with pytest.raises(RefusedError, match=r"t .* is an id"):
        list(written_name(HEX, "t"))


def test_changes_by_their_first_word():
    """In any case, on any line, behind a byte-order mark."""
    changes = ["ENV a=b\n  entrypoint x", "\ufeffUSER root", "", " \n"]

    assert words(change_facts(a_call("ImageCommit", changes=changes))) == [
        "commit.changes:ENV",
        "commit.changes:ENTRYPOINT",
        "commit.changes:USER",
    ]


def test_a_commit():
    """What the body says is called like the instruction that says the same."""
    body = {
        "Cmd": ["sh"],
        "Env": [],
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/x": {}},
        "WorkingDir": "/",
        "Labels": {"a": "b"},
        "Tty": False,
        "Hostname": "x",
    }

    assert words(commit_facts(a_call("ImageCommit", body=body, repo="app"))) == [
        "image.name:docker.io/library/app",
        "commit.changes:CMD",
        "commit.changes:EXPOSE",
        "commit.changes:VOLUME",
        "commit.changes:WORKDIR",
        "commit.changes:LABEL",
        "commit.changes:HOSTNAME",
    ]
    assert words(commit_facts(a_call("ImageCommit"))) == []
