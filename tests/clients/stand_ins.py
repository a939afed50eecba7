"""Images under the names that other people's tests want, made of what is on this machine.

No registry is asked. They do what the tests look at and no more: a `python` that runs, a shell, an
`nginx` that answers with its welcome. Tests that want more fail directly as well, and count for
nothing.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.e2e import engines, images
from tests.e2e.daemon import Dockerd

WELCOME = "<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n"
HELLO = "\nHello from Docker!\nThis message shows that your installation appears to be working.\n"

_NGINX = (
    'CMD ["sh", "-c", "echo start worker process; exec httpd -f -p 80 -h /usr/share/nginx/html"]'
)
_REAPER = """
import socketserver

class Agrees(socketserver.StreamRequestHandler):
    def handle(self):
        for _ in self.rfile:
            self.wfile.write(b"ACK\\n")

print("Reaper Started!")
socketserver.ThreadingTCPServer(("", 8080), Agrees).serve_forever()
"""
_TOOLS = ("nc", "ps", "top", "uptime", "wget")
_LINKS = {"./usr/bin/python": "python3", **{f"./usr/bin/{tool}": "busybox" for tool in _TOOLS}}
_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def debian(daemon: Dockerd, names: Sequence[str], command: str = '["bash"]') -> None:
    """Load a Debian with Python and bash under all the names."""
    changes = [word for line in (f"CMD {command}", _PATH) for word in ("--change", line)]
    buffer = io.BytesIO()
    tree = engines.debian_with_python()
    links = (
        dict(_LINKS) if (tree / "bin").is_symlink() else {**_LINKS, "./bin/bash": "/usr/bin/bash"}
    )
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(tree, ".")
        archive.add(Path("/bin/bash").resolve(), "./usr/bin/bash")
        for library in _libraries("/bin/bash"):
            archive.add(library.resolve(), f"./usr/lib/x86_64-linux-gnu/{library.name}")
        archive.add(images.BUSYBOX.resolve(), "./usr/bin/busybox")
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    daemon.docker("import", *changes, "-", names[0], stdin=buffer.getvalue(), timeout=120)
    _tag(daemon, names)


def reaper(daemon: Dockerd, names: Sequence[str], python: str) -> None:
    """Load what says that it has started and agrees to all it is told; it reaps nothing."""
    folder = Path(tempfile.mkdtemp(dir=daemon.root))
    (folder / "reaper.py").write_text(_REAPER)
    (folder / "Dockerfile").write_text(
        f'FROM {python}\nCOPY reaper.py /\nEXPOSE 8080\nCMD ["python3", "-u", "/reaper.py"]\n'
    )
    daemon.docker("build", "-t", names[0], folder, env={"DOCKER_BUILDKIT": "0"})
    _tag(daemon, names)


def nginx(daemon: Dockerd, names: Sequence[str]) -> None:
    """Load what answers on port 80 like a new nginx."""
    page = "/usr/share/nginx/html/index.html"
    written = f"RUN mkdir -p {Path(page).parent} && echo '{_line(WELCOME)}' > {page}"
    _built(daemon, names, [written, "EXPOSE 80", _NGINX])


def hello(daemon: Dockerd, names: Sequence[str]) -> None:
    """Load what says hello and ends."""
    _built(daemon, names, [f"RUN echo '{_line(HELLO)}' > /hello", 'CMD ["cat", "/hello"]'])


def sleeper(daemon: Dockerd, names: Sequence[str]) -> None:
    """Load what does nothing for a while."""
    _built(daemon, names, ['CMD ["sleep", "600"]'])


def _built(daemon: Dockerd, names: Sequence[str], lines: Sequence[str]) -> None:
    script = "\n".join(["FROM busybox", *lines])
    daemon.docker("build", "-t", names[0], "-", stdin=script, env={"DOCKER_BUILDKIT": "0"})
    _tag(daemon, names)


def _tag(daemon: Dockerd, names: Sequence[str]) -> None:
    for name in names[1:]:
        daemon.docker("tag", names[0], name)


def _line(text: str) -> str:
    return text.strip().replace("\n", " ")


def _libraries(program: str) -> list[Path]:
    """Find the libraries of a program that a small Debian may lack."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(word) for word in listed.split() if word.startswith("/") and "tinfo" in word]
