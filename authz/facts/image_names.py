"""Names of images in their one spelling: registry and path, tag, digest.

The rules are those of github.com/distribution/reference (normalize.go,
reference.go, regexp.go), by which the daemon reads every reference. It knows
texts, and nothing about what the daemon has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"

_OLD_REGISTRY = "index.docker.io"
_OFFICIAL = "library"

_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_ID = re.compile(r"sha256:[a-f0-9]{64}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
"""The algorithms that the daemon has (github.com/opencontainers/go-digest, algorithm.go)."""

_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?",
)
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LONGEST = 255
"""Characters of a path; engines that also count the registry refuse more."""


class InvalidNameError(ValueError):
    """No daemon takes this for a reference to an image."""


@dataclass(frozen=True, slots=True)
class ImageName:
    """A reference as it was read.

    ``image`` is registry and path (``docker.io/library/nginx``), the registry
    in small letters, or ``sha256:<hex>`` for a bare id; ``tag`` and ``digest``
    are as written, empty where they are not.
    """

    image: str
    tag: str = ""
    digest: str = ""

    @property
    def is_id(self) -> bool:
        """Whether it is the id of an image and no name."""
        return _ID.fullmatch(self.image) is not None


def is_digest(text: str) -> bool:
    """Say whether this is a digest that the daemon takes for one."""
    return _DIGEST.fullmatch(text) is not None


def read_name(text: str) -> ImageName:
    """Read a reference. Raises InvalidNameError for what the daemon answers 400 to.

    A bare digest by another algorithm than sha256 is refused, too: to some
    engines it is a tag, and no image has such an id.
    """
    return _read_once(text) if len(text) <= _LONGEST else _read(text)


def _read(text: str) -> ImageName:
    if _IDENTIFIER.fullmatch(text):
        return ImageName(f"sha256:{text}")
    if is_digest(text):
        if not _ID.fullmatch(text):
            raise InvalidNameError(text)
        return ImageName(text)
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise InvalidNameError(text)
    name, tag = _split_tag(rest)
    registry, path = _split_registry(name)
    if not (_REGISTRY.fullmatch(registry) and _PATH.fullmatch(path)):
        raise InvalidNameError(text)
    if len(path) > _LONGEST or (tag and not _TAG.fullmatch(tag)):
        raise InvalidNameError(text)
    return ImageName(f"{_one_spelling(registry)}/{path}", tag, digest)


_read_once = lru_cache(maxsize=256)(_read)
"""Each create names its image four times over, and the same ones are named again and again."""


def _split_tag(rest: str) -> tuple[str, str]:
    """Cut the tag off: what follows the last colon, unless that is a port."""
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        return rest, ""
    return (name, tag) if tag else (rest, "")


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    named = "." in first or ":" in first or first == "localhost" or first.lower() != first
    registry, path = (first, rest) if slash and named else (DEFAULT_REGISTRY, name)
    if registry == _OLD_REGISTRY:
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"{_OFFICIAL}/{path}"
    return registry, path


def _one_spelling(registry: str) -> str:
    """Return a registry in small letters: a host is the same host in any letters.

    One that would then be no registry, or Docker's own, which the daemon knows
    in small letters only, stays as it is.
    """
    small = registry.lower()
    return small if _split_registry(f"{small}/x")[0] == small != DEFAULT_REGISTRY else registry
