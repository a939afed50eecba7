"""What a daemon runs, and the answers that a judgement of it needs: by plain GET requests.

It asks as whoever may read the socket and changes nothing. It knows the API's
paths and nothing of policies.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from authz.errors import ConfigurationError, LookupFailedError
from authz.facts.members import table
from authz.facts.questions import MISSING, Answer, Question, Topic
from authz.lookups.paths import real_path
from authz.lookups.targets import target

TIME_LIMIT: Final = 20.0
"""Seconds for one question."""

MOST_AT_ONCE: Final = 8

SERVICE: Final = "com.docker.swarm.service.id"
"""The label by which a container is known to be a task of a service."""

NO_SWARM: Final = 503
OK: Final = 200
MISSING_STATUS: Final = 404

_TCP = re.compile(r"tcp://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that runs or could be started again, as the daemon describes it."""

    api: tuple[int, int]
    daemon: Document
    containers: tuple[Document, ...] = ()
    services: tuple[Document, ...] = ()


@dataclass(slots=True)
class Daemon:
    """A daemon at ``unix:///path`` or ``tcp://host:port``; to be used with ``async with``."""

    address: str
    _session: aiohttp.ClientSession = field(init=False)
    _origin: str = field(init=False)
    _room: asyncio.Semaphore = field(init=False)

    async def __aenter__(self) -> Self:
        """Open connections. Raises ConfigurationError for an address of another form."""
        path = self.address.removeprefix("unix://")
        connector: aiohttp.BaseConnector
        if path != self.address and path.startswith("/"):
            self._origin, connector = "http://docker", aiohttp.UnixConnector(path)
        elif found := _TCP.fullmatch(self.address):
            self._origin, connector = f"http://{found[1]}:{found[2]}", aiohttp.TCPConnector()
        else:
            wrong = f"host is {self.address!r}; expected unix:///path/to.sock or tcp://host:port"
            raise ConfigurationError(wrong)
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(TIME_LIMIT), trust_env=False
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close them."""
        await self._session.close()

    async def inventory(self) -> Inventory:
        """Return what runs. Raises ConfigurationError where the daemon does not say."""
        version = await self._document("/version")
        listing = "/containers/json?all=1"
        containers = self._objects(listing, "Id", await self._wanted(listing))
        status, told = await self._get("/services")
        services = self._objects("/services", "ID", told) if status == OK else []
        tasks = {each["ID"] for each in services}
        found = [
            self._found(f"/containers/{each['Id']}/json")
            for each in containers
            if table(each, "Labels").get(SERVICE) not in tasks  # judged as the service
        ]
        return Inventory(
            api=_version(version),
            daemon=await self._document("/info"),
            containers=tuple(each for each in await asyncio.gather(*found) if each),
            services=tuple(services),
        )

    async def answers(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Answer questions; what cannot be told is left out, and so is not known."""
        asked = list(questions)
        found = await asyncio.gather(*map(self._answer, asked))
        pairs = zip(asked, found, strict=True)
        return {question: answer for question, answer in pairs if answer is not None}

    async def _answer(self, question: Question) -> Answer | None:
        try:
            if question.topic is Topic.PATH:
                local = self.address.startswith("unix://")
                return await asyncio.to_thread(_path, question.key) if local else None
            status, document = await self._get(target(question))
        except (LookupFailedError, ConfigurationError):
            return None
        if status == OK and isinstance(document, dict):
            return document
        return MISSING if status in (MISSING_STATUS, NO_SWARM) else None

    async def _found(self, where: str) -> Document | None:
        """Return a container; None where it ended in the meantime."""
        status, document = await self._get(where)
        if status == OK and not isinstance(document, dict):
            raise ConfigurationError(f"{self.address}: GET {where}: expected a JSON object")
        return document if status == OK else None

    async def _document(self, where: str) -> Document:
        found = await self._wanted(where)
        return found if isinstance(found, dict) else {}

    def _objects(self, where: str, key: str, found: object) -> list[Document]:
        """Hold a list to its form: nothing must run unseen because it could not be read."""
        objects = [] if found is None else found
        if isinstance(objects, list) and all(
            isinstance(each, dict) and isinstance(each.get(key), str) for each in objects
        ):
            return objects
        problem = f"expected a JSON list of objects that have {key}"
        raise ConfigurationError(f"{self.address}: GET {where}: {problem}")

    async def _wanted(self, where: str) -> object:
        status, document = await self._get(where)
        if status == OK:
            return document
        said = document.get("message", "") if isinstance(document, dict) else ""
        raise ConfigurationError(f"{self.address}: GET {where}: status {status} {said}".rstrip())

    async def _get(self, where: str) -> tuple[int, Any]:
        try:
            async with (
                self._room,
                self._session.get(
                    URL(self._origin + where, encoded=True), allow_redirects=False
                ) as response,
            ):
                return response.status, json.loads(await response.read())
        except TimeoutError:
            raise ConfigurationError(f"{self.address}: GET {where}: no answer in time") from None
        except aiohttp.ClientConnectorError as error:
            raise ConfigurationError(f"{self.address}: cannot connect: {_why(error)}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ConfigurationError(f"{self.address}: {error}") from None
        except ValueError:
            raise ConfigurationError(f"{self.address}: GET {where}: no JSON") from None


def _path(path: str) -> Answer | None:
    try:
        return real_path(path, Path("/"))
    except LookupFailedError:
        return None


def _version(document: Document) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)\.(\d+)", str(document.get("ApiVersion", "")))
    if found is None:
        raise ConfigurationError(f"the daemon's API version is {document.get('ApiVersion')!r}")
    return int(found[1]), int(found[2])


def _why(error: aiohttp.ClientConnectorError) -> str:
    """Return the system's words; those of a library quote its own values."""
    found = error.os_error
    known = found.errno is not None and found.errno > 0  # a name that is not known has a negative
    return os.strerror(found.errno or 0) if known else found.strerror or "no address answers"
