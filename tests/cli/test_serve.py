"""``dockgate serve`` as a process: how it starts, how it ends, and what it leaves behind."""

import asyncio
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import structlog

from authz.cli import serve
from authz.cli.main import main
from tests.builders import DAEMON
from tests.fakes import wait_for
from tests.policies import TEN_MISTAKES, a_bundle
from tests.policy.models.samples import files_of

ROWS = (
    "p, *, *, system.ping, on:host, *, allow\n"
    "p, *, *, container.create, on:new|image:**, *, allow\n"
)
PING = {"RequestMethod": "GET", "RequestUri": "/_ping"}
CREATE = {
    "RequestMethod": "POST",
    "RequestUri": "/v1.41/containers/create",
    "RequestHeaders": {"Content-Type": "application/json", "Content-Length": "17"},
    "RequestBody": "eyJJbWFnZSI6Im5naW54In0=",
}
QUESTION = "/AuthZPlugin.AuthZReq"
DECISIONS = 1000
CALLERS = 4


@dataclass
class Site:
    """A service that could be started: its files lie in one folder."""

    folder: Path
    more: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write policy and settings."""
        self.plugin, self.admin = self.folder / "plugin.sock", self.folder / "admin.sock"
        self.audit, self.settings = self.folder / "audit.jsonl", self.folder / "dockgate.toml"
        self.policy = a_bundle(self.folder / "policy", policy=ROWS, people="")
        self.write()

    def write(self, more: str = "") -> None:
        """Write the settings; ``more`` stands before the tables."""
        self.settings.write_text(
            f'policy = "policy"\ndaemon = "unix://{self.folder}/docker.sock"\n{more}\n'
            f'[plugin]\nsocket = "plugin.sock"\n[audit]\npath = "audit.jsonl"\n'
            f'[admin]\naddress = "unix://{self.admin}"\n'
        )

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "authz", "serve", "--config", str(self.settings)]

    def launch(self, command: list[str] | None = None, **options) -> subprocess.Popen[bytes]:
        """Start, and wait for nothing."""
        with (self.folder / "log").open("ab") as log:
            options = {"stdout": subprocess.DEVNULL, "stderr": log} | options
            process = subprocess.Popen(
                command or self.command,
                stdin=subprocess.DEVNULL,
                env=os.environ | self.environ,
                **options,
            )
        self.processes.append(process)
        return process

    def start(self, command: list[str] | None = None, **options) -> subprocess.Popen[bytes]:
        """Start, and wait until both doors answer."""
        process = self.launch(command, **options)
        wait_for(lambda: self.answers() or process.poll() is not None)
        assert process.poll() is None, self.log
        return process

    def answers(self) -> bool:
        """Say whether the operator's door, which opens last, answers."""
        try:
            return self.ask(self.admin, "GET", "/healthz")[0] == 200
        except OSError:
            return False

    def ask(self, path: Path, method: str, target: str, body: object = None):
        """Send one request, and return status and document."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(10)
            sock.connect(str(path))
            client = HTTPConnection("localhost")
            client.sock = sock
            client.request(method, target, json.dumps(body) if body is not None else None)
            response = client.getresponse()
            return response.status, json.loads(response.read())

    def question(self, document: object) -> dict[str, object]:
        """Put one question as the daemon does."""
        found: dict[str, object] = self.ask(self.plugin, "POST", QUESTION, document)[1]
        return found

    def fails(self, command: list[str] | None = None) -> tuple[int, str]:
        """Start, and return how it ended and what it said; it must leave nothing behind."""
        process = self.launch(command)
        status = process.wait(15)
        assert self.leftovers() == set()
        return status, self.log

    @property
    def log(self) -> str:
        """What it said on standard error."""
        return (self.folder / "log").read_text()

    def records(self) -> list[dict[str, object]]:
        """Read the audit file; a line that is no JSON is an error."""
        found = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [record for record in found if record["kind"] == "decision"]

    def leftovers(self) -> set[str]:
        """Return the sockets that lie about."""
        return {path.name for path in self.folder.iterdir() if path.is_socket()}


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    """Return a site; what it started is ended."""
    made = Site(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


# --- a policy that does not load -----------------------------------------------------------------

PLACES = {
    ("bundle.toml", 1, 18): "sockets",
    ("people.csv", 2, 1): "take away one of the rows",
    ("people.csv", 3, 4): "user:alice",
    ("policy.csv", 1, 1): "save the file as UTF-8 without a byte-order mark",
    ("policy.csv", 2, 46): "allow",
    ("policy.csv", 3, 1): "p, role:dev, *, container.create, image:**, *, allow",
    ("policy.csv", 4, 35): "bind",
    ("policy.csv", 5, 17): "container.create",
    ("policy.csv", 6, 25): "/run/docker.sock",
    ("policy.csv", 7, 28): "door",
}
"""Where each of the ten mistakes stands, and what is suggested."""


def told(text: str) -> dict[tuple[str, int, int], str]:
    """Read places and suggestions from what a command printed."""
    found = {}
    for block in text.split("\n\n"):
        place = re.search(r"([a-z.]+):(\d+):(\d+): ", block)
        suggestion = re.search(r"^  try: (.*)$", block, re.MULTILINE)
        if place and suggestion:
            found[place[1], int(place[2]), int(place[3])] = suggestion[1]
    return found


def test_serve_refuses_a_policy_with_ten_mistakes(site):
    """All ten are printed, with place and suggestion, and no socket was ever there."""
    a_bundle(site.policy, files=TEN_MISTAKES)

    status, said = site.fails()

    found = told(said)
    assert status == 2
    assert found.keys() == PLACES.keys()
    assert all(hint in found[place] for place, hint in PLACES.items())
    assert "the policy does not load" in said
    assert not site.audit.exists()


def test_a_policy_of_a_listener_is_told_by_its_own_name(site):
    """Not by that of the service, which is in order."""
    with site.settings.open("a") as settings:
        settings.write(
            f'[[proxy.listen]]\naddress = "unix://{site.folder}/proxy.sock"\n'
            'identity = ["peer"]\npolicy = "nope"\n'
        )

    status, said = site.fails()

    assert status == 2
    assert f"{site.folder}/nope: the policy folder does not exist\n" in said
    assert str(site.policy) not in said


def test_no_file_gets_the_number_of_a_closed_stream(site):
    """What the interpreter says on its way down would stand in the record."""
    process = site.start(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *site.command])

    open_files = Path("/proc", str(process.pid), "fd")
    streams = [str((open_files / str(number)).readlink()) for number in range(3)]
    process.terminate()

    assert streams == [os.devnull] * 3
    assert process.wait(15) == 0


def test_check_tells_the_same_ten_mistakes(site):
    """In one run, for a person and for a program."""
    a_bundle(site.policy, files=TEN_MISTAKES)
    check = [sys.executable, "-m", "authz", "check", str(site.policy)]

    person = subprocess.run(check, capture_output=True, text=True, check=False, timeout=15)
    program = subprocess.run(
        [*check, "--json"], capture_output=True, text=True, check=False, timeout=15
    )

    found = told(person.stdout + person.stderr)
    problems = json.loads(program.stdout)
    assert (person.returncode, program.returncode) == (1, 1)
    assert found.keys() == PLACES.keys()
    assert all(hint in found[place] for place, hint in PLACES.items())
    assert {(Path(p["file"]).name, p["line"], p["column"]) for p in problems} == PLACES.keys()
    assert all(problem["suggestion"] for problem in problems)


# --- other starts that fail ----------------------------------------------------------------------


def test_a_setting_that_is_none_is_named(site):
    """Exit status 2 says that the configuration is at fault."""
    site.write('polcy = "x"')

    status, said = site.fails()

    assert (status, "polcy is not a setting" in said) == (2, True)


def test_a_daemon_that_is_no_address_is_named(site):
    """Found before anything answers."""
    site.environ["DOCKGATE_DAEMON"] = "unix:///"

    status, said = site.fails()

    assert (status, "daemon is 'unix:///'" in said) == (2, True)


def test_an_audit_file_that_cannot_be_opened_is_named(site):
    """What cannot be recorded cannot be served."""
    site.audit.mkdir()

    status, said = site.fails()

    assert (status, "audit.jsonl: cannot be opened" in said) == (2, True)


def test_a_socket_that_is_in_use_stays_with_its_owner(site):
    """The plugin's socket, made a moment before, goes away again; so does the lock."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(site.admin))
        other.listen()
        status = site.launch().wait(15)

        assert (status, site.leftovers()) == (2, {"admin.sock"})
    assert "admin.sock: another process listens here" in site.log
    site.admin.unlink()
    site.start()


