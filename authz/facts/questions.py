"""What must be looked up before a request can be described, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple


class Topic(StrEnum):
    """What a question is about."""

    CONTAINER = "container"
    EXEC = "exec"
    VOLUME = "volume"
    IMAGE = "image"
    VARIANT = "variant"
    """What an image is for one platform; the key is ``os/arch[/variant] name``."""
    NETWORK = "network"
    SERVICE = "service"
    TASK = "task"
    SECRET = "secret"  # noqa: S105  the kind of an object
    CONFIG = "config"
    NODE = "node"
    DAEMON = "daemon"
    """The daemon's own settings (``GET /info``); the key is empty."""
    PATH = "path"
    """Where a host path really leads, symbolic links resolved; the key is the path."""

    __hash__ = str.__hash__  # looked up for every question; equal, and written in C


class Question(NamedTuple):
    """One look-up: ``Question(Topic.CONTAINER, "web")``."""

    topic: Topic
    key: str


class _Missing:
    """The daemon says that there is no such object."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""The answer "there is no such object" (HTTP 404)."""

Answer = Mapping[str, Any] | _Missing
"""The daemon's inspect document (for PATH: ``{"path": ...}``), or MISSING."""

Answers = Mapping[Question, Answer]
"""What has been answered. A question that is not in it is not known: the fact value ``unknown``.

The doors never leave a question out: a look-up that fails is a refusal. Only a
rehearsal (``decide``, ``test``, ``try``) may.
"""
