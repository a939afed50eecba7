"""A daemon with objects that requests can name, and put back as they were.

Knows the fixed objects and nothing of what is compared. There is no
authorization: what the daemon takes, it does.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from authz.facts.questions import MISSING, Answer, Question, Topic
from authz.lookups.targets import target
from tests.differential.bodies import OTHER
from tests.differential.wire import Wire
from tests.e2e import images
from tests.e2e.daemon import Dockerd

_SLEEPING = {"Image": "busybox", "Cmd": ["sleep", "1000000"], "HostConfig": {"Init": True}}
_CONTAINERS: Mapping[str, Any] = {
    "web": _SLEEPING,
    "idle": {"Image": "busybox", "Cmd": ["true"]},
    "guarded": {
        "Image": "busybox",
        "Cmd": ["true"],
        "HostConfig": {"Privileged": True, "Binds": ["/etc:/e"], "PidMode": "host"},
    },
}
_VOLUMES: Mapping[str, Mapping[str, str]] = {
    "shelf": {},
    "hostly": {"type": "none", "o": "bind", "device": "/etc"},
}
_SPARE = "spare/image"
"""A second name of the image, which no request names: it keeps the image and gives it back."""

_PARTS = (images.Part("linux/amd64", ""), images.Part(OTHER, "4242"))
_STREET = {"Name": "street", "IPAM": {"Config": [{"Subnet": "10.77.0.0/24"}]}}
_PATHS = {
    Topic.CONTAINER: "/containers/{}/json",
    Topic.EXEC: "/exec/{}/json",
    Topic.VOLUME: "/volumes/{}",
    Topic.IMAGE: "/images/{}/json?manifests=1",
    Topic.NETWORK: "/networks/{}",
    Topic.DAEMON: "/info",
}
_OK = 200


class Stage:
    """The fixed objects of one daemon, and what they look like."""

    def __init__(self, daemon: Dockerd) -> None:
        self.daemon = daemon
        self.changing = threading.Lock()
        self._fixed: dict[Question, Answer] = {}
        self._wire = Wire(daemon.socket)
        if "io.containerd" in json.dumps(self._wire.ask("GET", "/info").json()["DriverStatus"]):
            images.load_index(daemon, "busybox:latest", _PARTS)
        self._wire.ask("POST", f"/images/busybox/tag?repo={_SPARE}")
        self.restore()
        for name in _CONTAINERS:
            self._remember(Topic.CONTAINER, name)
        for name in _VOLUMES:
            self._remember(Topic.VOLUME, name)
        for name in ("street", "host", "bridge", "none"):
            self._remember(Topic.NETWORK, name)
        self._remember(Topic.IMAGE, "busybox")
        self._remember(Topic.DAEMON, "")
        self.makes_submounts_read_only = tuple(map(int, self.newest.split("."))) >= (1, 44)

    @property
    def newest(self) -> str:
        """The newest API version that the daemon takes."""
        return str(self._wire.ask("GET", "/version").json()["ApiVersion"])

    @property
    def oldest(self) -> str:
        """The oldest API version that the daemon takes of those that we read."""
        return max("1.24", str(self._wire.ask("GET", "/version").json()["MinAPIVersion"]))

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def answer(self, question: Question, wire: Wire) -> Answer:
        """Answer a question as the look-ups of the gate would; what is fixed is not asked again."""
        if question.topic is Topic.PATH:
            return {"path": question.key}
        if question in self._fixed:
            return self._fixed[question]
        if question.key in {".", ".."} or (not question.key and question.topic is not Topic.DAEMON):
            return MISSING
        return self._ask(question, wire)

    def restore(self) -> None:
        """Make what is missing, and let run what should."""
        with self.changing:
            if self._wire.ask("GET", "/images/busybox/json").status != _OK:
                self._wire.ask("POST", f"/images/{_SPARE}/tag?repo=busybox")
            for name, body in _CONTAINERS.items():
                self._restore_container(name, body)
            for name, options in _VOLUMES.items():
                if self._wire.ask("GET", f"/volumes/{name}").status != _OK:
                    self._wire.ask("POST", "/volumes/create", {"Name": name, "DriverOpts": options})
            if self._wire.ask("GET", "/networks/street").status != _OK:
                self._wire.ask("POST", "/networks/create", _STREET)

    def renew(self, name: str) -> None:
        """Replace a container by one that was never used."""
        self._wire.ask("DELETE", f"/containers/{name}?force=1")
        self._restore_container(name, _CONTAINERS[name])

    def _restore_container(self, name: str, body: Any) -> None:
        state = (self._wire.ask("GET", f"/containers/{name}/json").json() or {}).get("State")
        wanted = "running" if body is _SLEEPING else "created"
        if state and state["Status"] == wanted:
            return
        if state:
            self._wire.ask("DELETE", f"/containers/{name}?force=1")
        made = self._wire.ask("POST", f"/containers/create?name={name}", body)
        assert made.status == 201, made
        if wanted == "running":
            started = self._wire.ask("POST", f"/containers/{name}/start")
            assert started.status == 204, started

    def _remember(self, topic: Topic, key: str) -> None:
        question = Question(topic, key)
        self._fixed[question] = self._ask(question, self._wire)

    def _ask(self, question: Question, wire: Wire) -> Answer:
        if question.topic is Topic.VARIANT:
            where = target(question)
        else:
            where = _PATHS[question.topic].format(quote(question.key, safe=""))
        found = wire.ask("GET", where)
        return json.loads(found.body) if found.status == _OK else MISSING
