"""A fresh daemon, and the way to it: directly, or through a door where everybody is root.

Knows how a door is put before a daemon; does not know who comes through it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.e2e import engines, images
from tests.e2e.conftest import Certificates, short_folder
from tests.e2e.daemon import Dockerd
from tests.e2e.gate import Gate
from tests.e2e.proxy import Front

DIRECT = "direct"
_EVERYBODY = "g, user:anonymous, role:admin, *\n"


@dataclass(frozen=True, slots=True)
class Place:
    """A daemon behind a door; `env` is what a client needs to know of the way."""

    daemon: Dockerd
    env: Mapping[str, str]
    gate: Gate | None = None

    def refusals(self) -> list[str]:
        """Tell what did not get through the door, one line for each."""
        return [] if self.gate is None else [_told(record) for record in self.gate.denied()]


@contextmanager
def at(
    engine: engines.Engine, door: str, names: Sequence[str] = images.ORDINARY
) -> Iterator[Place]:
    """Start a daemon with these images, and the door before it: `plugin`, `proxy` or DIRECT."""
    with ExitStack() as stack:
        daemon = stack.enter_context(Dockerd(engine, short_folder(), extra={"experimental": True}))
        images.load(daemon, tuple(names))
        yield DOORS[door](stack, daemon) if door in DOORS else Place(daemon, _socket(daemon.socket))


def _plugin(stack: ExitStack, daemon: Dockerd) -> Place:
    gate = stack.enter_context(Gate(daemon, "admin", _EVERYBODY))
    daemon.configure({"authorization-plugins": ["dockgate"]})
    daemon.reload()
    return Place(daemon, _socket(daemon.socket), gate)


def _proxy(stack: ExitStack, daemon: Dockerd) -> Place:
    front = stack.enter_context(Front(daemon, Certificates(trustme.CA(), short_folder())))
    return Place(daemon, front.way("unix"), front)


DOORS = {"plugin": _plugin, "proxy": _proxy}


def _socket(path: Path) -> Mapping[str, str]:
    return {"DOCKER_HOST": f"unix://{path}"}


def _told(record: Mapping[str, Any]) -> str:
    asked = record["request"] or {}
    facts = [fact["fact"] for fact in record["facts"] if fact["verdict"] != "allow"]
    said = (record["verdict"], asked.get("method"), asked.get("target"), record["reason"])
    return f"{' '.join(map(str, said))} {record.get('detail', '')} {facts}"
