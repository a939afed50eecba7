"""Where the records of TLS end, in whatever pieces they come (RFC 8446, section 5.1).

Their heads alone are read, which nobody encrypts. A piece that is cut here is decrypted
by OpenSSL and by nobody else.
"""

from collections.abc import Iterator

AT_ONCE = 16
"""Records that are yielded at once: a read of 256 KiB has no more full ones."""

_HEAD = 5
"""Bytes of a head: what the record holds, a version, and the length of the rest."""


class Records:
    """The records of one direction of one connection."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def cut(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield all of the data in pieces, each with how many records end in it."""
        begin = at = ended = 0
        while at < len(data):
            if not self._left:
                at = self._read_head(data, at)
            step = min(self._left, len(data) - at)
            self._left -= step
            at += step
            if not self._left and not self._head:
                ended += 1
            if ended == AT_ONCE:
                yield data[begin:at], ended
                begin, ended = at, 0
        if begin < len(data):
            yield data[begin:], ended

    def _read_head(self, data: bytes, at: int) -> int:
        """Read as much of a head as there is, and return where it ends."""
        end = at + _HEAD - len(self._head)
        head = self._head + data[at:end]
        if len(head) < _HEAD:
            self._head = head
            return len(data)
        self._head, self._left = b"", head[3] << 8 | head[4]
        return end
