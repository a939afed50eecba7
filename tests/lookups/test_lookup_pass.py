"""Passes: good for one look-up, once in each phase, for a moment. And the key under them."""

import os
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import pytest

from authz.errors import ConfigurationError, Reason, RefusedError
from authz.lookups import lookup_pass
from authz.lookups.lookup_pass import KEY_BYTES, WINDOW, Errand, Passes, Phase, load_key
from tests.fakes import Clock

KEY = b"k" * KEY_BYTES
TARGET = "/containers/web/json"
NOW = 1_800_000_000.0


@pytest.fixture
def clock():
    """Return a clock to set."""
    return Clock(NOW)


@pytest.fixture
def passes(clock):
    """Return passes under the test's key and clock."""
    return Passes(KEY, clock)


def forged(nonce, method="GET", target=TARGET, key=KEY):
    """Return a pass as the holder of a key would sign it."""
    return f"{nonce}.{Passes(key)._mac(nonce, method, target)}"


def test_a_pass_is_admitted_once_in_each_phase(passes):
    """The daemon asks before and after it does the work."""
    value = passes.issue("GET", TARGET)

    for phase in Phase:
        passes.admit(value, "GET", TARGET, phase)

    for phase in Phase:
        with pytest.raises(RefusedError, match=r"bad_credential: the Dockgate-Pass .* used before"):
            passes.admit(value, "GET", TARGET, phase)


def test_the_order_of_phases_does_not_matter(passes):
    """One phase uses up nothing of the other."""
    value = passes.issue("GET", TARGET)

    passes.admit(value, "GET", TARGET, Phase.RESPONSE)
    passes.admit(value, "GET", TARGET, Phase.REQUEST)


def test_no_two_passes_are_alike(passes):
    """Even within one moment and for one target, so that none uses up another."""
    values = {passes.issue("GET", TARGET) for _ in range(1000)}

    assert len(values) == 1000
    for value in values:
        passes.admit(value, "GET", TARGET, Phase.REQUEST)


def test_a_pass_is_a_header_value(passes):
    """It is one line of visible ASCII, and holds neither method nor target."""
    value = passes.issue("GET", TARGET)

    assert value.isascii()
    assert value.isprintable()
    assert " " not in value
    assert TARGET not in value


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", TARGET),
        ("GET", "/containers/other/json"),
        ("GET", "/containers/web/json?size=1"),
        ("GET", "/v1.47/containers/web/json"),
        ("GET", "/info"),
        ("", ""),
    ],
)
def test_a_pass_is_for_one_request(passes, method, target):
    """What was signed for one target opens no other."""
    value = passes.issue("GET", TARGET)

    with pytest.raises(RefusedError, match="is not genuine"):
        passes.admit(value, method, target, Phase.REQUEST)


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/containers/create"), ("GET", "/containers/json"), ("DELETE", "/volumes/data")],
)
def test_a_genuine_pass_opens_lookups_only(passes, method, target):
    """Even the holder of the key cannot pass anything but an inspect request."""
    value = passes.issue(method, target)

    with pytest.raises(RefusedError, match="is for a request that is no look-up"):
        passes.admit(value, method, target, Phase.REQUEST)


def test_another_key_opens_nothing(passes):
    """Without the key nobody can sign."""
    value = Passes(b"x" * KEY_BYTES, lambda: NOW).issue("GET", TARGET)

    with pytest.raises(RefusedError, match="is not genuine"):
        passes.admit(value, "GET", TARGET, Phase.REQUEST)


def test_the_same_key_opens_the_other_process(clock):
    """Two processes with one key file admit each other's look-ups."""
    value = Passes(KEY, clock).issue("GET", TARGET)

    Passes(KEY, clock).admit(value, "GET", TARGET, Phase.REQUEST)


@pytest.mark.parametrize("age", [-WINDOW, -1.0, 0.0, 1.0, WINDOW])
def test_a_pass_is_good_for_a_moment(passes, clock, age):
    """Clocks may differ by the window, in both directions."""
    value = passes.issue("GET", TARGET)
    clock.now += age

    passes.admit(value, "GET", TARGET, Phase.REQUEST)


