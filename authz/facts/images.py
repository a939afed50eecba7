"""Which image a request takes, and which names it gives to images.

It knows references and the requests whose point is an image; what is in an
image is known to the daemon alone.
"""

import re
from collections.abc import Iterator, Mapping

from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.image_names import (
    DEFAULT_TAG,
    ImageName,
    InvalidNameError,
    is_digest,
    read_name,
)
from authz.facts.known import UNKNOWN, Known
from authz.facts.members import Document, strings, text, unreadable
from authz.facts.questions import Topic

EVERY_TAG = "all"
"""What a pull without tag and digest brings besides ``latest``."""

_NONE = "none"
_MAYBE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,63}")
"""A name to some, and the start of an id to the daemon, which tries both."""
_ID = "sha256:"

_MARK = "\ufeff"
"""A byte-order mark, which the parser of Dockerfiles drops."""

_INSTRUCTIONS = {
    "ExposedPorts": "EXPOSE",
    "Labels": "LABEL",
    "Volumes": "VOLUME",
    "WorkingDir": "WORKDIR",
}
"""Instructions that are not called like their member of Config."""


def image_name(written: str, place: str) -> ImageName:
    """Read a reference. Raises RefusedError, naming the ``place``, for what is none."""
    try:
        return read_name(written)
    except InvalidNameError:
        raise unreadable(f"{place} {written!r} is not the name of an image") from None


def created_from(written: str, known: Known) -> Iterator[Fact]:
    """Yield the image of a new container.

    A short name in hexadecimal may be the start of an id; the daemon looks for
    the name first (moby daemon/images/image.go), and so it is asked.
    """
    if not written:
        return
    found = _resolved(written, known)
    if found is None:
        yield Fact("image", UNKNOWN)
        yield Fact("image.ref", "id-only")
        return
    yield Fact("image", found.image, looked_up=found.is_id and found.image != written)
    yield Fact("image.ref", "id-only" if found.is_id else "name")
    if found.is_id:
        yield Fact("image.digest", found.image)
    else:
        yield from _version_facts(found)


def image_of(written: str, known: Known) -> str:
    """Return the image as a condition sees it; unknown where it cannot be told."""
    if not written:
        return ""
    found = _resolved(written, known)
    return found.image if found else UNKNOWN


def _resolved(written: str, known: Known) -> ImageName | None:
    return known.once(("image", written), lambda: _looked_up(written, known))


def _looked_up(written: str, known: Known) -> ImageName | None:
    name = image_name(written, "Image")
    if name.is_id or not _MAYBE_ID.fullmatch(written):
        return name
    answer = known.ask(Topic.IMAGE, written)
    if answer is None:
        return None
    if not isinstance(answer, Mapping) or _is_named(answer, name):
        return name
    found = ImageName(text(answer, "Id"))
    starts = found.image.removeprefix(_ID).startswith(written.removeprefix(_ID))
    return found if found.is_id and starts else name


def _is_named(image: Document, name: ImageName) -> bool:
    wanted = (name.image, name.tag or DEFAULT_TAG)
    return wanted in map(_tagged, strings(image, "RepoTags"))


def _tagged(written: str) -> tuple[str, str]:
    """Return name and tag; nothing for what is no name, such as ``<none>:<none>``."""
    try:
        name = read_name(written)
    except InvalidNameError:
        return "", ""
    return name.image, name.tag


def _version_facts(name: ImageName) -> Iterator[Fact]:
    """Yield tag and digest; a digest wins over a tag, which then is only told."""
    if name.tag or not name.digest:
        yield Fact("image.tag", name.tag or DEFAULT_TAG)
    yield Fact("image.digest", name.digest or _NONE)


def pull_facts(request: ApiRequest) -> Iterator[Fact]:
    """Describe ``images/create?fromImage=``.

    ``tag`` may hold a digest, which stands in for tag and digest of the name,
    or a tag, which leaves a digest of the name in force (moby
    api/server/router/image/image_routes.go, reference.WithTag).
    """
    name = image_name(request.parameter("fromImage"), "fromImage")
    if name.is_id:
        raise unreadable(f"fromImage {name.image!r} is an id; expected a name")
    version = request.parameter("tag")
    if is_digest(version):
        name = ImageName(name.image, digest=version)
    elif version:
        digest = f"@{name.digest}" if name.digest else ""
        name = image_name(f"{name.image}:{version}{digest}", "fromImage and tag")
    yield Fact("image", name.image)
    yield from _version_facts(name)
    if not name.tag and not name.digest:
        yield Fact("image.tag", EVERY_TAG)


def import_facts(request: ApiRequest) -> Iterator[Fact]:
    """Describe ``images/create?fromSrc=``; a source ``-`` is the body, one without scheme http."""
    source = request.parameter("fromSrc")
    if source not in {"", "-"}:
        yield Fact("pull.url", source if "://" in source else f"http://{source}")
    yield from name_given(request)
    yield from change_facts(request)


def load_facts(_request: ApiRequest) -> Iterator[Fact]:
    """Describe ``images/load``: the archive, which nobody reads, gives any names it likes."""
    yield Fact("image.name", UNKNOWN)


def name_given(request: ApiRequest) -> Iterator[Fact]:
    """Yield the name that ``repo`` and ``tag`` give to an image."""
    repo = request.parameter("repo")
    if repo:
        yield from written_name(repo, "repo")


def written_name(written: str, place: str) -> Iterator[Fact]:
    """Yield a name that is given to an image; an id is no name."""
    name = image_name(written, place)
    if name.is_id:
        raise unreadable(f"{place} {written!r} is an id; expected a name")
    yield Fact("image.name", name.image)


def change_facts(request: ApiRequest) -> Iterator[Fact]:
    """Yield the Dockerfile instructions in ``changes``, by their first word."""
    for change in request.query.get("changes", ()):
        for line in change.splitlines():
            words = line.removeprefix(_MARK).split()
            if words:
                yield Fact("commit.changes", words[0].upper())


def commit_facts(request: ApiRequest) -> Iterator[Fact]:
    """Describe what ``commit`` makes of a container; the container is described elsewhere.

    A member of the body says the same as an instruction, and is called like it.
    """
    yield from name_given(request)
    yield from change_facts(request)
    for member, value in (request.body or {}).items():
        if value:
            yield Fact("commit.changes", _INSTRUCTIONS.get(member, member.upper()))
