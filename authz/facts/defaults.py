"""What the daemon's own settings (``GET /info``) decide where a request leaves it open.

Each function says ``unknown`` where the daemon was not asked. It knows the
daemon's document and no request.
"""

from functools import lru_cache

from authz.facts.known import UNKNOWN, Known
from authz.facts.members import strings, text
from authz.facts.questions import Topic

RUNC = "runc"
DEFAULT = "default"
"""The runtime that the fact value ``default`` stands for."""


def security_options(known: Known) -> dict[str, dict[str, str]] | None:
    """Return ``SecurityOptions`` by name (``name=seccomp,profile=builtin``); None if not asked."""
    daemon = known.document(Topic.DAEMON)
    if daemon is None:
        return None
    return _options(tuple(strings(daemon, "SecurityOptions")))


@lru_cache(maxsize=8)
def _options(written: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Read them once: a daemon says the same until it starts anew."""
    found = (dict(_pairs(option)) for option in written)
    return {option.get("name", ""): option for option in found}


def _pairs(option: str) -> list[tuple[str, str]]:
    return [(key, value) for key, _, value in (part.partition("=") for part in option.split(","))]


def seccomp(known: Known) -> str:
    """Say which profile a container gets that names none.

    A profile from a file of the daemon counts as default: it is the site's. A
    daemon that lists security options and no seccomp cannot confine at all
    (moby daemon/seccomp_linux.go).
    """
    options = security_options(known)
    if options is None:
        return UNKNOWN
    profile = options.get("seccomp", {"profile": "unconfined" if options else ""})
    return "unconfined" if profile.get("profile") == "unconfined" else "default"


def has_no_new_privileges(known: Known) -> bool:
    """Say whether the daemon sets no-new-privileges by itself; false if not known."""
    return "no-new-privileges" in (security_options(known) or {})


def userns(known: Known) -> str:
    """Say which user namespace a container gets: private where the daemon remaps, else default."""
    options = security_options(known)
    if options is None:
        return UNKNOWN
    return "private" if "userns" in options else "default"


def runtime(name: str, known: Known) -> str:
    """Return the runtime that a name (or none) means; ``default`` is a default that is runc.

    A site may call another one "default", too; nobody knows what that is.
    """
    daemon = known.document(Topic.DAEMON) or {}
    chosen = text(daemon, "DefaultRuntime") or (RUNC if daemon else "")
    if name in {"", chosen} and chosen == RUNC:
        return DEFAULT
    named = name or chosen
    return UNKNOWN if named in {"", DEFAULT} else named


def log_driver(known: Known) -> str:
    """Return the log driver of a container that names none."""
    daemon = known.document(Topic.DAEMON) or {}
    return text(daemon, "LoggingDriver") or UNKNOWN


def has_old_control_groups(known: Known) -> bool:
    """Say whether the host has control groups of version 1; false if not known."""
    daemon = known.document(Topic.DAEMON) or {}
    return text(daemon, "CgroupVersion") == "1"
