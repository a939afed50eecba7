"""The Content-Type of a request, which decides who parses its body.

Through the plugin only the last of several such headers is shown, so a door
that sees two refuses them. A form would be read by the daemon before the query
(parameters that nobody judged), so there is no form that is let through.

Source: Go, src/mime/mediatype.go and src/net/http/request.go (parsePostForm);
moby, api/server/httputils/httputils.go (CheckForJSON).
"""

import re
from collections.abc import Sequence

from authz.docker.gojson import quoted, refuse

JSON = "application/json"

_WORD = r"[A-Za-z0-9!#$&^_.+-]+"
_NAME = rf"[ \t]*;[ \t]*({_WORD})="
_VALUE = rf'(?:{_WORD}|"[ !#-\[\]-~]*")'
_TYPE = re.compile(rf"(?P<type>{_WORD}/{_WORD})(?P<parameters>(?:{_NAME}{_VALUE})*)")
_NAMES = re.compile(_NAME + _VALUE)


def content_type(headers: Sequence[tuple[str, str]]) -> str:
    """Return the media type in lower case without parameters; empty where there is none.

    Raises RefusedError (UNREADABLE_REQUEST) for two headers, for one that is
    not written as a media type with distinct parameters, and for forms.
    """
    values = [value.strip(" \t") for name, value in headers if name.lower() == "content-type"]
    if len(values) > 1:
        refuse("Content-Type", f"comes {len(values)} times; expected it once")
    if not values or not values[0]:
        return ""
    if values[0] == JSON:  # as nearly all clients write it
        return JSON
    found = _TYPE.fullmatch(values[0])
    names = [] if found is None else _NAMES.findall(found["parameters"].lower())
    if found is None or len(set(names)) < len(names):
        refuse("Content-Type", f"is {quoted(values[0])}, which is no media type")
    media = found["type"].lower()
    if media == "application/x-www-form-urlencoded" or media.startswith("multipart/"):
        refuse("Content-Type", f"is {quoted(media)}; the daemon would read a form over the query")
    return media
