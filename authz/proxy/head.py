"""The head of an HTTP/1.1 message, cut from a stream and read in one way only.

Two readers that disagree about where a message ends are how requests are
smuggled. So this reader takes the strict form alone: CRLF and nothing else ends
a line, lines are not folded, framing is said once, targets are paths. Whatever
else arrives is refused and the connection closed. It knows no operation of the
daemon and does no I/O.

Source: RFC 9112; for what the daemon would take, Go, src/net/http/transfer.go.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from authz.errors import AuthzError

MOST_HEAD = 64 * 1024
"""Bytes of a head. The largest seen holds the credentials of many registries."""

MOST_HEADERS = 128
MOST_AUTHORIZATION = 8 * 1024

Headers = tuple[tuple[str, str], ...]

_END = b"\r\n\r\n"
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  a token of the grammar of RFC 9110
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/([0-9]\.[0-9])")
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_FIELD = re.compile(rf"({_TOKEN}):([\t -~]*)")
_ANSWER_FIELD = re.compile(rf"({_TOKEN}):([\t -~\x80-\xff]*)")
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
_BARE_LINE = "head has a line that does not end in CRLF"
_HOST = re.compile(r"[A-Za-z0-9._~%:\[\]-]*")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,17}")

_ONCE = frozenset(
    {
        "authorization",
        "content-length",
        "content-type",
        "expect",
        "host",
        "transfer-encoding",
        "upgrade",
        "x-registry-auth",
        "x-registry-config",
    }
)
"""Headers of which two readers could take different ones, if there were two."""

_SWITCHED = "101"
_ONCE_OF_ANSWERS = frozenset({"content-length", "transfer-encoding"})

_NO_TOKENS: frozenset[str] = frozenset()
_CONNECTION = frozenset({"close", "keep-alive", "te", "upgrade"})
"""What may stand in ``Connection``. Any other word would take away a header that was judged."""


class FramingError(AuthzError):
    """These bytes are not one message in the strict form; ``status`` is what to answer."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head. ``length`` is 0 where there is no body; ``upgrade`` in lower case.

    ``without_host`` says that Host is empty or missing, which only some
    requests may be; whoever knows the operation refuses the others.
    """

    method: str
    target: str
    headers: Headers
    length: int = 0
    chunked: bool = False
    old: bool = False
    """HTTP/1.0: answered without chunks, and closed behind the answer."""
    keep_alive: bool = True
    upgrade: str = ""
    expects: bool = False
    """The client waits for ``100 Continue`` before it sends the body."""
    without_host: bool = False

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.chunked or self.length > 0


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """A response's head, as the daemon wrote it. ``length`` is None where it says none.

    ``upgrade`` is what it switched to, empty where the status is not 101.
    """

    status: int
    reason: str
    headers: Headers
    length: int | None
    chunked: bool
    keep_alive: bool
    upgrade: str


class Cutter:
    """Collects bytes until a head is whole."""

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""
        self._seen = 0

    def __len__(self) -> int:
        """Return how many bytes wait here."""
        return len(self._buffer)

    def add(self, data: bytes) -> None:
        """Take bytes that arrived."""
        if not self._buffer:
            self._buffer = data  # mostly a whole head, which is not copied
        elif isinstance(self._buffer, bytearray):
            self._buffer += data
        else:
            self._buffer = bytearray(self._buffer)
            self._buffer += data

    def cut(self) -> bytes | None:
        """Return the next head without its last line ends, or None where it is not whole.

        Raises FramingError as soon as it cannot become one.
        """
        end = self._buffer.find(_END, max(0, self._seen - len(_END)), MOST_HEAD)
        if end < 0:
            self._look_at_part()
            return None
        head = bytes(self._buffer[:end])
        # Each LF behind a CR, each CR before an LF.
        if not head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r"):
            raise FramingError(_BARE_LINE)
        self._buffer = self._buffer[end + len(_END) :]
        self._seen = 0
        return head

    def rest(self) -> bytes:
        """Return what is behind the heads that were cut, and forget it."""
        rest = bytes(self._buffer)
        self._buffer = b""
        self._seen = 0
        return rest

    def _look_at_part(self) -> None:
        known = len(self._buffer)
        if _BARE.search(self._buffer, max(0, self._seen - 1), known):
            raise FramingError(_BARE_LINE)
        if known >= MOST_HEAD:
            raise FramingError(f"head is above {MOST_HEAD} bytes", 431)
        self._seen = known


def read_request(head: bytes) -> Head:
    """Read a request's head, as :meth:`Cutter.cut` returns it. Raises FramingError."""
    line, *lines = _text(head).split("\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise FramingError("request line is not a method, a target and a version")
    method, target, version = found.groups()
    if version not in {"1.0", "1.1"}:
        raise FramingError(f"version is HTTP/{version}; expected HTTP/1.1", 505)
    if not target.startswith("/"):
        raise FramingError("target is not a path; expected one that starts with a slash")
    headers = _fields(lines, _FIELD)
    single, tokens = _single(headers, _ONCE)
    if len(single.get("authorization", "")) > MOST_AUTHORIZATION:
        raise FramingError(f"Authorization is above {MOST_AUTHORIZATION} bytes", 431)
    old = version == "1.0"
    length, chunked = _framing(single)
    if old and (length or chunked):
        raise FramingError("HTTP/1.0 request has a body; expected HTTP/1.1")
    _check_connection(tokens)
    return Head(
        method=method,
        target=target,
        headers=headers,
        length=length or 0,
        chunked=chunked,
        old=old,
        keep_alive=not old and "close" not in tokens,
        upgrade=_upgrade(single, tokens, old=old),
        expects=_expects(single),
        without_host=_without_host(single, old=old),
    )


def read_answer(head: bytes) -> AnswerHead:
    """Read a response's head. Raises FramingError where no client could rely on it."""
    line, *lines = head.decode("latin-1").split("\r\n")
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise FramingError("status line is not a version and a status")
    headers = _fields(lines, _ANSWER_FIELD)
    single, tokens = _single(headers, _ONCE_OF_ANSWERS)
    length, chunked = _framing(single)
    return AnswerHead(
        status=int(found[2]),
        reason=found[3] or "",
        headers=headers,
        length=length,
        chunked=chunked,
        keep_alive=found[1] == "1" and "close" not in tokens,
        upgrade=_first(headers, "upgrade").lower() if found[2] == _SWITCHED else "",
    )


def _text(head: bytes) -> str:
    try:
        return head.decode("ascii")
    except UnicodeDecodeError as error:
        raise FramingError(f"head has a byte that is not ASCII at {error.start}") from None


def _fields(lines: Sequence[str], grammar: re.Pattern[str]) -> Headers:
    if len(lines) > MOST_HEADERS:
        raise FramingError(f"head has {len(lines)} headers; expected at most {MOST_HEADERS}", 431)
    headers: list[tuple[str, str]] = []
    for line in lines:
        found = grammar.fullmatch(line)
        if found is None:
            # The line is not shown: a broken one can hold a credential.
            folded = line.startswith((" ", "\t"))
            raise FramingError("header is folded" if folded else "header is not a name and a value")
        headers.append((found[1], found[2].strip(" \t")))
    return tuple(headers)


def _single(headers: Headers, once: frozenset[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Return the headers that may come once, by their name in lower case, and ``Connection``."""
    single: dict[str, str] = {}
    words = ""
    for name, value in headers:
        lower = name.lower()
        if lower == "connection":
            words += f",{value}"
        if lower not in once:
            continue
        if lower in single:
            raise FramingError(f"{name} comes twice; expected it once")
        single[lower] = value
    return single, _tokens(words) if words else _NO_TOKENS


def _first(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _framing(single: dict[str, str]) -> tuple[int | None, bool]:
    """Return the length, if one is said, and whether chunks follow."""
    coding = single.get("transfer-encoding")
    length = single.get("content-length")
    if coding is None and length is None:
        return None, False
    if coding is None:
        if not _LENGTH.fullmatch(length or ""):
            raise FramingError("Content-Length is not a decimal number")
        return int(length or ""), False
    if length is not None:
        raise FramingError("Content-Length and Transfer-Encoding are both there; expected one")
    if coding.lower() != "chunked":
        raise FramingError("Transfer-Encoding is not chunked alone", 501)
    return None, True


def _check_connection(tokens: frozenset[str]) -> None:
    if tokens - _CONNECTION:
        raise FramingError("Connection names a header; expected close, keep-alive or Upgrade")
    if {"close", "keep-alive"} <= tokens:
        raise FramingError("Connection says both close and keep-alive")


def _tokens(value: str) -> frozenset[str]:
    words = (word.strip(" \t").lower() for word in value.split(","))
    return frozenset(word for word in words if word)


def _upgrade(single: dict[str, str], tokens: frozenset[str], *, old: bool) -> str:
    upgrade = single.get("upgrade", "").lower()
    if bool(upgrade) != ("upgrade" in tokens):
        raise FramingError("Upgrade and Connection: Upgrade do not come together")
    if upgrade and old:
        raise FramingError("HTTP/1.0 request asks for an upgrade")
    return upgrade


def _expects(single: dict[str, str]) -> bool:
    expect = single.get("expect", "").lower()
    if expect and expect != "100-continue":
        raise FramingError("Expect is not 100-continue", 417)
    return bool(expect)


def _without_host(single: dict[str, str], *, old: bool) -> bool:
    host = single.get("host")
    if host is None and not old:
        raise FramingError("Host is missing")
    if not _HOST.fullmatch(host or ""):
        raise FramingError("Host is not the name of a host")
    return not host and not old
