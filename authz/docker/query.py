"""The query of a request target, where it reads one way only.

Go drops a pair that holds a semicolon or a broken escape, and some handlers of
the daemon do not notice; other readers keep such a pair. Both are refused, as
is text that is no UTF-8. What a parameter means is the business of
``authz.docker.fields``.

Source: Go, src/net/url/url.go (parseQuery, unescape).
"""

import re
from urllib.parse import unquote_to_bytes

from authz.docker.gojson import quoted, refuse

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2}).{0,2}")


def parse_query(text: str) -> tuple[tuple[str, str], ...]:
    """Return the decoded pairs in the order received; ``text`` is what follows the ``?``.

    A pair without ``=`` has an empty value; nothing between two ``&`` is no
    pair. Raises RefusedError (UNREADABLE_REQUEST).
    """
    if ";" in text:
        refuse("query", "has a semicolon, which the daemon drops with its pair; expected &")
    return tuple(_pair(piece) for piece in text.split("&") if piece)


def decode(text: str, place: str) -> str:
    """Undo percent escapes once; refuse broken ones and what is no UTF-8.

    The refusal shows the broken escape alone: a value may be a secret.
    """
    if bad := _BAD_ESCAPE.search(text):
        refuse(place, f"has the bad percent escape {quoted(bad[0])}; expected % and two digits")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        refuse(place, "is not UTF-8 when its percent escapes are decoded")


def _pair(piece: str) -> tuple[str, str]:
    name, _, value = piece.replace("+", " ").partition("=")
    name = decode(name, "query")
    return name, decode(value, f"query.{name}" if name.isidentifier() else "query")
