"""What a container mounts: binds, volumes, memory, images, and the mounts of others.

The four spellings of a mount (``Binds``, ``Mounts``, ``Config.Volumes``,
``Tmpfs``) are read by the rules of moby daemon/volume/mounts/linux_parser.go
and daemon/volumes.go. What the options of a driver mean, and where a path
leads, is known elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from authz.errors import Reason, RefusedError
from authz.facts.facts import Fact
from authz.facts.images import image_of
from authz.facts.known import Known
from authz.facts.members import (
    Document,
    flag,
    lists,
    number,
    pairs,
    strings,
    table,
    tables,
    text,
    texts,
    unreadable,
)
from authz.facts.neighbours import whose_container
from authz.facts.paths import clean, host_path_facts
from authz.facts.questions import Topic
from authz.facts.volume_options import LOCAL, local_volume_facts, stored_volume_facts

PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
LABELS = frozenset({"z", "Z"})
MODES = PROPAGATION | LABELS | {"ro", "rw", "nocopy", "consistent", "cached", "delegated"}
"""Words that the third part of a bind may hold, separated by commas."""

ANONYMOUS = "anonymous"
"""The fact value for a volume that the daemon names."""

RECURSIVE_SINCE = (1, 44)
"""From this API version on, a read-only mount makes its submounts read-only too."""

_RECURSIVE_KERNEL = (5, 12)
"""The kernel's mount_setattr(2), without which the daemon falls back without a word."""