@pytest.mark.parametrize("age", [-WINDOW - 0.01, WINDOW + 0.01, 1e9, -1e9])
def test_a_pass_of_another_time_is_refused(passes, clock, age):
    """What was written down somewhere is worth nothing later, nor is one made in advance."""
    value = passes.issue("GET", TARGET)
    clock.now += age

    with pytest.raises(RefusedError, match="was not made just now"):
        passes.admit(value, "GET", TARGET, Phase.REQUEST)


@pytest.mark.parametrize("ahead", [-WINDOW, 0.0, WINDOW])
def test_a_used_pass_is_remembered_for_as_long_as_it_is_good(passes, clock, ahead):
    """At no moment is it both forgotten and within its time."""
    value = passes.issue("GET", TARGET)
    clock.now += ahead
    passes.admit(value, "GET", TARGET, Phase.REQUEST)

    while clock.now <= NOW + WINDOW + 2:
        passes.issue("GET", TARGET)
        with pytest.raises(RefusedError, match=r"was (used before|not made just now)"):
            passes.admit(value, "GET", TARGET, Phase.REQUEST)
        clock.now += 0.5


def test_used_passes_are_forgotten(passes, clock, monkeypatch):
    """There is room again as soon as the first ones are out of their time."""
    monkeypatch.setattr(lookup_pass, "MOST_NONCES", 3)
    for _ in range(3):
        passes.admit(passes.issue("GET", TARGET), "GET", TARGET, Phase.REQUEST)
    with pytest.raises(RefusedError, match="is one of too many at once"):
        passes.admit(passes.issue("GET", TARGET), "GET", TARGET, Phase.REQUEST)

    clock.now += WINDOW + 0.01

    for _ in range(3):
        passes.admit(passes.issue("GET", TARGET), "GET", TARGET, Phase.REQUEST)
    assert len(passes._used[Phase.REQUEST]) == 3


def test_forgeries_are_not_remembered(passes):
    """Whoever sends many of them neither fills the memory nor shuts out our own."""
    for number in range(100):
        with pytest.raises(RefusedError, match="is not genuine"):
            passes.admit(f"{number:x}-0.{'0' * 64}", "GET", TARGET, Phase.REQUEST)

    assert passes._used == {Phase.REQUEST: {}, Phase.RESPONSE: {}}


def test_forgeries_do_not_use_up_what_they_copy(passes):
    """A nonce that somebody saw is used up only by who can sign for it."""
    value = passes.issue("GET", TARGET)
    with pytest.raises(RefusedError, match="is not genuine"):
        passes.admit(value[:-1] + ("0" if value[-1] != "0" else "1"), "GET", TARGET, Phase.REQUEST)

    passes.admit(value, "GET", TARGET, Phase.REQUEST)


GARBAGE = [
    "",
    ".",
    "..",
    "-",
    "-.",
    "zz-zz.zz",
    "ff",
    "ff-",
    "ff-00.",
    ".ff",
    " ",
    "\0",
    "\ud800",
    "ff-00.\ud800",
    "\udcff-00.\udcff",
    "ü.ü",
    "☃",
    "\r\nX: y",
    "9" * 100_000,
    "f" * 5000 + "-0." + "0" * 64,
    "nan-0." + "0" * 64,
    "-1." + "0" * 64,
    "0x1-0." + "0" * 64,
    "1_0-0." + "0" * 64,
]


@pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused(passes, value):
    """The header is an attacker's to write: nothing but a refusal comes out of it."""
    with pytest.raises(RefusedError, match="is not genuine") as refused:
        passes.admit(value, "GET", TARGET, Phase.REQUEST)

    assert refused.value.reason is Reason.BAD_CREDENTIAL
    assert value not in refused.value.detail or len(value) < 3


@pytest.mark.parametrize(
    ("method", "target"), [("\ud800", TARGET), ("GET", "/\udcff"), ("G\0T", "\0"), ("", "")]
)
def test_garbage_around_a_pass_is_refused(passes, method, target):
    """Method and target come from the attacker, too."""
    value = passes.issue("GET", TARGET)

    with pytest.raises(RefusedError, match="is not genuine"):
        passes.admit(value, method, target, Phase.REQUEST)


def test_what_is_signed_cannot_be_cut_otherwise(passes):
    """A nonce that swallows the method, or a method that swallows the target, signs nothing."""
    nonce, _, mac = passes.issue("GET", TARGET).partition(".")

    for value, method, target in [
        (f"{nonce}\0GET.{mac}", TARGET, ""),
        (f"{nonce}.{mac}", f"GET\0{TARGET}", ""),
        (f"{nonce}.{mac}", "", f"GET\0{TARGET}"),
    ]:
        with pytest.raises(RefusedError, match="is not genuine"):
            passes.admit(value, method, target, Phase.REQUEST)