def test_a_second_service_does_not_take_the_first_ones_place(site):
    """The one that answers keeps its sockets and its file."""
    first = site.start()

    second = site.launch()

    assert second.wait(15) == 2
    assert "another process is writing to it" in site.log
    assert site.question(PING)["Allow"] is True
    assert first.poll() is None


ACTIVATED = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind({path!r})
sock.listen()
os.chmod({path!r}, 0o600)
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update({variables!r}, LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, {command!r})
"""


def activating(site: Site, path: Path, **variables: str) -> list[str]:
    """Return a command that passes a socket as systemd does."""
    script = ACTIVATED.format(path=str(path), variables=variables, command=site.command)
    return [sys.executable, "-c", script]


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "dockgate.socket"}, "is not known"),
        ({"LISTEN_FDS": "one", "LISTEN_FDNAMES": "plugin"}, "expected a number"),
        ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "plugin"}, "names 1 descriptors"),
        ({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "admin"}, "listens on"),
    ],
)
def test_a_descriptor_that_does_not_fit_stops_the_start(site, variables, problem):
    """A socket that nobody answers on would hang the daemon."""
    path = site.folder / "unit.sock"

    status = site.launch(activating(site, path, **variables)).wait(15)

    assert (status, site.leftovers()) == (2, {"unit.sock"})
    assert problem in site.log


def test_a_socket_of_systemd_is_answered_on_and_left(site):
    """Who made it removes it."""
    variables = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "plugin"}
    process = site.start(activating(site, site.plugin, **variables))

    assert site.question(PING)["Allow"] is True
    process.terminate()
    assert process.wait(10) == 0
    assert site.leftovers() == {"plugin.sock"}


# --- a service that runs -------------------------------------------------------------------------


def test_the_sockets_are_private_from_their_first_moment(site):
    """Even where the service starts without any umask."""
    modes: set[int] = set()
    process = site.launch(umask=0)

    answers = False
    while process.poll() is None and not answers:
        answers = site.answers()
        for path in (site.plugin, site.admin):
            try:
                modes.add(stat.S_IMODE(path.stat().st_mode))
            except FileNotFoundError:
                continue

    assert modes == {0o600}
    assert stat.S_IMODE(site.audit.stat().st_mode) == 0o600


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_leaves_nothing_behind(site, how):
    """Exit status 0, and every line of the log is JSON."""
    process = site.start()
    assert site.question({"RequestMethod": "GET", "RequestUri": "/none"})["Allow"] is False

    process.send_signal(how)

    assert process.wait(10) == 0
    assert site.leftovers() == set()
    events = [json.loads(line)["event"] for line in site.log.splitlines()]
    assert events == ["service.started", "request.refused", "service.stopped"]


OWN = "p, user:anonymous, system.ping, on:host, allow\n"
OWN_DENY = "# no-lists: not here\np, user:anonymous, container.list, on:list, deny\n"


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_a_bundle_with_its_own_model_is_served(site, mode):
    """It judges, is read again, is recorded, and in shadow mode nothing of it is enforced."""
    a_bundle(site.policy, **files_of({"rows": OWN}))
    site.write(f'mode = "{mode}"')
    process = site.start()
    listing = {"RequestMethod": "GET", "RequestUri": "/v1.41/containers/json"}
    questions = [PING, listing, {"RequestMethod": "GET", "RequestUri": "//info"}]

    allowed = [site.question(each)["Allow"] for each in questions]
    (site.policy / "policy.csv").write_text(OWN + OWN_DENY)
    assert site.ask(site.admin, "POST", "/reload")[0] == 200
    allowed.append(site.question(listing)["Allow"])
    process.terminate()

    assert process.wait(10) == 0
    shadow = mode == "shadow"
    assert allowed == [True, shadow, False, shadow]
    records = [each for each in site.records() if each["door"] == "plugin"]
    assert [each["verdict"] for each in records] == ["allow", "deny", "refuse", "deny"]
    assert [each["enforced"] for each in records] == [True, not shadow, True, not shadow]
    assert records[-1]["facts"][0]["row"] == "no-lists"


def test_signals_during_the_start_leave_nothing_behind(site):
    """SIGHUP waits for its turn, SIGTERM ends it, wherever the start has come to."""
    process = site.launch()
    wait_for(lambda: site.audit.exists() or process.poll() is not None)
    process.send_signal(signal.SIGHUP)
    process.terminate()

    assert process.wait(10) == 0
    assert site.leftovers() == set()


def test_what_is_being_answered_is_finished(site):
    """A stop waits for the look-up that a question waits for."""
    looked_up, go = threading.Event(), threading.Event()
    daemon = threading.Thread(target=scripted_daemon, args=(site.folder, looked_up, go))
    daemon.start()
    process = site.start()
    answers: list[dict[str, object]] = []
    asking = threading.Thread(target=lambda: answers.append(site.question(CREATE)))
    asking.start()

    assert looked_up.wait(10)
    process.terminate()
    time.sleep(0.1)
    running = process.poll() is None
    go.set()
    asking.join(10)

    assert process.wait(10) == 0
    daemon.join(10)
    assert running
    assert answers == [{"Allow": True, "Msg": "", "Err": ""}]
    assert [record["verdict"] for record in site.records()] == ["allow"]


def scripted_daemon(folder: Path, looked_up: threading.Event, go: threading.Event) -> None:
    """Answer look-ups, those for images when it may, until they end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "docker.sock"))
        listening.listen()
        listening.settimeout(10)
        threads = []
        while not go.is_set():
            sock, _ = listening.accept()
            threads.append(threading.Thread(target=answer_lookups, args=(sock, looked_up, go)))
            threads[-1].start()
            go.wait(0.2)
        for thread in threads:
            thread.join(10)
    (folder / "docker.sock").unlink()


