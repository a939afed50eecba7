#!/usr/bin/env python3
"""The Docker engines that the end-to-end tests run, and how a Debian 12 machine gets them.

Knows Debian's suites and packages; does not know how a daemon is started or what is tested. It
needs nothing but the standard library, so that it can run before any environment exists:

    python3 tests/e2e/engines.py install [NAME]    as root; changes nothing where all is in place
    python3 tests/e2e/engines.py list

20.10 is the system's own docker.io, installed by apt. 26.1 comes from the next suite of the same
mirror and is only unpacked, into a cache folder, with a package state of its own: the system's apt
sees nothing. A tree of Debian with Python, from which images are made, comes the same way, and so
does 28.5, which is installed only where it is named. `GATE_TEST_CACHE` moves that folder.
`GATE_TEST_ENGINE` names one more engine by its folder, with dockerd, docker, containerd, its
shim, runc, docker-init and docker-proxy in it, and perhaps cli-plugins; what is not there is the
system's. `GATE_TEST_ENGINES=28.5,29.7` chooses those that the tests run on.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

NAMES = ("20.10", "26.1")
MORE = ("28.5",)
"""Engines that are installed where they are named, for what NAMES lack."""
OWN = "GATE_TEST_ENGINE"

_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM_PACKAGES = ("docker.io", "iptables", "busybox-static", "procps")  # docker top runs ps
_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_DAEMON_PACKAGES = ("docker.io", "docker-cli", "containerd", "runc", "tini")
_SUITES = {
    "26.1": ("trixie", (*_DAEMON_PACKAGES, "docker-buildx", "docker-compose")),
    "28.5": ("forky", _DAEMON_PACKAGES),
}
_CLI_PLUGINS = "26.1"
_BASE_SUITE = "bookworm"
_BASE_PACKAGES = ("base-files", "coreutils", "dash", "libc-bin", "python3-venv")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_POLICY = Path("/usr/sbin/policy-rc.d")
# The programs of a suite that must run here. Debian 12 has glibc 2.36: dockerd, containerd and the
# CLI of newer suites ask for 2.34 only, but their runc and tini ask for 2.38. runc then comes from
# the system (1.1.5 does what containerd 1.7 and 2.1 want); docker-init is a link to tini-static,
# which runs anywhere.
_VITAL = ("dockerd", "docker", "containerd", "runc")


class EngineError(Exception):
    """An engine cannot be had; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine on this machine. `path` is the PATH under which its daemon must be started."""

    name: str
    version: str
    dockerd: Path
    docker: Path
    path: str
    cli_plugins: Path | None
    """Folder with the compose and buildx plugins; all engines share those of 26.1's suite."""


def available() -> list[Engine]:
    """Every engine that can be started here, oldest first."""
    return list(survey()[0].values())


def survey() -> tuple[dict[str, Engine], dict[str, str]]:
    """Look for every engine: those found, and the reason for each not found, both by name."""
    found: dict[str, Engine] = {}
    missing: dict[str, str] = {}
    for name in (*NAMES, *MORE):
        try:
            found[name] = _suite_engine(name) if name in _SUITES else _system_engine(name)
        except EngineError as error:
            missing[name] = str(error)
    if folder := os.environ.get(OWN):
        try:
            own = _engine_in(Path(folder).resolve())
            found[own.name] = own
        except EngineError as error:
            missing[OWN] = str(error)
    return found, missing


def chosen() -> Sequence[str]:
    """Return the names of the engines that the tests run on."""
    return tuple(os.environ.get("GATE_TEST_ENGINES", ",".join(NAMES)).split(","))


def install(more: Sequence[str] = ()) -> None:
    """Bring NAMES and `more` onto this machine, as root. Raises EngineError when one fails."""
    if os.geteuid() != 0:
        raise EngineError("installing engines needs root")
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test runs install once
        _install_system()
        for name in (*_SUITES.keys() & NAMES, *more):
            _install_suite(cache, *_SUITES[name])
        _install_base(cache)


def debian_with_python() -> Path:
    """Return the tree of a small Debian 12 with a shell, Python and venv. Raises EngineError."""
    tree = _base(_cache())
    if not tree.exists():
        raise EngineError(f"no {tree} (tests/e2e/engines.py install)")
    return tree


