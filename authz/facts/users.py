"""Which user a process starts as: a name, a number, or root however it is written.

The daemon reads ``name|uid[:group]``; a number may have a sign and leading
zeros (github.com/moby/sys/user, GetExecUser). It knows the member ``User`` and
nothing else.
"""

import re

from authz.facts.known import Known
from authz.facts.members import Document, table, text
from authz.facts.variants import image_settings

ROOT = "root"
UNSET = "unset"
"""Nobody says which user, and the image could not be asked."""

_NUMBER = re.compile(r"([+-]?)0*(0|[1-9][0-9]*)")
_DIGITS = 10
"""An id has no more; what has more is no id to the daemon, and stays as it is."""


def normal_number(written: str) -> str:
    """Return the one spelling of a number, and anything else as it is."""
    found = _NUMBER.fullmatch(written)
    if found is None or len(found[2]) > _DIGITS:
        return written
    return str(int(found[1] + found[2]))


def normal_user(written: str) -> str:
    """Return the one spelling of a user that is named; the group does not count."""
    name = normal_number(written.partition(":")[0])
    return ROOT if name in {"", "0"} else name


def user_value(config: Document, known: Known, platform: str = "") -> str:
    """Return the user of a new container: its own, else its image's, else root."""
    if text(config, "User"):
        return normal_user(text(config, "User"))
    inherited = image_settings(text(config, "Image"), platform, known)
    return UNSET if inherited is None else normal_user(text(inherited, "User"))


def exec_user(written: str, container: Document | None) -> str:
    """Return the user of a process: its own, else the container's."""
    if written:
        return normal_user(written)
    return UNSET if container is None else normal_user(text(table(container, "Config"), "User"))
