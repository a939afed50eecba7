"""Debian's package of Prometheus, unpacked for its promtool: nothing is installed, nothing runs.

tests/e2e/prometheus.py install
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PACKAGE = "prometheus"


def promtool(cache: Path) -> Path | None:
    """Return the program, that of the system or that of the cache; None where there is neither."""
    if found := shutil.which("promtool"):
        return Path(found)
    program = cache / PACKAGE / "usr/bin/promtool"
    return program if program.exists() else None


def install(cache: Path) -> None:
    """Download and unpack, unless it is there. Raises CalledProcessError."""
    if promtool(cache):
        return
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        fetch = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
        subprocess.run(fetch, cwd=folder, check=True, timeout=300)
        (archive,) = folder.glob("*.deb")
        subprocess.run(["dpkg", "-x", archive, folder / "tree"], check=True, timeout=60)
        (folder / "tree").rename(cache / PACKAGE)


def main(arguments: Sequence[str]) -> int:
    """Carry out `install`: 0 when it is there, 1 when it cannot be had, 2 for misuse."""
    if list(arguments) != ["install"]:
        sys.stderr.write("usage: prometheus.py install\n")
        return 2
    try:
        install(default_cache())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"prometheus: cannot be had: {error}\n")
        return 1
    return 0


def default_cache() -> Path:
    """Return where the engines lie as well."""
    return Path("/var/cache/dockgate-tests")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
