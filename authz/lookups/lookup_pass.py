"""The pass by which the plugin knows what Dockgate itself sent.

A look-up goes to the daemon, and the daemon asks the plugin about it; so it
does about a request that the proxy judged and sends on. Each carries a nonce
and an HMAC over it, the errand, the method and the target; each nonce is good
once in each phase and for a short time, and one of a look-up for look-ups only.
"""

import hmac
import os
import secrets
import stat
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from authz.errors import ConfigurationError, Reason, RefusedError
from authz.lookups.targets import is_lookup

HEADER = "Dockgate-Pass"
"""The request header; Go's spelling, so that it is the same when the daemon passes it on."""

KEY_BYTES = 32
WINDOW = 5.0
"""Seconds for which a pass is good. Clocks are one: both ends are on one host, or should agree."""

MOST_NONCES = 50_000
"""Nonces remembered for each phase; with that many in one window no more are admitted."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Phase(StrEnum):
    """When the daemon asks: before and after it does the work."""

    REQUEST = "request"
    RESPONSE = "response"


class Errand(StrEnum):
    """What a pass is for."""

    LOOKUP = "lookup"
    FORWARD = "forward"
    """A request that the proxy judged, recorded and sends on."""


class Passes:
    """Issues passes and admits each of them once, under one key."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._keyed = hmac.new(key, digestmod="sha256")  # setting a key up costs more than its use
        self._clock = clock
        self._used: dict[Phase, dict[str, float]] = {phase: {} for phase in Phase}

    def issue(self, method: str, target: str, errand: Errand = Errand.LOOKUP) -> str:
        """Return the header's value for one request."""
        nonce = f"{int(self._clock() * 1000):x}-{secrets.token_hex(12)}"
        return f"{nonce}.{self._mac(nonce, method, target, errand)}"

    def admit(self, value: str, method: str, target: str, phase: Phase) -> None:
        """Use up a pass. Raises RefusedError (BAD_CREDENTIAL) where it does not hold."""
        nonce, _, mac = value.partition(".")
        errand = self._errand(nonce, _bytes(mac), method, target)
        if errand is None:
            raise _refusal("is not genuine")
        if errand is Errand.LOOKUP and not is_lookup(method, target):
            raise _refusal("is for a request that is no look-up")
        now = self._clock()
        # INVARIANT: read behind the MAC. Only what this key's holder wrote is parsed.
        issued = int(nonce.partition("-")[0], 16) / 1000
        if abs(now - issued) > WINDOW:
            raise _refusal("was not made just now")
        self._use(nonce, now, issued + WINDOW, self._used[phase])

    def _errand(self, nonce: str, mac: bytes, method: str, target: str) -> Errand | None:
        """Return what the pass was made for; None where it is not genuine."""
        for errand in Errand:
            expected = _bytes(self._mac(nonce, method, target, errand))
            if hmac.compare_digest(mac, expected):
                return errand
        return None

    def _use(self, nonce: str, now: float, until: float, used: dict[str, float]) -> None:
        """Remember a nonce for as long as it could come again, and no longer."""
        while used and used[oldest := next(iter(used))] < now:
            del used[oldest]
        if nonce in used:
            raise _refusal("was used before")
        if len(used) >= MOST_NONCES:
            raise _refusal("is one of too many at once")
        used[nonce] = until

    def _mac(self, nonce: str, method: str, target: str, errand: Errand) -> str:
        message = f"dockgate-pass-1\0{errand}\0{nonce}\0{method}\0{target}"
        mac = self._keyed.copy()
        mac.update(_bytes(message))
        return mac.hexdigest()


def load_key(path: Path | None) -> bytes:
    """Return the key in a file, which is made where it is missing; a new one without a file.

    Two processes that share a file admit each other's look-ups. Raises
    ConfigurationError where the file cannot be read or made, where accounts
    other than its owner may read it, or where it holds no key.
    """
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise ConfigurationError(f"key file {path}: {error.strerror}") from None


def _make(path: Path) -> None:
    """Write a new key under another name first, so that nobody ever reads half of one."""
    written = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.link(written, path)
    except FileExistsError:
        pass  # another process was quicker, and its key is as good
    finally:
        os.close(descriptor)
        written.unlink()


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        key = os.read(descriptor, 4096) if stat.S_ISREG(status.st_mode) else b""
    finally:
        os.close(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS or status.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"key file {path}: mode is {mode:04o} and owner uid {status.st_uid}; "
            "expected 0600 and this account, so that nobody else can make a pass"
        )
    if len(key) < KEY_BYTES:
        raise ConfigurationError(
            f"key file {path}: holds {len(key)} bytes; expected at least {KEY_BYTES} random ones"
        )
    return key


def _bytes(text: str) -> bytes:
    """Encode what attackers wrote: half a surrogate pair, which JSON can carry, is no error."""
    return text.encode(errors="surrogatepass")


def _refusal(problem: str) -> RefusedError:
    return RefusedError(Reason.BAD_CREDENTIAL, f"the {HEADER} of this request {problem}")
