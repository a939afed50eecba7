"""The settings that a container takes from an index, as engine 29.7 shows it."""

import pytest

from authz.errors import Reason, RefusedError
from authz.facts.questions import MISSING, Question, Topic
from authz.facts.users import user_value
from authz.facts.variants import image_settings
from tests.builders import a_known

AMD, I386 = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "386"}
ARM6, ARM7 = ({"os": "linux", "architecture": "arm", "variant": v} for v in ("v6", "v7"))
NONE = {"os": "unknown", "architecture": "unknown"}
SHOWN = {"User": "1000", "Cmd": ["sh"]}
OTHER = {"User": "root"}


def a_part(platform, kind="image", name="a", **more):
    """Return one member of ``Manifests``."""
    return {
        "ID": f"sha256:{name}",
        "Descriptor": {"digest": f"sha256:{name}", "platform": platform},
        "Available": True,
        "Kind": kind,
        **more,
    }


def an_index(*parts, config=None, architecture="amd64"):
    """Return the inspect document of an index."""
    return {
        "Id": "sha256:ef98",
        "Config": config or SHOWN,
        "Architecture": architecture,
        "Os": "linux",
        "Manifests": list(parts),
    }


BOTH = an_index(a_part(AMD), a_part(I386, name="b"))


def test_without_an_index_the_image_is_what_is_shown():
    """Engines before 28, and the old store, know one platform for each image."""
    known = a_known(image={"nginx": {"Config": OTHER}})

    assert image_settings("nginx", "linux/386", known) == OTHER
    assert image_settings("nginx", "", known) == OTHER


@pytest.mark.parametrize("manifests", [None, []])
def test_an_empty_list_is_no_index(manifests):
    """Whether it is left out or empty."""
    known = a_known(image={"nginx": {"Config": OTHER, "Manifests": manifests}})

    assert image_settings("nginx", "", known) == OTHER


def test_without_a_platform_the_daemon_takes_what_it_shows():
    """And nothing else is asked."""
    known = a_known(image={"nginx": BOTH})

    assert image_settings("nginx", "", known) == SHOWN
    assert not known.pending


@pytest.mark.parametrize("image", [MISSING, an_index(a_part(AMD), architecture="")])
def test_what_is_not_here_has_no_settings(image):
    """Neither the image, nor of the index the one for this host."""
    known = a_known(image={"nginx": image})

    assert image_settings("nginx", "", known) is None
    assert user_value({"Image": "nginx"}, known) == "unset"


@pytest.mark.parametrize("platform", ["linux/386", "LINUX/386", "386"])
def test_the_image_of_a_platform_is_asked_about(platform):
    """By the index's own name for it."""
    question = Question(Topic.VARIANT, "linux/386 nginx")
    known = a_known(image={"nginx": BOTH})

    assert image_settings("nginx", platform, known) is None
    assert list(known.pending) == [question]


def test_a_container_of_another_platform_has_the_user_of_that_image():
    """Not that of the image which the daemon shows."""
    variant = {"Id": "sha256:b", "Config": OTHER, "Architecture": "386"}
    known = a_known(image={"nginx": BOTH}, variant={"linux/386 nginx": variant})

    assert user_value({"Image": "nginx"}, known, "linux/386") == "root"
    assert user_value({"Image": "nginx"}, known) == "1000"


