"""Fixtures for tests against a real dockerd: an engine, a daemon, more daemons, certificates.

A test that uses `engine` (every fixture here but `certificates` does) runs once per engine and is
marked e2e. Where an engine cannot be had it is skipped, and the summary says so; with CI=true it
fails.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from warnings import WarningMessage

import pytest
import trustme

from tests.e2e import engines, images
from tests.e2e.daemon import Dockerd

_MEMORY = Path("/dev/shm")  # noqa: S108  folders in it get names that nobody can guess
_ROOM = 2 << 30  # bytes; the tests of the image take half a gigabyte
_absent = pytest.StashKey[dict[str, str]]()


class EngineMissingWarning(UserWarning):
    """Tests were skipped for want of an engine: what they prove is not proved here."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs an engine."""
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the log of each daemon that a failed test used."""
    report = yield
    if report.failed:
        made = [
            daemon for value in getattr(item, "funcargs", {}).values() for daemon in _made(value)
        ]
        for daemon in dict.fromkeys(made):
            report.sections.append((f"log of dockerd {daemon.root}", daemon.log_tail()))
    return report


def _made(fixture: object) -> Sequence[Dockerd]:
    return fixture.made if isinstance(fixture, Daemons) else ()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which engines were not tested, in a place that nobody overlooks."""
    for reason in terminalreporter.config.stash.get(_absent, {}).values():
        terminalreporter.write_sep("!", f"NOT TESTED: {reason}", red=True, bold=True)


@pytest.fixture(scope="session", params=engines.chosen())
def engine(request: pytest.FixtureRequest) -> engines.Engine:
    """Each Docker engine in turn."""
    name: str = request.param
    found, missing = engines.survey() if os.geteuid() == 0 else ({}, {name: "root is needed"})
    if name in found:
        return found[name]
    why = missing.get(name) or missing.get(engines.OWN, f"{engines.OWN} names no folder of it")
    reason = f"no Docker engine {name}: {why} (tests/e2e/engines.py install)"
    if os.environ.get("CI") == "true" and name in engines.chosen():
        pytest.fail(reason)
    _warn(request.config, reason)
    request.config.stash.setdefault(_absent, {})[name] = reason
    pytest.skip(reason)


def _warn(config: pytest.Config, reason: str) -> None:
    """Add to pytest's list of warnings; `warnings.warn` would be an error under our filters."""
    warning = WarningMessage(EngineMissingWarning(reason), EngineMissingWarning, __file__, 1)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": warning, "when": "runtest", "nodeid": "", "location": None}
    )


@pytest.fixture(scope="session")
def image_store(engine: engines.Engine) -> Iterator[Path]:
    """Make a data root with `images.ORDINARY`, once: to copy it takes no time."""
    with Dockerd(engine, short_folder()) as daemon:
        images.load(daemon)
        daemon.stop()
        yield daemon.data


@pytest.fixture(scope="module")
def module_daemons(engine: engines.Engine, image_store: Path) -> Iterator["Daemons"]:
    """Make daemons that live until the module's last test."""
    with ExitStack() as stack:
        yield Daemons(engine, image_store, stack)


@pytest.fixture
def daemons(engine: engines.Engine, image_store: Path) -> Iterator["Daemons"]:
    """Make daemons that live until the test's end."""
    with ExitStack() as stack:
        yield Daemons(engine, image_store, stack)


@pytest.fixture(scope="module")
def dockerd(module_daemons: "Daemons") -> Dockerd:
    """Run a daemon without plugins, with `images.ORDINARY`, for all tests of the module."""
    daemon = module_daemons()
    daemon.start()
    return daemon


@dataclass(frozen=True, slots=True)
class Daemons:
    """Makes daemons that are not started yet, so that a plugin's socket can be there before.

    Each holds `images.ORDINARY` already, without any plugin having been asked. All are closed with
    the fixture.
    """

    engine: engines.Engine
    image_store: Path
    stack: ExitStack
    made: list[Dockerd] = field(default_factory=list)

    def __call__(self, authz: Sequence[str] = (), **extra: object) -> Dockerd:
        """Make one; `extra` are keys of daemon.json with `_` for `-`: `live_restore=True`."""
        settings = {key.replace("_", "-"): value for key, value in extra.items()}
        daemon = Dockerd(self.engine, short_folder(), authz, settings)
        self.stack.callback(daemon.close)
        self.made.append(daemon)
        subprocess.run(["cp", "-a", f"{self.image_store}/.", daemon.data], check=True)
        return daemon


def short_folder() -> Path:
    """Make a folder; not in pytest's tmp_path, where the path of a unix socket would be too long.

    In memory where there is room: a daemon's data are thousands of files that are soon gone.
    """
    return Path(tempfile.mkdtemp(prefix="dg-", dir=_MEMORY if _memory_is_roomy() else None))


def _memory_is_roomy() -> bool:
    if not _MEMORY.is_mount() or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(_MEMORY).free > _ROOM


@dataclass(frozen=True, slots=True)
class Certificates:
    """One authority, and folders of the files that `dockerd` and `docker` expect."""

    authority: trustme.CA
    folder: Path

    def server(self) -> Mapping[str, object]:
        """Issue, and return keys of daemon.json: TLS on 127.0.0.1:2376 beside the unix socket."""
        files = self.server_files()
        return {
            "hosts": ["unix:///run/docker.sock", "tcp://127.0.0.1:2376"],
            "tls": True,
            "tlsverify": True,
            "tlscacert": str(files / "ca.pem"),
            "tlscert": str(files / "cert.pem"),
            "tlskey": str(files / "key.pem"),
        }

    def server_files(self) -> Path:
        """Issue, and return the folder of a server on 127.0.0.1."""
        return self._write("server", self.authority.issue_cert("127.0.0.1", "localhost"))

    def client(self, common_name: str) -> Path:
        """Issue, and return the folder for `Dockerd.docker(tls=...)`."""
        issued = self.authority.issue_cert("client@example.com", common_name=common_name)
        return self._write("client", issued)

    def _write(self, name: str, issued: trustme.LeafCert) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        for pem in issued.cert_chain_pems:
            pem.write_to_path(folder / "cert.pem", append=True)
        return folder


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make an authority for all tests of a run."""
    return Certificates(trustme.CA(), tmp_path_factory.mktemp("certificates"))
