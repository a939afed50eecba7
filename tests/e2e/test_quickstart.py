"""`deploy/quickstart` from a clean copy of this checkout, and what it tells people to type."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from authz.cli.options import DENIED
from tests.e2e.conftest import Daemons, short_folder
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import POLICIES, call
from tests.e2e.sandbox import wait_for

ROOT = POLICIES.parent
DEBIANS_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Trial:
    """A copy of the checkout, and the folder of one trial."""

    copy: Path
    folder: Path

    def run(
        self, *words: str | Path, path: str = DEBIANS_PATH, cwd: Path | None = None, **options
    ) -> subprocess.CompletedProcess[str]:
        """Run the script and return what it said; it is given two minutes for a first time."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return subprocess.run(
            [self.copy / "deploy/quickstart", *words],
            cwd=cwd,
            env={
                "PATH": path,
                "HOME": os.environ.get("HOME", "/"),
                **pip,
                **options.pop("env", {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    def start(self, **options) -> str:
        """Start, and return the text that follows."""
        done = self.run(self.folder, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def pid(self) -> int:
        """The gate's process."""
        return int((self.folder / "pid").read_text())

    def answers(self) -> bool:
        """Whether both sockets do."""
        activated = call(self.folder / "dockgate.sock", "POST", "/Plugin.Activate", b"").json()
        health = call(self.folder / "admin.sock", "GET", "/healthz").status
        return (activated, health) == ({"Implements": ["authz"]}, 200)


@pytest.fixture(scope="session")
def copy() -> Iterator[Path]:
    """Copy what git knows or would take, under a name that needs quoting."""
    if os.geteuid() != 0:
        pytest.skip("root is needed: it installs what is missing")
    top = short_folder()
    top.chmod(0o755)
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (top / "a copy" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, top / "a copy" / name)
    yield top / "a copy"
    shutil.rmtree(top)


@pytest.fixture
def trial(copy: Path) -> Iterator[Trial]:
    """Give a trial a folder of its own, under a name that needs quoting, and stop it."""
    top = short_folder()
    made = Trial(copy, top / "a trial")
    yield made
    made.run("stop", made.folder)
    shutil.rmtree(top)


def commands(said: str) -> list[str]:
    """Return the lines that people are told to type."""
    after = said[said.index("Dockgate runs as process") :]
    lines = [line.strip() for line in after.splitlines() if line.startswith("  ")]
    return [line for line in lines if not line.startswith('"')]


def reloads(daemon: Dockerd) -> int:
    """Count how often the daemon read its settings again; its own API does not show them."""
    return daemon.log.read_bytes().count(b"Reloaded configuration")


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to take notice."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and bool(command.read_bytes())


def test_it_starts_without_a_daemon(trial):
    """One command installs, checks, starts, warns, and says what comes next."""
    said = trial.start()

    assert trial.answers()
    assert "WARNING: everybody who can reach the daemon's socket is user:anonymous" in said
    assert '"authorization-plugins": ["dockgate"]' in said
    assert trial.folder.stat().st_mode & 0o777 == 0o700


def test_a_second_start_keeps_policy_and_record(trial):
    """It replaces the gate, also one that was killed and left its sockets."""
    trial.start()
    first = trial.pid
    with (trial.folder / "policy/people.csv").open("a") as file:
        file.write("# mine\n")
    (trial.folder / "audit.jsonl").write_text("{}\n")

    trial.start()
    second = trial.pid
    os.kill(second, signal.SIGKILL)
    trial.start()

    assert len({first, second, trial.pid}) == 3
    assert not alive(first)
    assert (trial.folder / "policy/people.csv").read_text().endswith("# mine\n")
    assert (trial.folder / "audit.jsonl").read_text().startswith("{}\n")
    assert trial.answers()


def test_stop_ends_what_was_started_and_nothing_else(trial):
    """A relative folder means the same; sockets go away; a second stop finds nothing."""
    trial.start()
    pid = trial.pid

    stopped = trial.run("stop", trial.folder.name, cwd=trial.folder.parent)
    again = trial.run("stop", trial.folder)

    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "Stopped.\n", "")
    assert not alive(pid)
    assert not list(trial.folder.glob("*.sock"))
    assert (again.returncode, again.stdout) == (0, f"Nothing runs in {trial.folder}.\n")


def test_a_broken_policy_leaves_the_running_gate_alone(trial):
    """Every problem is printed, and the gate that runs goes on with the policy it has."""
    trial.start()
    pid = trial.pid
    with (trial.folder / "policy/policy.csv").open("a") as file:
        file.write("nonsense\n")

    refused = trial.run(trial.folder)

    assert refused.returncode == 1
    assert 'row type is "nonsense"' in refused.stdout + refused.stderr
    assert trial.pid == pid
    assert trial.answers()


@pytest.mark.parametrize(("name", "said"), [("x" * 100, "too long"), ('a"b', "a quote")])
def test_a_folder_that_cannot_hold_a_socket_is_refused(name, said, trial):
    """Before anything is made."""
    refused = trial.run(trial.folder / name)

    assert refused.returncode == 1
    assert said in refused.stderr
    assert not trial.folder.exists()


def test_without_root_it_shows_decisions_only(trial):
    """Everything works but to guard the daemon, which it does not offer."""
    trial.start()  # root made the environment
    trial.run("stop", trial.folder)
    shutil.rmtree(trial.folder)
    trial.folder.parent.chmod(0o755)
    mine = trial.folder.parent / "mine"
    mine.mkdir()
    os.chown(mine, NOBODY, NOBODY)

    said = trial.run(mine, user=NOBODY, group=NOBODY, extra_groups=[])
    theirs = Trial(trial.copy, mine)
    answers = theirs.answers()
    stopped = trial.run("stop", mine, user=NOBODY, group=NOBODY, extra_groups=[])

    assert said.returncode == 0, said.stderr
    assert answers
    assert "run this as root to guard it" in said.stdout
    assert "/etc/docker" not in said.stdout
    assert stopped.stdout == "Stopped.\n"


def test_a_folder_of_somebody_else_is_refused(trial):
    """Whoever owns it could change the policy; the usual one in /tmp has a name to guess."""
    trial.folder.mkdir()
    os.chown(trial.folder, NOBODY, NOBODY)

    refused = trial.run(trial.folder)

    assert refused.returncode == 1
    assert "belongs to somebody else" in refused.stderr


def test_what_it_says_to_type_works(trial: Trial, daemons: Daemons) -> None:
    """Line by line: the trial without a daemon, the switch on, both runs, and the switch off."""
    daemon = daemons()
    path = daemon.engine.path
    daemon.start()
    said = trial.start(path=path, env={"DOCKGATE_DAEMON": f"unix://{daemon.socket}"})
    try_allowed, try_denied, folder, link, hup, run, run_privileged, *rest = commands(said)
    off, remove, stop, explain, check, reload = rest
    assert link.endswith(" /run/docker/plugins/")  # where an installed gate is found as well

    def here(line: str) -> int:
        return subprocess.run(["bash", "-c", line], env={"PATH": path}, check=False).returncode

    def there(line: str) -> subprocess.CompletedProcess[str]:
        return daemon.enter("env", f"PATH={path}", "bash", "-c", line, check=False)

    def switch(line: str, plugins: list[str]) -> bool:
        daemon.configure({"authorization-plugins": plugins})
        before = reloads(daemon)
        there(line)
        return wait_for(lambda: reloads(daemon) > before, 10)

    assert (here(try_allowed), here(try_denied)) == (0, DENIED)
    assert (there(folder).returncode, there(link).returncode) == (0, 0)
    assert switch(hup, ["dockgate"])
    assert there(run).stdout == "hello\n"
    refused = there(run_privileged).stderr
    assert "dockgate: denied: privileged:true" in refused
    assert here(explain.replace(" ID ", f" {refused.split('request ')[1][:26]} ")) == 0
    assert (here(check), here(reload)) == (0, 0)
    assert switch(off, [])
    assert (there(remove).returncode, here(stop)) == (0, 0)
    assert there(run_privileged).returncode == 0