def answer_lookups(sock: socket.socket, looked_up: threading.Event, go: threading.Event) -> None:
    """Hold one connection of the look-ups."""
    with sock, sock.makefile("rb") as file:
        while line := file.readline():
            target = line.split()[1].decode()
            while file.readline() != b"\r\n":
                pass
            status, document = 200, {**DAEMON, "ServerVersion": "26.1.5"}
            if target != "/info":
                looked_up.set()
                go.wait(10)
                status, document = 404, {"message": "No such image: nginx"}
            body = json.dumps(document).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode() + body)


def test_a_kill_loses_no_answered_decision(site):
    """Whatever was answered before the kill has its line; a torn line is cut at the next start."""
    process = site.start()
    refused: list[str] = []
    allowed: list[str] = []

    def ask(caller: int) -> None:
        for number in range(DECISIONS // CALLERS):
            target = "/_ping" if number % 2 else f"/none/{caller}/{number}"
            try:
                answer = site.question({"RequestMethod": "GET", "RequestUri": target})
            except (OSError, ValueError, HTTPException):
                return
            done = allowed if answer["Allow"] else refused
            done.append(str(answer["Msg"]).rsplit("request ", 1)[-1])

    callers = [threading.Thread(target=ask, args=(caller,)) for caller in range(CALLERS)]
    for caller in callers:
        caller.start()
    wait_for(lambda: len(refused) + len(allowed) >= DECISIONS // 2)
    process.kill()
    process.wait(10)
    for caller in callers:
        caller.join()
    with site.audit.open("ab") as file:
        file.write(b'{"id":"torn')
    again = site.start()
    records = site.records()
    again.terminate()

    assert again.wait(10) == 0
    assert DECISIONS // 2 <= len(refused) + len(allowed) < DECISIONS
    assert set(refused) <= {str(record["id"]) for record in records}
    assert len(allowed) <= sum(record["verdict"] == "allow" for record in records)
    assert "audit.torn_line_cut" in site.log


HURRIED = """
from authz.cli import serve
serve.LAST_MOMENT = 1
serve.command()
"""


def test_a_reader_of_the_audit_who_sleeps_does_not_hold_up_the_end(site):
    """Nothing is let through that was not recorded, and a stop is a stop."""
    site.environ |= {"DOCKGATE_AUDIT__PATH": "-", "DOCKGATE_CONFIG": str(site.settings)}
    process = site.start([sys.executable, "-c", HURRIED], stdout=subprocess.PIPE)
    answer: dict[str, object] = {"Allow": True}
    while answer["Allow"]:
        answer = site.question(PING)

    process.terminate()

    assert "audit_unavailable" in str(answer["Msg"])
    assert process.wait(10) == -signal.SIGALRM
    assert site.leftovers() == set()


# --- within this process -------------------------------------------------------------------------


@pytest.fixture
def inside(site, monkeypatch) -> Iterator[Callable[[], int]]:
    """Return a way to run the command here, with everything of the process put back."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    umask = os.umask(0o022)

    def run() -> int:
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        with pytest.raises(SystemExit) as ended:
            main(["serve", "--config", str(site.settings)], standalone_mode=False)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    yield run
    signal.alarm(0)
    os.umask(umask)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    structlog.reset_defaults()


def test_a_stop_ends_with_zero(site, inside, monkeypatch):
    """The same as above, on a loop under which lines can be counted."""
    monkeypatch.setattr(serve.uvloop, "run", asyncio.run)

    def stop() -> None:
        wait_for(site.answers)
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    status = inside()
    stopping.join()

    assert status == 0
    assert 0 < signal.alarm(0) <= serve.LAST_MOMENT


def test_a_broken_policy_ends_with_two(site, inside, capfd):
    """All problems on standard error."""
    a_bundle(site.policy, files=TEN_MISTAKES)

    assert inside() == 2
    assert told(capfd.readouterr().err).keys() == PLACES.keys()


def test_a_wrong_setting_ends_with_two(site, inside, capfd):
    """The message names it."""
    site.write('mode = "dream"')

    assert inside() == 2
    assert "mode is 'dream'" in capfd.readouterr().err


def test_a_defect_ends_with_one_and_a_line_in_the_log(site, inside, monkeypatch, capfd):
    """Not with a bare traceback; and nothing is left behind."""

    async def broken(_ground):
        raise ZeroDivisionError

    monkeypatch.setattr(serve, "run", broken)

    assert inside() == 1
    line, last = capfd.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], "ZeroDivisionError" in event["exception"]) == ("service.failed", True)
    assert last.startswith("dockgate: the service failed")
    assert site.leftovers() == set()


def test_a_signal_during_the_start_waits_for_its_end(site, inside, monkeypatch):
    """And then ends the service as any other does."""
    opened = serve.opened

    def interrupted(settings):
        signal.raise_signal(signal.SIGTERM)  # to this thread: those of other tests block nothing
        return opened(settings)

    monkeypatch.setattr(serve, "opened", interrupted)

    assert inside() == 0
    assert site.leftovers() == set()