_UNITS = (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the mounts of one container."""

    known: Known
    version: tuple[int, int] | None
    stored: bool

    def binds(self, host: Document) -> Iterator[Fact]:
        """Describe ``HostConfig.Binds``: ``source:target[:modes]``."""
        for spec in strings(host, "Binds"):
            source, modes = _split(spec)
            read_only = "ro" in modes and "rw" not in modes
            deep = read_only and self.read_only_is_deep()
            if source.startswith("/"):
                yield from host_path_facts(source, self.known, writable=not deep)
                yield from (Fact("bind.relabel", m) for m in modes if m in LABELS)
            else:
                yield from self.volume(source, writable=not read_only)
            for mode in modes:
                yield from propagation_facts(mode if mode in PROPAGATION else "")

    def mounts(self, host: Document) -> Iterator[Fact]:
        """Describe ``HostConfig.Mounts``."""
        for mount in tables(host, "Mounts"):
            kind = text(mount, "Type")
            source = text(mount, "Source")
            if kind == "bind":
                yield from self.bind_mount(mount)
            elif kind == "volume":
                yield from self.volume_mount(mount)
            elif kind == "tmpfs":
                yield from (Fact("tmpfs.opt", option) for option in _tmpfs_options(mount))
            elif kind in {"npipe", "cluster"}:
                yield Fact(f"mount.{kind}", source)
            elif kind == "image" and source:
                yield Fact("mount.image", image_of(source, self.known))
                yield from _subpath(table(mount, "ImageOptions"))
            else:
                raise unreadable(f"Mounts: type {kind!r}; expected bind, volume, tmpfs or image")

    def bind_mount(self, mount: Document) -> Iterator[Fact]:
        """Describe a mount of type bind."""
        source = text(mount, "Source")
        options = table(mount, "BindOptions")
        shallow = flag(options, "NonRecursive") or flag(options, "ReadOnlyNonRecursive")
        forced = flag(options, "ReadOnlyForceRecursive")
        deep = not shallow and self.read_only_is_deep(forced=forced)
        writable = not (flag(mount, "ReadOnly") and deep)
        yield from host_path_facts(source, self.known, writable=writable)
        yield from propagation_facts(text(options, "Propagation"))
        if flag(options, "CreateMountpoint"):
            yield Fact("bind.create", clean(source))

    def volume_mount(self, mount: Document) -> Iterator[Fact]:
        """Describe a mount of type volume."""
        options = table(mount, "VolumeOptions")
        writable = not flag(mount, "ReadOnly")
        yield from self.volume(text(mount, "Source"), writable=writable)
        driver = table(options, "DriverConfig")
        yield from local_volume_facts(
            text(driver, "Name"), texts(driver, "Options"), self.known, writable=writable
        )
        yield from _subpath(options)

    def volume(self, name: str, *, writable: bool) -> Iterator[Fact]:
        """Describe a volume by name, and what hides behind one that exists."""
        if not name:
            yield from self.anonymous()
            return
        yield volume_fact(name)
        yield from existing_volume_facts(name, self.known, writable=writable)

    def anonymous(self) -> Iterator[Fact]:
        """Describe a volume without a name, which nobody else has."""
        if not self.stored:  # images bring theirs along, and they are part of the container
            yield Fact("volume", ANONYMOUS)

    def volumes_from(self, host: Document) -> Iterator[Fact]:
        """Describe ``HostConfig.VolumesFrom``: ``container[:modes]``."""
        for spec in strings(host, "VolumesFrom"):
            name, _, modes = spec.partition(":")
            _read_modes(modes)
            yield Fact("volumes.from", whose_container(name, self.known))

    def read_only_is_deep(self, *, forced: bool = False) -> bool:
        """Say whether a read-only bind makes its submounts read-only too.

        A request without a version gets the daemon's, which may be old. Which
        version made a stored container is not stored; it was judged then. Where
        it is ``forced`` the daemon gives up rather than leave a submount
        writable, but an engine of old does not know the word and goes on.
        """
        if not self.stored and (self.version is None or self.version < RECURSIVE_SINCE):
            return False
        if forced:
            return True
        daemon = self.known.document(Topic.DAEMON) or {}
        found = re.match(r"(\d+)\.(\d+)", text(daemon, "KernelVersion"))
        return found is None or (int(found[1]), int(found[2])) >= _RECURSIVE_KERNEL


def mount_facts(
    config: Document,
    host: Document,
    known: Known,
    *,
    version: tuple[int, int] | None,
    stored: bool = False,
) -> Iterator[Fact]:
    """Yield the facts of everything that a container mounts.

    ``config`` and ``host`` are its Config and HostConfig. Raises RefusedError
    for a mount that the daemon would not read, or not as it looks.
    """
    reader = _Reader(known, version, stored)
    yield from reader.binds(host)
    yield from reader.mounts(host)
    yield from reader.volumes_from(host)
    for _ in table(config, "Volumes"):
        yield from reader.anonymous()
    if text(host, "VolumeDriver") not in LOCAL:
        yield Fact("volume.driver", text(host, "VolumeDriver"))
    for options in texts(host, "Tmpfs").values():
        yield from (Fact("tmpfs.opt", option) for option in _words(options))
    yield from (Fact("storage", pair) for pair in pairs(host, "StorageOpt"))


def existing_volume_facts(name: str, known: Known, *, writable: bool) -> tuple[Fact, ...]:
    """Return what hides behind a volume; nothing where it is not there.

    Raises RefusedError where that is more than can be judged.
    """

    def make() -> tuple[Fact, ...]:
        volume = known.document(Topic.VOLUME, name)
        if volume is None:
            return ()
        most = known.settings.max_facts
        facts = tuple(islice(stored_volume_facts(volume, known, writable=writable), most + 1))
        if len(facts) > most:
            problem = f"volume {name!r} reaches more than {most} places; expected fewer"
            raise RefusedError(Reason.TOO_MANY_FACTS, problem)
        return facts

    return known.once(("volume", name, "rw" if writable else "ro"), make)


def volume_fact(name: str) -> Fact:
    """Return the fact of a volume by name. Raises RefusedError for one that reads as nameless."""
    if name == ANONYMOUS:
        raise unreadable(f"volume {name!r}; expected another name, or none")
    return Fact("volume", name)


def named_volumes(host: Document) -> Iterator[str]:
    """Yield the names of the volumes that are mounted by name."""
    for spec in strings(host, "Binds"):
        source, _ = _split(spec)
        if source and not source.startswith("/"):
            yield source
    for mount in tables(host, "Mounts"):
        if text(mount, "Type") == "volume" and text(mount, "Source"):
            yield text(mount, "Source")


def _split(spec: str) -> tuple[str, list[str]]:
    """Split a bind into its source, empty where there is none, and its modes."""
    parts = spec.split(":")
    if not parts[0] or len(parts) > 3 or (len(parts) == 2 and _are_modes(parts[1])):  # noqa: PLR2004  the parts of a bind
        raise unreadable(f"Binds: {spec!r}; expected source:target[:modes]")
    source = parts[0] if len(parts) > 1 else ""
    return source, _read_modes("".join(parts[2:]))


def _are_modes(word: str) -> bool:
    return all(mode in MODES for mode in _words(word))


def _read_modes(written: str) -> list[str]:
    """Return the modes. Raises RefusedError for one that the daemon does not know."""
    if not _are_modes(written):
        raise unreadable(f"mount mode {written!r}; expected of {', '.join(sorted(MODES))}")
    return _words(written)


def _words(written: str) -> list[str]:
    return [word for word in written.split(",") if word]


def propagation_facts(propagation: str) -> Iterator[Fact]:
    """Describe a propagation that was asked for; rprivate is what every mount has."""
    if propagation and propagation not in PROPAGATION:
        raise unreadable(f"Propagation {propagation!r}; expected of {sorted(PROPAGATION)}")
    if propagation not in {"", "rprivate"}:
        yield Fact("bind.prop", propagation)


def _subpath(options: Document) -> Iterator[Fact]:
    if text(options, "Subpath"):
        yield Fact("volume.subpath", text(options, "Subpath"))


def _tmpfs_options(mount: Document) -> Iterator[str]:
    """Yield the options as the daemon spells them out (linux_parser.go, ConvertTmpfsOptions)."""
    options = table(mount, "TmpfsOptions")
    if flag(mount, "ReadOnly"):
        yield "ro"
    if number(options, "Mode"):
        yield f"mode={number(options, 'Mode'):o}"
    if number(options, "SizeBytes"):
        yield f"size={_with_unit(number(options, 'SizeBytes'))}"
    yield from ("=".join(option) for option in lists(options, "Options"))


def _with_unit(size: int) -> str:
    for unit, factor in _UNITS:
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
