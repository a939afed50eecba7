"""Names of images, by the rules of github.com/distribution/reference."""

import pytest

from authz.facts.image_names import ImageName, InvalidNameError, read_name

HEX = "4b" * 32
SHA256 = f"sha256:{HEX}"
SHA512 = f"sha512:{HEX * 2}"


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("library/nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("corp/app", "docker.io/corp/app"),
        ("a/b/c", "docker.io/a/b/c"),
        ("localhost/x", "localhost/x"),
        ("localhost", "docker.io/library/localhost"),
        ("registry.corp/app", "registry.corp/app"),
        ("registry:5000/app", "registry:5000/app"),
        ("nginx:1/x", "nginx:1/x"),
        ("REGISTRY/app", "REGISTRY/app"),
        ("Docker.io/app", "Docker.io/app"),
        ("Index.docker.io/app", "Index.docker.io/app"),
        ("Registry.CORP/app", "registry.corp/app"),
        ("Registry:5000/app", "registry:5000/app"),
        ("LOCALHOST/x", "localhost/x"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"),
        ("[::1]:5000/app", "[::1]:5000/app"),
        ("[fe80::1]/app", "[fe80::1]/app"),
        ("sha256:5000/app", "sha256:5000/app"),
        ("a__b/c-----d.e_f", "docker.io/a__b/c-----d.e_f"),
        (f"docker.io/library/{HEX}", f"docker.io/library/{HEX}"),
        (f"r.corp/{'a' * 255}", f"r.corp/{'a' * 255}"),
    ],
)
def test_registry_and_path(written, image):
    """Familiar names are spelt out; everything else keeps its registry, in small letters."""
    name = read_name(written)

    assert name == ImageName(image)
    assert not name.is_id
    assert read_name(image).image == image


@pytest.mark.parametrize(
    ("written", "tag", "digest"),
    [
        ("nginx:1.27", "1.27", ""),
        ("docker.io/library/nginx:1.27", "1.27", ""),
        (f"nginx@{SHA256}", "", SHA256),
        (f"nginx@{SHA512}", "", SHA512),
        (f"nginx:1.27@{SHA256}", "1.27", SHA256),
        ("nginx:" + "a" * 128, "a" * 128, ""),
        ("nginx:_A-.", "_A-.", ""),
    ],
)
def test_tag_and_digest(written, tag, digest):
    """A reference may have both."""
    assert read_name(written) == ImageName("docker.io/library/nginx", tag, digest)


@pytest.mark.parametrize(
    ("written", "image", "tag"),
    [
        ("localhost:5000", "docker.io/library/localhost", "5000"),
        ("sha256:abc", "docker.io/library/sha256", "abc"),
        ("r:5000/app:1", "r:5000/app", "1"),
        (f"sha256:{HEX.upper()}", "docker.io/library/sha256", HEX.upper()),
    ],
)
def test_what_looks_like_something_else(written, image, tag):
    """A port without a path is a tag, and so is a digest that is none."""
    assert read_name(written) == ImageName(image, tag)


@pytest.mark.parametrize("written", [HEX, SHA256])
def test_a_bare_id(written):
    """It names an image that is there, and none to fetch."""
    name = read_name(written)

    assert name == ImageName(SHA256)
    assert name.is_id


@pytest.mark.parametrize(
    "written",
    [
        "",
        "/",
        "/nginx",
        "nginx/",
        "a//b",
        "nginx:",
        "nginx:1:2",
        "a/b:c/d",
        "Nginx",
        "corp/App",
        "nginx:-x",
        "nginx:" + "a" * 129,
        "nginx:ä",
        "nginx:1\n",
        "nginx ",
        "nginx@",
        "nginx@latest",
        f"nginx@{HEX}",
        f"nginx@{SHA256}@{SHA256}",
        f"nginx@{SHA256.upper()}",
        f"nginx@sha256:{HEX.upper()}",
        f"nginx@sha256:{HEX}0",
        f"nginx@md5:{HEX[:32]}",
        f"@{SHA256}",
        SHA512,
        f"sha384:{'a' * 96}",
        "a_-b",
        "a___b",
        "-a",
        "a..b",
        ".a/b",
        "r.corp-/app",
        "[::1/app",
        "[fe80::1%eth0]:80/app",
        "r.corp:/app",
        "r.corp:x/app",
        "http://r.corp/app",
        f"r.corp/{'a' * 256}",
        f"{'a' * 248}",
    ],
)
def test_what_the_daemon_answers_400_to(written):
    """No reading of it would be the daemon's."""
    with pytest.raises(InvalidNameError):
        read_name(written)


@pytest.mark.parametrize(
    "text", ["a-" * 50_000, "a." * 50_000 + "/x!", "a:" * 50_000, "/" * 90_000]
)
def test_a_long_name_is_refused_at_once(text):
    """Expressions are linear."""
    with pytest.raises(InvalidNameError):
        read_name(text)
