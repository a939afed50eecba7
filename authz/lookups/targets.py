"""Which request to the daemon answers which question.

Nothing else is ever sent as a look-up, so this is also the list of what a
look-up's pass admits; the stream of events that says how long an answer is good
belongs to it.
"""

import json
import re
from urllib.parse import quote

from authz.errors import LookupFailedError
from authz.facts.questions import Question, Topic

METHOD = "GET"

PATTERNS = {
    Topic.CONTAINER: "/containers/{}/json",
    Topic.EXEC: "/exec/{}/json",
    Topic.VOLUME: "/volumes/{}",
    Topic.IMAGE: "/images/{}/json?manifests=1",
    Topic.NETWORK: "/networks/{}",
    Topic.SERVICE: "/services/{}",
    Topic.TASK: "/tasks/{}",
    Topic.SECRET: "/secrets/{}",
    Topic.CONFIG: "/configs/{}",
    Topic.NODE: "/nodes/{}",
    Topic.DAEMON: "/info",
}
"""The path of each topic, without a version: the daemon's newest is the fullest answer.

Of an image it lists the parts, where the daemon has them (API 1.48).
"""

_VARIANT = "/images/{}/json?platform={}"
_PLATFORM = ("os", "architecture", "variant")

_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~%-]+"
_FILTERS = quote(json.dumps({"type": ["container", "network"]}, separators=(",", ":")), safe="")
_TARGETS = re.compile(
    "|".join(
        (
            *(re.escape(p).replace(r"\{\}", _NAME) for p in (*PATTERNS.values(), _VARIANT)),
            rf"/events\?since=[0-9]+&filters={re.escape(_FILTERS)}",
        )
    )
)


def target(question: Question) -> str:
    """Return the request target that asks this question.

    Names are escaped but for letters, digits and ``-._~``, so that the daemon
    reads them in one way only. Raises LookupFailedError for a name that cannot
    be part of a path: an empty one would ask for a list, and the daemon's
    router takes dots for folders.
    """
    pattern, name, platform = PATTERNS.get(question.topic), question.key, ""
    if question.topic is Topic.VARIANT:
        pattern, (platform, _, name) = _VARIANT, question.key.partition(" ")
    if pattern is None:
        raise LookupFailedError(f"the daemon cannot tell about a {question.topic}")
    if question.topic is Topic.DAEMON:
        return pattern
    if name in {"", ".", ".."}:
        raise LookupFailedError(f"{name!r} is no name of a {question.topic}")
    try:
        return pattern.format(quote(name, safe=""), _written(platform))
    except UnicodeEncodeError:
        raise LookupFailedError(f"a name of a {question.topic} is not Unicode") from None


def _written(platform: str) -> str:
    """Write a platform as the daemon reads it."""
    parts = dict(zip(_PLATFORM, platform.split("/"), strict=False))
    return quote(json.dumps(parts, separators=(",", ":")), safe="")


def events(since: int) -> str:
    """Return the target of the events of containers and networks, past ones since that second."""
    return f"/events?since={since}&filters={_FILTERS}"


def is_lookup(method: str, written: str) -> bool:
    """Say whether a request is one that ``target`` or ``events`` could have made."""
    return method == METHOD and _TARGETS.fullmatch(written) is not None
