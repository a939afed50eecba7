"""What a plugin is allowed to do, and how it is set.

The list of privileges that a pull sends along must be the one that the plugin
asks for, or the daemon refuses it: so the list is what the plugin gets. A
setting may be a variable, an argument, or a path of the host (moby
daemon/pkg/plugin/v2/settable.go). Values of variables are secrets and are not
told.
"""

from collections.abc import Iterable, Iterator

from authz.facts.facts import Fact
from authz.facts.known import UNKNOWN, Known
from authz.facts.members import Document, strings, text, unreadable
from authz.facts.paths import host_path_facts, real_paths

_MOUNT = "mount"
_DEVICE = "device"
_SOURCE = "source"
_PATH = "path"


def privilege_facts(privileges: Iterable[Document], known: Known) -> Iterator[Fact]:
    """Yield every privilege; one of mounts or devices is also a path of the host."""
    for privilege in privileges:
        name = text(privilege, "Name").lower()
        for value in strings(privilege, "Value") or [""]:
            yield Fact("plugin.privilege", f"{name}={value}")
            if name == _MOUNT:
                yield from _mounted(value, known)
            elif name == _DEVICE and value.startswith("/"):
                yield from _opened(value, known)


def setting_facts(settings: list[str], known: Known) -> Iterator[Fact]:
    """Yield what ``plugins/{name}/set`` sets: ``name[.field]=value``."""
    yield from setting_names(settings)
    for setting in settings:
        key, _, value = setting.partition("=")
        head, _, field = key.rpartition(".")
        field = field if head else ""
        if field == _SOURCE or (not field and value.startswith("/")):
            yield from _mounted(value, known)
        if field == _PATH or (not field and value.startswith("/")):
            yield from _opened(value, known)


def setting_names(settings: Iterable[str]) -> Iterator[Fact]:
    """Yield what is set, without the values. Raises RefusedError where there is no name."""
    for setting in settings:
        key = setting.partition("=")[0]
        if not key:
            raise unreadable("a setting of a plugin has no name; expected name=value")
        yield Fact("plugin.setting", key)


def _mounted(path: str, known: Known) -> Iterator[Fact]:
    """Describe a mount; a path that is not absolute counts from nobody knows where."""
    if path.startswith("/"):
        yield from host_path_facts(path, known, writable=True, raw=True)
    elif path:
        yield Fact("bind", UNKNOWN)
        yield Fact("bind.rw", UNKNOWN)


def _opened(path: str, known: Known) -> Iterator[Fact]:
    for reached, found in real_paths(path, known, raw=True):
        yield Fact("device", reached, found)
