"""Puts written requests through the gate: for decide, try and test.

The same functions as in the doors, without waiting: what a look-up would have
told is given, or it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authz.errors import ConfigurationError
from authz.facts.questions import MISSING, Answer, Answers, Question, Topic

OWNER_LABEL = "dockgate.owner"
TENANT_LABEL = "dockgate.tenant"

SHORTHANDS = frozenset({"owner", "tenant", "missing", "container", "user"})
"""Keys of a given table that are not members of the daemon's inspect document."""


def answers_from(given: Mapping[str, Any]) -> Answers:
    """Turn the tables of ``--given`` or of a policy test into answers.

    ``[container.web]``, ``[volume.data]``, ``[image."nginx"]`` and the like hold
    members of the daemon's inspect document, or the short forms ``owner``,
    ``tenant``, ``missing = true``, ``container`` (of an exec) and ``user`` (of
    an image or an exec). ``[daemon]`` holds members of ``GET /info``. Raises
    ConfigurationError on a table that is none of these.
    """
    answers: dict[Question, Answer] = {}
    for name, table in given.items():
        topic = _topic(name)
        if not isinstance(table, dict):
            raise ConfigurationError(f"given.{name} is {table!r}; expected a table")
        if topic is Topic.DAEMON:
            answers[Question(topic, "")] = table
            continue
        for key, document in table.items():
            if not isinstance(document, dict):
                raise ConfigurationError(f"given.{name}.{key} is {document!r}; expected a table")
            answers[Question(topic, key)] = _document(topic, key, document)
    return answers


def _topic(name: str) -> Topic:
    try:
        return Topic(name)
    except ValueError:
        expected = ", ".join(topic.value for topic in Topic)
        raise ConfigurationError(f"given.{name} is not known; expected one of {expected}") from None


def _document(topic: Topic, key: str, table: Mapping[str, Any]) -> Answer:
    """Spell out the short forms as the daemon's inspect document has them."""
    if table.get("missing"):
        return MISSING
    document = {name: value for name, value in table.items() if name not in SHORTHANDS}
    labels = {
        label: str(table[short])
        for short, label in (("owner", OWNER_LABEL), ("tenant", TENANT_LABEL))
        if short in table
    }
    if topic is Topic.CONTAINER:
        config = dict(document.get("Config", {}))
        config["Labels"] = {**config.get("Labels", {}), **labels}
        return {"Id": key, "Name": f"/{key}", "HostConfig": {}, **document, "Config": config}
    if topic is Topic.EXEC:
        process = {"user": table.get("user", ""), **document.get("ProcessConfig", {})}
        return {
            "ID": key,
            "ContainerID": table.get("container", ""),
            **document,
            "ProcessConfig": process,
        }
    if topic is Topic.IMAGE:
        config = {"User": table.get("user", ""), **document.get("Config", {})}
        return {"Id": "", "RepoTags": [], **document, "Config": config}
    if topic is Topic.PATH:
        return {"path": key, **document}
    return {"Name": key, **document, "Labels": {**document.get("Labels", {}), **labels}}
