"""Images made of nothing but Debian's static busybox: no registry is asked.

Knows how to make an image and put it into a daemon; knows nothing of plugins. A daemon with a
plugin would ask it about the import: load more images before the plugin is in its list, then
`configure` and `reload`.
"""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Part:
    """One image of an index; without layers of its own: all hold the same files."""

    platform: str
    user: str
    labels: dict[str, str] = field(default_factory=dict)
    attests: bool = False


def load_index(daemon: Dockerd, name: str, parts: Sequence[Part]) -> None:
    """Load an image that is an index, for a daemon whose store can hold one."""
    daemon.docker("load", stdin=_archive(name, parts))


def _archive(name: str, parts: Sequence[Part]) -> bytes:
    blobs: dict[str, bytes] = {}
    manifests = [_manifest(blobs, part) for part in parts]
    index = _blob(blobs, "index", {"schemaVersion": 2, "manifests": manifests})
    index["annotations"] = {"io.containerd.image.name": f"docker.io/library/{name}"}
    files = {f"blobs/sha256/{digest}": blob for digest, blob in blobs.items()}
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [index]}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            member = _entry(path, tarfile.REGTYPE, 0o644)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _manifest(blobs: dict[str, bytes], part: Part) -> dict[str, Any]:
    system, name = part.platform.split("/")
    layer = _root_file_system()
    settings = {
        "os": system,
        "architecture": name,
        "config": {"User": part.user, "Cmd": ["sh"], "Labels": part.labels},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
        },
    }
    manifest = {
        "schemaVersion": 2,
        "config": _blob(blobs, "config", settings),
        "layers": [_blob(blobs, "layer", layer)],
    }
    found = _blob(blobs, "manifest", manifest)
    if part.attests:
        found["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    return {**found, "platform": {"os": system, "architecture": name}}


def _blob(blobs: dict[str, bytes], kind: str, content: Any) -> dict[str, Any]:
    """Keep a blob, and return what describes it; what is no layer names its own type inside."""
    media = f"application/vnd.oci.image.{kind}.v1{'.tar' if kind == 'layer' else '+json'}"
    if not isinstance(content, bytes):
        content = json.dumps({"mediaType": media, **content}).encode()
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


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