def test_the_key_is_made_where_it_is_missing(tmp_path):
    """The file is this account's alone, whatever the umask, and the next process reads it."""
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        key = load_key(path)
    finally:
        os.umask(before)

    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_file_each_process_has_its_own_key():
    """A key in memory is random."""
    keys = {load_key(None) for _ in range(10)}

    assert len(keys) == 10
    assert {len(key) for key in keys} == {KEY_BYTES}


def test_processes_that_start_at_once_agree_on_the_key(tmp_path):
    """Nobody reads half a key, and nobody's key is replaced by a later one."""
    path = tmp_path / "key"
    barrier = threading.Barrier(8)

    def load(_):
        barrier.wait(5)
        return load_key(path)

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load, range(8)))

    assert keys == {path.read_bytes()}
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_that_appears_meanwhile_counts(tmp_path, monkeypatch):
    """Another process may be quicker between the look and the making."""
    path = tmp_path / "key"
    make = lookup_pass._make

    def beaten(where):
        path.write_bytes(KEY)
        path.chmod(0o600)
        make(where)

    monkeypatch.setattr(lookup_pass, "_make", beaten)

    assert load_key(path) == KEY
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_key_that_others_may_touch_is_refused(tmp_path, mode):
    """Who reads it can make passes; who writes it can as well."""
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(mode)

    with pytest.raises(ConfigurationError, match=f"mode is {mode:04o} and owner uid .* 0600"):
        load_key(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_account_is_refused(tmp_path):
    """Its owner could read it and change its mode."""
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    os.chown(path, 12345, 12345)

    with pytest.raises(ConfigurationError, match="owner uid 12345; expected 0600 and this account"):
        load_key(path)


@pytest.mark.parametrize("size", [0, 1, KEY_BYTES - 1])
def test_a_short_key_is_refused(tmp_path, size):
    """An empty file must not become the key that everybody knows."""
    path = tmp_path / "key"
    path.write_bytes(b"k" * size)
    path.chmod(0o600)

    with pytest.raises(ConfigurationError, match=f"holds {size} bytes; expected at least 32"):
        load_key(path)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_holds_no_key(tmp_path, kind):
    """And a pipe that nobody writes to does not stop the start for good."""
    path = tmp_path / "key"
    os.mkfifo(path, 0o600) if kind == "pipe" else path.mkdir(0o700)
    path.chmod(0o600)

    with pytest.raises(ConfigurationError, match="holds 0 bytes"):
        load_key(path)


@pytest.mark.parametrize("kind", ["dangling link", "loop", "missing folder", "below a file"])
def test_a_key_that_can_neither_be_read_nor_made_is_told(tmp_path, kind):
    """With the path and the system's reason; nothing is left behind."""
    path = tmp_path / "key"
    if kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "missing folder":
        path = tmp_path / "no" / "key"
    else:
        path.touch()
        path /= "key"

    with pytest.raises(ConfigurationError, match=r"key file .*key: (No such|Too many|Not a dir)"):
        load_key(path)

    assert [each for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """Half a key is not left where the next start would find it."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from authz.errors import ConfigurationError\n"
        "from authz.lookups.lookup_pass import load_key\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try:\n"
        "    load_key(Path(sys.argv[1]))\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )

    told = run(
        [sys.executable, "-B", "-c", script, str(tmp_path / "key")],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert "key: File too large" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_forwarded_request_has_a_pass_of_its_own():
    """The proxy judged it, whatever it is; a look-up's pass is no such pass."""
    passes = Passes(b"k" * 32)
    target = "/v1.41/containers/create"
    token = passes.issue("POST", target, Errand.FORWARD)

    passes.admit(token, "POST", target, Phase.REQUEST)
    with pytest.raises(RefusedError, match="used before"):
        passes.admit(token, "POST", target, Phase.REQUEST)
    with pytest.raises(RefusedError, match="not genuine"):
        passes.admit(passes.issue("POST", target, Errand.FORWARD), "POST", "/info", Phase.REQUEST)
    with pytest.raises(RefusedError, match="no look-up"):
        passes.admit(passes.issue("POST", target), "POST", target, Phase.REQUEST)