def cached(name: str) -> Path:
    """Return a place, perhaps empty yet, for something that is dear to make: it outlives a run."""
    return _cache() / name


def _system_engine(name: str) -> Engine:
    return _engine_at(Path("/"), name, _SYSTEM_PATH)


def _suite_engine(name: str) -> Engine:
    tree = _tree(_cache(), name)
    return _engine_at(tree, name, f"{tree}/usr/sbin:{tree}/usr/bin:{_SYSTEM_PATH}")


def _engine_at(tree: Path, name: str, path: str) -> Engine:
    engine = _engine(tree / "usr/sbin/dockerd", tree / "usr/bin/docker", path)
    if engine.name != name:
        raise EngineError(f"{engine.dockerd} is version {engine.version}, wanted {name}")
    return engine


def _engine_in(folder: Path) -> Engine:
    """Return the engine of a folder that somebody made."""
    engine = _engine(folder / "dockerd", folder / "docker", f"{folder}:{_SYSTEM_PATH}")
    own = folder / "cli-plugins"
    return replace(engine, cli_plugins=own) if own.exists() else engine


def _engine(dockerd: Path, docker: Path, path: str) -> Engine:
    for program in (dockerd, docker):
        if not program.exists():
            raise EngineError(f"no {program}")
    version = _version(dockerd)
    name = ".".join(version.split(".")[:2])
    plugins = _tree(_cache(), _CLI_PLUGINS) / "usr/libexec/docker/cli-plugins"
    return Engine(name, version, dockerd, docker, path, plugins if plugins.exists() else None)


def _version(dockerd: Path) -> str:
    # "Docker version 20.10.24+dfsg1, build 5d6db84"
    words = _run([str(dockerd), "--version"]).split()
    return words[2].split("+")[0].rstrip(",") if len(words) > 2 else "unknown"


def _cache() -> Path:
    if chosen := os.environ.get("GATE_TEST_CACHE"):
        return Path(chosen)
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "dockgate-tests"
    return Path("/var/cache/dockgate-tests")


def _tree(cache: Path, name: str) -> Path:
    suite, _ = _SUITES[name]
    return cache / suite / "root"


def _base(cache: Path) -> Path:
    return cache / _BASE_SUITE / "root"


def _install_system() -> None:
    missing = [name for name in _system_packages() if not _is_installed(name)]
    if not missing:
        return
    _say(f"installing {' '.join(missing)}")
    _update()
    with _services_stay_down():
        _run(
            [
                "apt-get",
                "-q",
                "-y",
                "-o",
                "DPkg::Lock::Timeout=300",
                "--no-install-recommends",
                "install",
                *missing,
            ]
        )


def _system_packages() -> Sequence[str]:
    # Where the kernel has AppArmor the daemon loads a profile, and cannot without its parser.
    confined = _APPARMOR.exists() and _APPARMOR.read_text().startswith("Y")
    return (*_SYSTEM_PACKAGES, "apparmor") if confined else _SYSTEM_PACKAGES


def _is_installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Keep Debian from starting the daemon that it installs: policy-rc.d says 101, never."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _install_suite(cache: Path, suite: str, packages: Sequence[str]) -> None:
    with _new_tree(cache / suite / "root", packages, suite) as apt:
        if apt is None:
            return
        apt.run("download", *packages)
        apt.unpack()
        _check_programs(apt.tree, suite)


def _install_base(cache: Path) -> None:
    """Unpack, and configure nothing: Python needs no more, and it takes seconds."""
    with _new_tree(_base(cache), _BASE_PACKAGES, _BASE_SUITE) as apt:
        if apt is None:
            return
        nothing = apt.folder / "status"
        nothing.touch()  # nothing is installed, so everything that is needed gets downloaded
        apt.options["Dir::State::status"] = nothing
        apt.run("--yes", "--no-install-recommends", "--download-only", "install", *_BASE_PACKAGES)
        for name in ("bin", "lib", "lib64", "sbin"):
            (apt.tree / "usr" / name).mkdir(parents=True)
            (apt.tree / name).symlink_to(f"usr/{name}")  # else the packages make a folder
        apt.unpack()
        for name in ("doc", "locale", "man"):
            shutil.rmtree(apt.tree / "usr/share" / name)


