"""Which settings a new container takes from its image, where the image is one of several.

From 29 on an image may be an index: an image for each platform and, beside them,
what is none. Asked without a platform, the daemon shows the image that suits its
host best, and takes that one for a container whose create names no platform; only
it overlooks what is no image in the one case and not in the other. So an index in
which that could matter is refused, and where a platform is named, its image is
asked about. It knows indexes and platforms, and nothing of the settings.

Source: moby daemon/containerd/image.go (getBestPresentImageManifest), image_list.go
(multiPlatformSummary) and image_manifest.go (IsPseudoImage), of 29; how it takes one name for
another: containerd platforms/database.go.
"""

import re

from authz.facts.known import Known
from authz.facts.members import Document, malformed, table, tables, text, unreadable
from authz.facts.questions import Topic

_IMAGE = "image"
_NONE = "unknown/unknown"
"""The platform of what was never meant to run."""

_CALLED = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm/v7",
    "armel": "arm/v6",
}
"""Architectures by their other names. With a variant engines differ in what they make of it."""

_IMPLIED = {"arm64/v8": "arm64", "amd64/v1": "amd64", "arm": "arm/v7"}
"""What the daemon takes for the same."""

_SPELT = re.compile(rf"[a-z0-9]+/(?!(?:{'|'.join(_CALLED)})(?:/|$))[a-z0-9_]+(?:/[a-z0-9.]+)?")


def image_settings(written: str, platform: str, known: Known) -> Document | None:
    """Return the ``Config`` that a new container gets; None where the daemon has no such image.

    ``platform`` is what the create says of it. Raises RefusedError where what is
    taken may be another part of the index than what is shown.
    """
    image = known.document(Topic.IMAGE, written)
    if image is None:
        return None
    parts = tables(image, "Manifests")
    if not parts:  # there is one image, or nothing to take
        return table(image, "Config")
    _check(written, parts)
    if not platform:
        return _shown(image)
    part = _of_platform(platform, parts)
    if part is None:
        return None
    variant = known.document(Topic.VARIANT, f"{_normal(_platform(part))} {written}")
    if variant is None:
        return None
    if text(variant, "Id") != text(part, "ID"):
        raise malformed(f"the image of platform {platform!r} is not the one that was listed")
    return _shown(variant)


def _check(written: str, parts: list[Document]) -> None:
    """Refuse what the daemon might start although it does not show it."""
    images = 0
    for part in parts:
        if text(part, "Kind") == _IMAGE:
            images += 1
        elif not images or _platform(part) != _NONE:
            problem = f"Image {written!r}: {text(part, 'Kind')!r} stands among its images"
            raise unreadable(f"{problem}; expected it behind them, for no platform")


def _of_platform(platform: str, parts: list[Document]) -> Document | None:
    """Return the image of a platform as ``os/arch/variant``, ``os/arch`` or ``arch``.

    None where the daemon has none: what is left out, or is spelt in a way of its own, must be told.
    """
    wanted = _normal(platform)
    if "unknown" in wanted:
        raise unreadable(f"platform {platform!r}; expected one that has images")
    images = [(_normal(_platform(part)), part) for part in parts if text(part, "Kind") == _IMAGE]
    exact = [each for each in images if each[0] == wanted]
    found = exact or [each for each in images if wanted in _shorter(each[0])]
    names = wanted, *(name for name, _ in images)
    clear = all(map(_SPELT.fullmatch, names[1:] if found else names))
    if not clear or len({_platform(part) for _, part in found}) > 1:
        problem = f"platform {platform!r}; expected one image of {', '.join(names[1:])}"
        raise unreadable(problem)
    return found[0][1] if found else None


def _normal(platform: str) -> str:
    """Return the one name of a platform of which the daemon takes several for the same."""
    system, slash, rest = platform.lower().partition("/")
    if not slash:
        return _CALLED.get(system, system)
    name, _, variant = rest.partition("/")
    if variant:
        variant = variant.removesuffix(".0")
        rest = f"{name}/{'v' if variant.isdecimal() else ''}{variant}"
    rest = _CALLED.get(rest, rest)
    return f"{system}/{_IMPLIED.get(rest, rest)}"


def _shorter(platform: str) -> tuple[str, ...]:
    """Return the ways to write less than all of a platform; the daemon's own system is linux."""
    system, _, rest = platform.partition("/")
    name = rest.partition("/")[0]
    return (f"{system}/{name}", rest, name) if system == "linux" else (f"{system}/{name}",)


def _platform(part: Document) -> str:
    """Return the platform of a part, by the index or else by the image itself."""
    found = table(table(part, "Descriptor"), "platform") or table(
        table(part, "ImageData"), "Platform"
    )
    names = (text(found, name) for name in ("architecture", "variant"))
    return "/".join(filter(None, (text(found, "os") or "linux", *names)))


def _shown(image: Document) -> Document | None:
    """Return the settings; an image that is not here yet is shown without an architecture."""
    return table(image, "Config") if text(image, "Architecture") else None
