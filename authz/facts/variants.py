"""Which settings a new container takes from its image, where the image is one of several.

From 29 on an image may be an index: an image for each platform and, beside them,
what is none. Asked without a platform, the daemon shows the image that suits its
host best, and takes that one for a container whose create names no platform; only
it overlooks what is no image in the one case and not in the other. So an index in
which that could matter is refused, and where a platform is named, its image is
asked about. It knows indexes and platforms, and nothing of the settings.

Source: moby daemon/containerd/image.go (getBestPresentImageManifest), image_list.go
(multiPlatformSummary) and image_manifest.go (IsPseudoImage), of 29.
"""

from authz.facts.known import Known
from authz.facts.members import Document, malformed, table, tables, text, unreadable
from authz.facts.questions import Topic

_IMAGE = "image"
_NONE = "unknown/unknown"
"""The platform of what was never meant to run."""


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
    variant = known.document(Topic.VARIANT, f"{_platform(part)} {written}")
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
    """Return the image of a platform as ``os/arch/variant``, ``os/arch`` or ``arch``."""
    wanted = platform.lower()
    if "unknown" in wanted:
        raise unreadable(f"platform {platform!r}; expected one that has images")
    images = [part for part in parts if text(part, "Kind") == _IMAGE]
    exact = [part for part in images if _platform(part) == wanted]
    near = [part for part in images if wanted in _shorter(_platform(part))]
    found = exact or near
    return found[0] if len({_platform(part) for part in found}) == 1 else None


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
    names = (text(found, name) for name in ("os", "architecture", "variant"))
    return "/".join(filter(None, names))


def _shown(image: Document) -> Document | None:
    """Return the settings; an image that is not here yet is shown without an architecture."""
    return table(image, "Config") if text(image, "Architecture") else None