@contextmanager
def _new_tree(tree: Path, packages: Sequence[str], suite: str) -> Iterator["_PrivateApt | None"]:
    """Let a tree be made beside its place, and move it there when all went well.

    Yields None where the tree is there already: one that exists is whole.
    """
    if tree.exists():
        yield None
        return
    _say(f"unpacking {' '.join(packages)} of {suite} into {tree}")
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent) as name:
        apt = _PrivateApt(Path(name), suite)
        yield apt
        apt.tree.rename(tree)


class _PrivateApt:
    """Downloads packages of a suite into `folder`, with an apt state inside it of its own."""

    def __init__(self, folder: Path, suite: str) -> None:
        self.folder = folder
        self.tree = folder / "root"
        self.tree.mkdir(mode=0o755)
        sources = folder / "sources.list"
        signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
        sources.write_text(f"deb {signed}{_mirror()} {suite} main\n")
        (folder / "state/lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        self.options: dict[str, Path | str] = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "-",
            "Dir::State": folder / "state",
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",  # the folder is closed to the user _apt
        }
        self.run("update")

    def run(self, *words: str) -> None:
        """Run apt-get in the folder."""
        options = [word for key, value in self.options.items() for word in ("-o", f"{key}={value}")]
        _run(["apt-get", "-q", *options, *words], cwd=self.folder)

    def unpack(self) -> None:
        """Unpack every package that was downloaded into the tree."""
        for archive in sorted(self.folder.rglob("*.deb")):
            _run(["dpkg", "-x", str(archive), str(self.tree)])


def _mirror() -> str:
    """Where this machine's apt finds the release it runs: the same place has the other suites."""
    release = _codename()
    fields = "$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT) $(ORIGIN)"
    for _ in range(2):
        for line in _run(["apt-get", "indextargets", "--format", fields]).splitlines():
            match line.split():
                case [uri, suite, codename, "main", "Debian"] if release in {suite, codename}:
                    return uri
        _update()  # the origin is known only from a downloaded index
    raise EngineError(f"apt has no source of Debian {release} main, whose mirror could be used")


def _update() -> None:
    """Renew apt's lists; where that fails (another apt runs), what follows says what is missing."""
    with suppress(EngineError):
        _run(["apt-get", "-q", "update"])


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise EngineError("/etc/os-release names no VERSION_CODENAME: not a Debian release")


def _check_programs(tree: Path, suite: str) -> None:
    """Make sure each vital program runs; where the system's must stand in, drop the suite's."""
    for program in _VITAL:
        own = [path for part in ("sbin", "bin") if (path := tree / "usr" / part / program).exists()]
        if own and _runs(own[0]):
            continue
        if not (substitute := shutil.which(program, path=_SYSTEM_PATH)) or program != "runc":
            raise EngineError(f"{program} of {suite} does not run here (try: ldd {program})")
        _say(f"{program} of {suite} does not run here, using {substitute}")
        for path in reversed(own):  # bin/runc is a link to sbin/runc
            path.unlink()


def _runs(program: Path) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise EngineError(
            f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def _say(line: str) -> None:
    sys.stderr.write(f"engines: {line}\n")


def main(arguments: Sequence[str]) -> int:
    """Carry out `install` or `list`: 0 when what is wanted is there, 1 when not, 2 for misuse."""
    match list(arguments):
        case ["list"]:
            more: list[str] = []
        case ["install", *more] if set(more) <= {*NAMES, *MORE}:
            try:
                install([name for name in more if name in MORE])
            except EngineError as error:
                _say(f"FAILED: {error}")
        case _:
            _say(f"usage: engines.py install [{'|'.join(MORE)}]|list")
            return 2
    found, missing = survey()
    for engine in found.values():
        sys.stdout.write(f"{engine.name}  {engine.version}  {engine.dockerd}\n")
    wanted = [name for name in missing if name in {*NAMES, *more, OWN}]
    for name in wanted:
        _say(f"MISSING: engine {name}: {missing[name]}")
        _say(
            f"MISSING: no end-to-end test can run on {name}; as root: tests/e2e/engines.py install"
        )
    return 1 if wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
