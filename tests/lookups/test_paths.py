"""Where host paths lead: links, what is missing, and paths that hang."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from authz.errors import LookupFailedError
from authz.facts.questions import MISSING, Question, Topic
from authz.lookups import paths
from authz.lookups.paths import MOST_LINKS, PathLookups, real_path

ROOT = Path("/")


def about(path: Path | str) -> Question:
    """Return the question where a path leads."""
    return Question(Topic.PATH, str(path))


@pytest.fixture
def hanging(monkeypatch):
    """Let every path hang, as on a network file system that is gone, until the test ends."""
    released = threading.Event()
    begun = threading.Semaphore(0)

    def hang(path, _host_root):
        begun.release()
        released.wait(5)
        return {"path": path}

    monkeypatch.setattr(paths, "real_path", hang)
    yield begun
    released.set()


def test_a_plain_path_is_itself(tmp_path):
    """Without links a path leads where it says."""
    answer = real_path(str(tmp_path), ROOT)

    assert answer == {"path": str(tmp_path)}


def test_a_link_leads_to_its_target(tmp_path):
    """The last part counts like every other one."""
    (tmp_path / "link").symlink_to("/etc")

    answer = real_path(f"{tmp_path}/link", ROOT)

    assert answer == {"path": "/etc"}


def test_links_lead_on(tmp_path):
    """A link may lead to a link, upwards, and in the middle of a path."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").symlink_to("a/b/two")
    (tmp_path / "a" / "b" / "two").symlink_to("./../../target/")
    (tmp_path / "target" / "inner").mkdir(parents=True)

    answer = real_path(f"{tmp_path}/one/inner", ROOT)

    assert answer == {"path": f"{tmp_path}/target/inner"}


def test_nothing_is_above_the_root(tmp_path):
    """As for the kernel, the folder above the root is the root."""
    (tmp_path / "up").symlink_to("../" * 50 + "etc")

    answer = real_path(f"{tmp_path}/up", ROOT)

    assert answer == {"path": "/etc"}


def test_the_root_is_a_path(tmp_path):
    """A bind of everything is answered like any other."""
    (tmp_path / "all").symlink_to("/")

    answers = (real_path("/", ROOT), real_path(f"{tmp_path}/all", ROOT))

    assert answers == ({"path": "/"}, {"path": "/"})


def test_a_missing_path_without_links_is_missing(tmp_path):
    """The daemon would make it where it says."""
    answer = real_path(f"{tmp_path}/new/folder", ROOT)

    assert answer is MISSING


def test_links_before_a_missing_part_count(tmp_path):
    """The daemon makes the missing folder at the end of the links."""
    (tmp_path / "link").symlink_to("/etc")

    answer = real_path(f"{tmp_path}/link/new", ROOT)

    assert answer == {"path": "/etc/new"}


def test_a_dangling_link_leads_to_what_is_missing(tmp_path):
    """What is not there yet may be there when the daemon looks."""
    (tmp_path / "link").symlink_to("/no/such/folder")

    answer = real_path(f"{tmp_path}/link", ROOT)

    assert answer == {"path": "/no/such/folder"}


def test_what_is_below_a_file_is_missing(tmp_path):
    """A file has nothing in it."""
    (tmp_path / "file").touch()

    answer = real_path(f"{tmp_path}/file/inner", ROOT)

    assert answer is MISSING


def test_a_loop_is_a_failure(tmp_path):
    """It leads nowhere, and not to itself."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(LookupFailedError, match="Too many levels of symbolic links"):
        real_path(f"{tmp_path}/a/x", ROOT)


@pytest.mark.parametrize(("links", "leads"), [(MOST_LINKS, True), (MOST_LINKS + 1, False)])
def test_as_many_links_are_followed_as_the_kernel_follows(tmp_path, links, *, leads):
    """One more is a failure for it, and so it is here."""
    (tmp_path / "0").touch()
    for number in range(links):
        (tmp_path / str(number + 1)).symlink_to(str(number))
    path = f"{tmp_path}/{links}"

    assert os.path.exists(path) is leads  # noqa: PTH110  the kernel's own opinion
    if leads:
        assert real_path(path, ROOT) == {"path": f"{tmp_path}/0"}
    else:
        with pytest.raises(LookupFailedError, match="Too many levels"):
            real_path(path, ROOT)


def test_a_long_chain_of_links_is_a_failure(tmp_path):
    """Whoever makes thousands of links does not exhaust the stack."""
    for number in range(2000):
        (tmp_path / str(number)).symlink_to(str(number + 1))

    with pytest.raises(LookupFailedError, match="Too many levels"):
        real_path(f"{tmp_path}/0", ROOT)


def test_a_name_that_is_too_long_is_a_failure():
    """No file system holds it."""
    with pytest.raises(LookupFailedError, match="File name too long"):
        real_path("/" + "x" * 300, ROOT)


@pytest.mark.parametrize("path", ["", "etc", "./etc", "/a\0b"])
def test_only_absolute_paths_are_looked_at(path):
    """Anything else would count from our own working folder, or end early."""
    with pytest.raises(LookupFailedError, match="is not absolute"):
        real_path(path, ROOT)


def test_half_a_surrogate_pair_is_a_failure(tmp_path):
    """Go reads another character there; Python would look for a raw byte."""
    (tmp_path / "\udcff").symlink_to("/etc")

    with pytest.raises(LookupFailedError, match="surrogates not allowed"):
        real_path(f"{tmp_path}/\udcff", ROOT)


def test_a_link_to_what_is_not_unicode_is_a_failure(tmp_path):
    """No policy can name that place, and no fact can carry it."""
    (tmp_path / "link").symlink_to(os.fsdecode(b"/srv/\xff"))

    with pytest.raises(LookupFailedError, match="can't decode byte 0xff"):
        real_path(f"{tmp_path}/link", ROOT)


def test_other_scripts_are_read_as_utf8(tmp_path):
    """Whatever the locale of this process, the daemon's bytes are UTF-8."""
    (tmp_path / "tür").symlink_to("/etc")

    answer = real_path(f"{tmp_path}/tür", ROOT)

    assert answer == {"path": "/etc"}