@pytest.mark.parametrize(
    ("platform", "key"),
    [
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/amd64", "linux/amd64"),
        ("windows/amd64", "windows/amd64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/s390x", None),
        ("amd64", "linux/amd64"),
        # Other names of the same: containerd platforms/database.go
        ("linux/x86_64", "linux/amd64"),
        ("x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/armhf", "linux/arm/v7"),
        ("armel", "linux/arm/v6"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/8.0", "linux/arm64"),
        ("linux/arm64/v9", None),
    ],
)
def test_a_platform_is_found_where_it_can_mean_one_image_only(platform, key):
    """The daemon takes several names for the same, and so must whoever judges its image."""
    windows = {"os": "windows", "architecture": "amd64"}
    arm64 = {"os": "linux", "architecture": "arm64"}
    parts = [a_part(each) for each in (AMD, ARM6, ARM7, arm64, windows)]
    known = a_known(image={"nginx": an_index(*parts)})

    assert image_settings("nginx", platform, known) is None
    assert [each.key for each in known.pending] == ([f"{key} nginx"] if key else [])


@pytest.mark.parametrize(
    "platform",
    [
        *("linux", "arm", "s390x", "linux(1)/amd64", "linux+x/amd64", "/amd64", "linux/arm/v7/x"),
        *("a b", "linux/x86_64/v3", "linux/aarch64/v8", "linux/"),
    ],
)
def test_what_the_daemon_may_take_for_any_of_them_is_refused(platform):
    """It fills in what is left out by rules that differ by host; and what it cannot read, too."""
    known = a_known(image={"nginx": an_index(*map(a_part, (AMD, ARM6, ARM7)))})

    with pytest.raises(RefusedError, match="expected one image of linux/amd64, linux/arm/v6"):
        image_settings("nginx", platform, known)


@pytest.mark.parametrize(
    "others",
    [
        [{**AMD, "variant": "v1"}],
        [{**AMD, "architecture": "x86_64"}],
        [{**AMD, "architecture": "x86_64", "variant": "v3"}],
        [{**AMD, "os": "linux(1)"}],
    ],
)
def test_an_index_with_two_names_for_one_platform_is_refused(others):
    """Which of the two is taken depends on the engine."""
    known = a_known(image={"nginx": an_index(*map(a_part, (AMD, *others)))})

    with pytest.raises(RefusedError, match="expected one image of linux/amd64, "):
        image_settings("nginx", "linux/amd64", known)


def test_the_image_is_asked_about_as_the_create_asks_for_it():
    """Not by a name of the index that only reads as the same."""
    known = a_known(image={"nginx": an_index(a_part({"os": "Linux", "architecture": "AArch64"}))})

    assert image_settings("nginx", "linux/arm64", known) is None
    assert [each.key for each in known.pending] == ["linux/arm64 nginx"]


def test_an_image_that_does_not_say_its_system_is_of_linux():
    """So the daemon takes it."""
    known = a_known(image={"nginx": an_index(a_part(AMD), a_part({"architecture": "386"}))})

    assert image_settings("nginx", "linux/386", known) is None
    assert [each.key for each in known.pending] == ["linux/386 nginx"]


def test_the_very_platform_comes_before_its_variants():
    """As where a build makes one image for all hosts and one for newer ones."""
    parts = [a_part({**AMD, "variant": "v3"}), a_part(AMD, name="b")]
    known = a_known(image={"nginx": an_index(*parts)})

    assert image_settings("nginx", "linux/amd64", known) is None
    assert [each.key for each in known.pending] == ["linux/amd64 nginx"]


def test_a_lone_image_says_its_platform_itself():
    """What is no index has no platform in its descriptor."""
    part = {"ID": "sha256:a", "Kind": "image", "ImageData": {"Platform": AMD}}
    known = a_known(image={"nginx": an_index(part)})

    assert image_settings("nginx", "linux/amd64", known) is None
    assert [each.key for each in known.pending] == ["linux/amd64 nginx"]


@pytest.mark.parametrize("variant", [MISSING, {"Id": "sha256:b", "Config": {}, "Architecture": ""}])
def test_an_image_of_a_platform_that_is_not_here_has_no_settings(variant):
    """The daemon would not find it either."""
    known = a_known(image={"nginx": BOTH}, variant={"linux/386 nginx": variant})

    assert image_settings("nginx", "linux/386", known) is None
    assert not known.pending


def test_another_image_than_was_listed_is_no_answer():
    """Engines of API 1.48 list the parts, and overlook the platform that is asked for."""
    known = a_known(image={"nginx": BOTH}, variant={"linux/386 nginx": BOTH})

    with pytest.raises(RefusedError, match="is not the one that was listed") as caught:
        image_settings("nginx", "linux/386", known)
    assert caught.value.reason is Reason.LOOKUP_FAILED


def test_attestations_behind_the_images_are_nothing_to_start():
    """So they are written by every build."""
    known = a_known(image={"nginx": an_index(a_part(AMD), a_part(NONE, "attestation"))})

    assert image_settings("nginx", "", known) == SHOWN


@pytest.mark.parametrize(
    "parts",
    [
        [a_part(AMD, "attestation"), a_part(AMD)],
        [a_part(AMD), a_part(AMD, "attestation")],
        [a_part(AMD), a_part(None, "unknown")],
        [a_part(NONE, "attestation"), a_part({"os": "linux", "architecture": "arm64"})],
    ],
)
@pytest.mark.parametrize("platform", ["", "linux/amd64"])
def test_what_could_be_started_unseen_is_refused(parts, platform):
    """The daemon starts the first that suits it, and shows another one."""
    known = a_known(image={"nginx": an_index(*parts)})

    with pytest.raises(RefusedError, match="stands among its images") as caught:
        image_settings("nginx", platform, known)
    assert caught.value.reason is Reason.UNREADABLE_REQUEST


@pytest.mark.parametrize("platform", ["unknown/unknown", "Unknown", "linux/unknown"])
def test_nobody_runs_an_attestation(platform):
    """It has a platform of its own, which can be asked for."""
    known = a_known(image={"nginx": an_index(a_part(AMD), a_part(NONE, "attestation"))})

    with pytest.raises(RefusedError, match="expected one that has images"):
        image_settings("nginx", platform, known)
