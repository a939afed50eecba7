"""What the options of a volume's driver mean.

The local driver hands ``type``, ``o`` and ``device`` to mount(2), so that a
volume can be any host folder, an overlay of host folders, a block device or a
file system of the kernel (moby daemon/volume/local/local_unix.go and
github.com/moby/sys/mount). It knows no container and no request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, text, texts, unreadable
from authz.facts.paths import host_path_facts, real_paths

LOCAL = frozenset({"", "local"})
"""Names of the driver that is built in; an empty name is the default."""

KERNEL_FILES: Mapping[str, str] = {
    "binfmt_misc": "/proc/sys/fs/binfmt_misc",
    "bpf": "/sys/fs/bpf",
    "cgroup": "/sys/fs/cgroup",
    "cgroup2": "/sys/fs/cgroup",
    "configfs": "/sys/kernel/config",
    "cpuset": "/sys/fs/cgroup",
    "debugfs": "/sys/kernel/debug",
    "devpts": "/dev/pts",
    "devtmpfs": "/dev",
    "efivarfs": "/sys/firmware/efi/efivars",
    "fusectl": "/sys/fs/fuse/connections",
    "mqueue": "/dev/mqueue",
    "nfsd": "/proc/fs/nfsd",
    "proc": "/proc",
    "pstore": "/sys/fs/pstore",
    "resctrl": "/sys/fs/resctrl",
    "rpc_pipefs": "/var/lib/nfs/rpc_pipefs",
    "securityfs": "/sys/kernel/security",
    "selinuxfs": "/sys/fs/selinux",
    "smackfs": "/sys/fs/smackfs",
    "sysfs": "/sys",
    "tracefs": "/sys/kernel/tracing",
}
"""File systems without a device, and the folder of the host that shows the same files."""

NETWORKED = frozenset({"cifs", "smb3", "nfs", "nfs4", "ceph", "glusterfs"})
"""File systems whose device is a place in the network, even where it starts with a slash."""

NAMED = frozenset({"9p", "hugetlbfs", "overlay", "ramfs", "tmpfs", "zfs"})
"""File systems whose device may be any word: the kernel opens no file of that name.

That of 9p is an address or a tag; where it starts with a slash it can be a socket of the host
(net/9p/trans_fd.c).
"""

_PROPAGATION = frozenset({"private", "shared", "rshared", "slave", "rslave"})
_READ_LAYERS = frozenset({"lowerdir", "lowerdir+", "datadir+"})
_LAYERS = _READ_LAYERS | {"upperdir", "workdir"}


@dataclass(frozen=True, slots=True)
class _Mount:
    """The call of mount(2) that the local driver makes."""

    type: str
    device: str
    words: tuple[str, ...]

    @property
    def binds(self) -> bool:
        """Whether the kernel binds ``device`` and so ignores ``type``."""
        return "bind" in self.words or "rbind" in self.words

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written; ``ro`` does not reach the submounts of ``rbind``."""
        last = [word for word in self.words if word in {"ro", "rw"}][-1:]
        return last == ["ro"] and "rbind" not in self.words


def local_volume_facts(
    driver: str, options: Mapping[str, str], known: Known, *, writable: bool = True
) -> Iterator[Fact]:
    """Yield what a volume with this driver and these options would be.

    The paths that the local driver would mount come first, then a driver
    other than local, then each option. ``writable`` is whether it is mounted
    so that it can be written.
    """
    if driver in LOCAL:
        yield from mounted_facts(options, known, writable=writable)
    else:
        yield Fact("volume.driver", driver)
    for key, value in options.items():
        yield Fact("volume.opt", f"{key}={value}")


def stored_volume_facts(volume: Document, known: Known, *, writable: bool = True) -> Iterator[Fact]:
    """Yield the host paths and devices behind a volume that exists, or its driver.

    ``volume`` is its inspect document. Its options are not repeated: whoever
    made it was judged by them.
    """
    driver = text(volume, "Driver")
    if driver not in LOCAL:
        yield Fact("volume.driver", driver, looked_up=True)
        return
    for fact in mounted_facts(texts(volume, "Options"), known, writable=writable):
        yield fact._replace(looked_up=True)


def mounted_facts(
    options: Mapping[str, str], known: Known, *, writable: bool = True
) -> Iterator[Fact]:
    """Yield the host paths and devices that options of the local driver reach.

    Raises RefusedError for what can be read in more than one way.
    """
    given = {key.lower(): value for key, value in options.items()}
    if len(given) < len(options):
        raise unreadable("volume options differ in case only")
    mount = _Mount(
        type=given.get("type", ""),
        device=given.get("device", ""),
        words=tuple(given.get("o", "").split(",")),
    )
    writable = writable and not mount.read_only
    if mount.binds:
        yield from host_path_facts(mount.device, known, writable=writable, raw=True)
    else:
        yield from _file_system(mount, known, writable=writable)
    yield from (Fact("bind.prop", word) for word in mount.words if word in _PROPAGATION)


def _file_system(mount: _Mount, known: Known, *, writable: bool) -> Iterator[Fact]:
    if mount.type in NETWORKED:  # its options may hold a password
        return
    yield from _layers(mount, known, writable=writable)
    if mount.type in KERNEL_FILES:
        yield from host_path_facts(KERNEL_FILES[mount.type], known, writable=writable)
    elif not _is_word(mount):
        for reached, found in real_paths(mount.device, known, raw=True):
            yield Fact("device", reached, found)
        yield from host_path_facts(mount.device, known, writable=writable, raw=True)


def _is_word(mount: _Mount) -> bool:
    """Say whether the device is only a word; anywhere else it is a path, which must be absolute."""
    return not mount.device.startswith("/") and (mount.type in NAMED or not mount.device)


def _layers(mount: _Mount, known: Known, *, writable: bool) -> Iterator[Fact]:
    """Yield the folders of an overlay, and whatever else an option names by its path.

    A backslash before a comma or a colon makes them a part of a name for the
    kernel (fs/overlayfs/params.c), and not for those who split at them.
    """
    for word in mount.words:
        if "\\" in word:
            raise unreadable("a backslash in the options of a volume; expected plain paths")
        name, _, value = word.partition("=")
        writes = writable and name not in _READ_LAYERS
        for folder in filter(None, value.split(":")):
            if name in _LAYERS or folder.startswith("/"):
                yield from host_path_facts(folder, known, writable=writes, raw=True)