def test_links_are_resolved_within_the_hosts_root(tmp_path):
    """In a container an absolute link counts from where the host's files are mounted."""
    (tmp_path / "srv").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "srv" / "link").symlink_to("/etc")
    (tmp_path / "srv" / "up").symlink_to("../../../../etc/new")

    answers = [real_path(path, tmp_path) for path in ("/srv/link", "/srv/up", "/srv", "/root")]

    assert answers == [{"path": "/etc"}, {"path": "/etc/new"}, {"path": "/srv"}, MISSING]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_cannot_be_looked_into_is_a_failure(tmp_path):
    """A link may hide there."""
    (tmp_path / "private" / "inner").mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o001)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from authz.errors import LookupFailedError\n"
        "from authz.lookups.paths import real_path\n"
        "os.setuid(65534)\n"
        "try:\n"
        "    print(real_path(sys.argv[1], Path('/')))\n"
        "except LookupFailedError as error:\n"
        "    print(error)\n"
    )

    told = subprocess.run(
        [sys.executable, "-B", "-c", script, f"{tmp_path}/private/inner"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert "private/inner': [Errno 13] Permission denied" in told.stdout


async def test_a_question_is_answered(tmp_path):
    """The thread brings the answer back to the loop."""
    (tmp_path / "link").symlink_to("/etc")
    lookups = PathLookups(host_root=ROOT)

    answer = await lookups.answer(about(tmp_path / "link"))

    assert answer == {"path": "/etc"}


async def test_the_hosts_root_is_used(tmp_path):
    """The setting reaches the walk."""
    (tmp_path / "link").symlink_to("/etc")
    lookups = PathLookups(host_root=tmp_path)

    answer = await lookups.answer(about("/link"))

    assert answer == {"path": "/etc"}


async def test_a_failure_in_the_thread_is_a_failure():
    """It crosses over as the same error."""
    lookups = PathLookups(host_root=ROOT)

    with pytest.raises(LookupFailedError, match="'etc' is not absolute"):
        await lookups.answer(about("etc"))


async def test_a_path_that_hangs_is_given_up(hanging):
    """Nobody waits for longer than the limit, and the loop goes on meanwhile."""
    lookups = PathLookups(host_root=ROOT, time_limit=0.05)

    with pytest.raises(LookupFailedError, match="path '/nfs': not resolved in time"):
        await lookups.answer(about("/nfs"))

    assert hanging.acquire(timeout=1)


async def test_hung_threads_are_counted(hanging):
    """When all of them hang, the next question fails at once and makes no thread."""
    lookups = PathLookups(host_root=ROOT, time_limit=0.05, most_at_once=2)
    for _ in range(2):
        with pytest.raises(LookupFailedError, match="not resolved in time"):
            await lookups.answer(about("/nfs"))
    threads = threading.active_count()

    with pytest.raises(LookupFailedError, match="'/etc': too many paths are being looked at"):
        await lookups.answer(about("/etc"))

    assert threading.active_count() == threads
    assert hanging.acquire(timeout=1)


async def test_a_thread_that_comes_back_makes_room(tmp_path, monkeypatch):
    """A file system that was away for a while is not held against anybody."""
    released = threading.Event()
    honest = paths.real_path
    monkeypatch.setattr(paths, "real_path", lambda *_: released.wait(5) and {"path": "/late"})
    lookups = PathLookups(host_root=ROOT, time_limit=0.05, most_at_once=1)
    with pytest.raises(LookupFailedError, match="not resolved in time"):
        await lookups.answer(about("/nfs"))
    monkeypatch.setattr(paths, "real_path", honest)

    (thread,) = (each for each in threading.enumerate() if each.name == "paths")
    released.set()
    thread.join(5)

    assert await lookups.answer(about(tmp_path)) == {"path": str(tmp_path)}


async def test_failures_make_room(tmp_path):
    """Each question gives its place back, however it ended."""
    lookups = PathLookups(host_root=ROOT, most_at_once=1)
    for _ in range(3):
        with pytest.raises(LookupFailedError, match="is not absolute"):
            await lookups.answer(about("etc"))

    assert await lookups.answer(about(tmp_path)) == {"path": str(tmp_path)}


async def test_a_thread_that_cannot_be_made_is_a_failure(tmp_path, monkeypatch):
    """A full system refuses, and the place is given back."""

    def full(_thread):
        raise RuntimeError("can't start new thread")

    lookups = PathLookups(host_root=ROOT, most_at_once=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with pytest.raises(LookupFailedError, match="can't start new thread"):
            await lookups.answer(about(tmp_path))

    assert await lookups.answer(about(tmp_path)) == {"path": str(tmp_path)}


def test_an_answer_after_the_end_is_dropped(monkeypatch):
    """A thread that comes back when the loop is gone ends quietly."""
    released = threading.Event()
    monkeypatch.setattr(paths, "real_path", lambda *_: released.wait(5) and {"path": "/late"})

    async def give_up():
        with pytest.raises(LookupFailedError, match="not resolved in time"):
            await PathLookups(host_root=ROOT, time_limit=0.05).answer(about("/nfs"))

    asyncio.run(give_up())
    (thread,) = (each for each in threading.enumerate() if each.name == "paths")
    released.set()
    thread.join(5)

    assert not thread.is_alive()
