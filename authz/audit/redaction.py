"""What of a request may be written down.

Secrets come in query values (build arguments), in URLs with credentials and in
bodies. This module knows which places can hold one; in their stead it writes a
keyed digest, by which two equal values can still be told to be equal.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from urllib.parse import quote

from authz.docker.request import ApiRequest

PRINTED = frozenset(
    (  # noqa: SIM905  the words of a table, not seventy lines of literals
        "all before checkpoint checkpoint-dir condition container copyUIDGID cpuperiod cpuquota "
        "cpusetcpus cpusetmems cpushares detachKeys details digests dir dockerfile filter filters "
        "follow force forcerm format fromImage h insertDefaults isolation keep-storage limit link "
        "logs manifests max-used-space memory memswap min-free-space name names networkmode "
        "noOverwriteDirNonDir nocache noprune one-shot path pause platform platforms ps_args pull "
        "q quiet repo reserved-space rm rollback rotateManagerToken rotateManagerUnlockKey "
        "rotateWorkerToken scope shared-size shmsize signal since size squash stderr stdin stdout "
        "stream t tag tail target term timeout timestamps type ulimits until v verbose version w"
    ).split()
)
"""Query parameters whose values hold no secret; the value of any other is digested."""

URLS = frozenset({"fromSrc", "remote"})
"""Parameters that hold a URL: printed without credentials and query."""

LONGEST_TEXT = 1024
"""Characters of a fact, a condition or a detail that are written down."""

LONGEST_TARGET = 2048
"""Characters of a request target that are written down."""

_CREDENTIALS = re.compile(r"(?<=//)[^/?#\s]*(?=@)")
_OPTION = re.compile(r"(?<![\w.-])([\w.-]++)=")
"""A name with its sign, from the beginning of a word on: each letter is looked at once.

A pattern that can begin at each letter takes a minute for a text of 16,000, and holds
everything up meanwhile.
"""
_SECRET = re.compile(r"pass|secret|token|credential|(?:api|access|private)[_.-]?key", re.IGNORECASE)
_VALUE = re.compile(r"[^,;&\s]+")
_DIGEST_BYTES = 8
_SHORTEST = len("digest:") + 2 * _DIGEST_BYTES
_MOST_PAIRS = LONGEST_TARGET
"""Pairs of a query that are looked at: further ones have no room, however short they are."""


class Redaction:
    """Prints requests without their secrets.

    ``key`` makes the digests useless to whoever does not have it: secrets are
    often short enough to be guessed. Digests can be compared as long as the
    key stays the same; by default that is the life of this object.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def digest(self, value: str) -> str:
        """Return what stands for a secret."""
        message = value.encode("utf-8", errors="surrogatepass")
        found = hmac.digest(self._key, message, hashlib.sha256)
        return f"digest:{found[:_DIGEST_BYTES].hex()}"

    def text(self, text: str) -> str:
        """Return any text without credentials of URLs and options such as ``password=x``.

        A long one is cut, with its length and a digest.
        """
        hidden = self._hidden(text)
        if max(len(text), len(hidden)) <= LONGEST_TEXT:
            return hidden
        return f"{hidden[:LONGEST_TEXT]}...({len(text)} characters, {self.digest(text)})"

    def _hidden(self, text: str) -> str:
        """Return a text without secrets; what is behind very many is left out."""
        whole = also = True
        if "@" in text:
            found = (each.span() for each in _CREDENTIALS.finditer(text))
            text, whole = self._without(text, found)
        if "=" in text:
            text, also = self._without(text, _secrets(text))
        return text if whole and also else f"{text}..."

    def _without(self, text: str, places: Iterable[tuple[int, int]]) -> tuple[str, bool]:
        """Put digests in the place of parts, and say whether that is the whole text.

        INVARIANT: an end is left out only behind more than anybody is shown.
        """
        parts: list[str] = []
        at = size = 0
        for begin, end in places:
            parts += (text[at:begin], self.digest(text[begin:end]))
            size += begin - at + _SHORTEST
            at = end
            if size > LONGEST_TARGET:
                return "".join(parts), False
        return "".join((*parts, text[at:])), True

    def target(self, request: ApiRequest) -> str:
        """Print the target of a request that was read, in its canonical form."""
        path = request.operation.path
        for name, value in request.path.items():
            path = path.replace(f"{{{name}}}", _quoted(self._hidden(value), safe="/:@"))
        version = "/v{}.{}".format(*request.version) if request.version else ""
        pairs = [
            f"{_quoted(name, safe='/')}={_quoted(self.parameter(name, value), safe='/:@,')}"
            for name, value in _shown(request.query)
        ]
        return _cut(version + path + ("?" + "&".join(pairs) if pairs else ""))

    def raw_target(self, target: str) -> str:
        """Print a target that could not be read, as it came but for its secrets."""
        path, mark, query = target.partition("?")
        listed = query.split("&", _MOST_PAIRS)[:_MOST_PAIRS] if query else []
        pairs = [self._raw_pair(pair) for pair in listed]
        return _cut(self._hidden(path) + mark + "&".join(pairs))

    def parameter(self, name: str, value: str) -> str:
        """Return a query value as it may be written down."""
        if name in PRINTED:
            return self._hidden(value)
        if name in URLS:
            return self._url(value)
        return self.digest(value) if value else ""

    def _raw_pair(self, pair: str) -> str:
        """Print one pair; what cannot be told to be one is digested as a whole."""
        name, mark, value = pair.partition("=")
        if not mark or ";" in pair:
            return self.digest(pair) if pair else ""
        return f"{name}={self.parameter(name, value)}"

    def _url(self, value: str) -> str:
        address, mark, query = value.partition("?")
        return self._hidden(address) + (mark + self.digest(query) if mark else "")


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Yield where values of options are that look like secrets."""
    at = 0
    for option in _OPTION.finditer(text):
        if option.start() >= at and _SECRET.search(option[1]):
            value = _VALUE.match(text, option.end())
            if value:
                yield value.span()
                at = value.end()


def _shown(query: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield pairs, as many as can be seen."""
    pairs = ((name, value) for name, values in query.items() for value in values)
    return islice(pairs, _MOST_PAIRS)


def _quoted(text: str, *, safe: str) -> str:
    """Escape what is no letter, digit or ``safe``; most texts are nothing else."""
    if text.isascii() and text.isalnum():
        return text
    return quote(text, safe=safe, errors="replace")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TARGET else text[: LONGEST_TARGET - 3] + "..."
