"""Images made of nothing but Debian's static busybox: no registry is asked.

Knows how to make an image and put it into a daemon; knows nothing of plugins. A daemon with a
plugin would ask it about the import: load more images before the plugin is in its list, then
`configure` and `reload`.
"""

import io
import subprocess
import tarfile
from functools import cache
from pathlib import Path

from tests.e2e.daemon import Dockerd

BUSYBOX = Path("/bin/busybox")
ORDINARY = ("busybox:latest", "alpine:latest")

# Without a default command the daemon refuses a create that has no Cmd, which can hide what a test
# is about.
_SETTINGS = ('CMD ["sh"]', "ENV PATH=/bin:/sbin:/usr/bin:/usr/sbin")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


def load(daemon: Dockerd, names: tuple[str, ...] = ORDINARY, changes: tuple[str, ...] = ()) -> None:
    """Import one image under all the names; `changes` are more Dockerfile lines (`USER 1000`)."""
    words = [word for change in (*_SETTINGS, *changes) for word in ("--change", change)]
    first = names[0]
    daemon.docker("import", *words, "-", first, stdin=_root_file_system())
    for name in names[1:]:
        daemon.docker("tag", first, name)


@cache
def _root_file_system() -> bytes:
    """Pack busybox, a link for each of its commands and the usual folders: about 2 MB of tar."""
    listing = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "var"):
            archive.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        for name, text in _FILES.items():
            member = _entry(name, tarfile.REGTYPE, 0o644)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        archive.add(BUSYBOX.resolve(), "bin/busybox")
        for command in set(listing.stdout.split()) - {"busybox"}:
            member = _entry(f"bin/{command}", tarfile.SYMTYPE, 0o777)
            member.linkname = "busybox"
            archive.addfile(member)
    return buffer.getvalue()


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member
