"""What the scratch daemon of ``dockgate try`` knows: nothing but what the client has made.

A real daemon would be asked about containers, volumes and networks. This one
is empty, so every name is missing until an allowed request makes it; then the
later requests of the same client see it as the daemon would store it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authz.cli.scratch import INFO, OBJECT_ID
from authz.facts.questions import MISSING, Answer, Answers, Question, Topic
from authz.tools.rehearse import stored_container
from authz.wire.raw import RawRequest

_EMPTY = frozenset(Topic) - {Topic.DAEMON, Topic.PATH}
"""What an empty daemon can be asked about and does not have; a path it does not look at."""


class ScratchObjects(Mapping[Question, Answer]):
    """Answers as an empty daemon gives them; what is ``given`` counts before."""

    def __init__(self, given: Answers) -> None:
        self._known: dict[Question, Answer] = {Question(Topic.DAEMON, ""): INFO, **given}

    def __getitem__(self, question: Question) -> Answer:
        """Return an answer; KeyError where an empty daemon could not tell."""
        if question not in self._known and question.topic in _EMPTY:
            return MISSING
        return self._known[question]

    def __iter__(self) -> Iterator[Question]:
        """Go through what is known to be there."""
        return iter(self._known)

    def __len__(self) -> int:
        """Count what is known to be there."""
        return len(self._known)

    def made(self, operation: str, raw: RawRequest) -> None:
        """Take note of what an allowed request makes."""
        body = _object(raw.body)
        stored: dict[str, Any]
        match operation:
            case "ContainerCreate":
                name = parse_qs(urlsplit(raw.target).query).get("name", ["scratch"])[0]
                self._put(Topic.CONTAINER, stored_container(name, body), OBJECT_ID, name)
            case "ContainerExec":
                process = {"user": body.get("User"), "privileged": body.get("Privileged")}
                stored = {"ID": OBJECT_ID, "ContainerID": OBJECT_ID, "ProcessConfig": process}
                self._put(Topic.EXEC, stored, OBJECT_ID)
            case "VolumeCreate":
                driver, options = body.get("Driver"), body.get("DriverOpts")
                name = str(body.get("Name") or "scratch")
                self._put(Topic.VOLUME, {"Name": name, "Driver": driver, "Options": options}, name)
            case "NetworkCreate":
                name = str(body.get("Name"))
                stored = {"Name": name, "Driver": body.get("Driver"), "Id": OBJECT_ID}
                self._put(Topic.NETWORK, stored, OBJECT_ID, name)

            case "ServiceCreate" | "SecretCreate" | "ConfigCreate":
                topic = Topic(operation.removesuffix("Create").lower())
                spec = {key: value for key, value in body.items() if key != "Data"}
                self._put(topic, {"ID": OBJECT_ID, "Spec": spec}, OBJECT_ID, str(spec.get("Name")))

    def _put(self, topic: Topic, document: Mapping[str, Any], *names: str) -> None:
        for name in names:
            self._known[Question(topic, name)] = document


class Overheard(Mapping[Question, Answer]):
    """Answers, with a note of which of them one request needed."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._asked: dict[Question, Answer] = {}

    def __getitem__(self, question: Question) -> Answer:
        """Answer, and take note of it."""
        answer = self._answers[question]
        self._asked[question] = answer
        return answer

    def __iter__(self) -> Iterator[Question]:
        """Go through what could be answered."""
        return iter(self._answers)

    def __len__(self) -> int:
        """Count what could be answered."""
        return len(self._answers)

    def given(self) -> dict[str, Any]:
        """Return what was needed as the ``given`` tables of a case."""
        tables: dict[str, Any] = {}
        for question, answer in self._asked.items():
            document = dict(answer) if isinstance(answer, Mapping) else {"missing": True}
            if question.topic is Topic.DAEMON:
                tables[question.topic.value] = document
            else:
                tables.setdefault(question.topic.value, {})[question.key] = document
        return tables


def _object(body: bytes) -> dict[str, Any]:
    """Read a body that was judged already; one that is no document makes nothing."""
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
