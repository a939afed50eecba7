"""One body put to our reader and to the daemon, and what each made of it.

A finding is a request that both take and that made something else than we
read. What we refuse is safe; what the daemon refuses harms nobody.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from authz.docker.forward import forward
from authz.errors import Reason, RefusedError
from authz.facts.container import target_facts
from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.questions import Answer, Question
from authz.wire.raw import Door, RawRequest
from tests.differential import dangers, stored
from tests.differential.bodies import CHANGE, Case
from tests.differential.reading import SOMEBODY, Reading, read
from tests.differential.stage import Stage
from tests.differential.wire import Answer as Reply
from tests.differential.wire import Wire, written

_MADE = range(200, 300)
_CONTEXT = frozenset({"volume", "ipc", "cgroupns", "net"})
"""Kinds that a stored container has values of which its create could not yet say."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case ended: ``taken`` by the daemon, ``refused`` by us, and what differs."""

    taken: bool
    refused: bool
    differences: tuple[str, ...] = ()


class Trials:
    """Puts cases to one daemon, on one connection."""

    connections = 3

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._wire = Wire(stage.daemon.socket)
        self._updates = 0
        self._kinds: dict[str, Callable[[Case, Reading, Reply], Iterator[str]]] = {
            "ContainerCreate": self._container,
            "VolumeCreate": self._volume,
            "ContainerExec": self._exec,
            "NetworkCreate": self._network,
        }

    def run(self, case: Case) -> Outcome:
        """Read the case, send it, compare, and remove what was made."""
        reading, body = self._read(case)
        request = written("POST", case.target, body)
        if case.operation == "ContainerUpdate":
            return self._update(case, reading, request)
        reply = self._wire.send(request)
        if reply.status not in _MADE:
            return Outcome(taken=False, refused=reading.refusal is not None)
        try:
            found = (
                () if reading.refusal else tuple(self._kinds[case.operation](case, reading, reply))
            )
        finally:
            self._remove(case, reply)
        return Outcome(taken=True, refused=reading.refusal is not None, differences=found)

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _read(self, case: Case) -> tuple[Reading, bytes]:
        """Read a case, and say what goes to the daemon.

        That is the body as it came; where only the proxy can take it, what the proxy
        makes of it.
        """
        reading = read("POST", case.target, case.body, self._ask)
        if reading.refusal is None or reading.refusal.reason is not Reason.LEGACY_FORM:
            return reading, case.body
        anew = read("POST", case.target, case.body, self._ask, Door.PROXY)
        if anew.request is None:
            return reading, case.body
        sent = forward(RawRequest("POST", case.target, (), case.body), anew.request).body
        assert sent is not None
        return anew, sent

    def _ask(self, question: Question) -> Answer:
        return self._stage.answer(question, self._wire)

    def _get(self, target: str) -> Any:
        return self._wire.ask("GET", target).json()

    def _container(self, _case: Case, reading: Reading, reply: Reply) -> Iterator[str]:
        found = self._get(f"/containers/{reply.json()['Id']}/json")
        assert reading.request is not None
        if found is None:
            yield "the daemon cannot show what it made"
            return
        yield from stored.container_differences(reading.request.body, found)
        yield from _untold(
            dangers.container_dangers(
                found,
                lambda name: self._get(f"/volumes/{name}"),
                deep=self._stage.makes_submounts_read_only,
            ),
            reading,
        )
        yield from self._unforeseen(found, reading)

    def _unforeseen(self, found: Any, reading: Reading) -> Iterator[str]:
        """Describe the stored container as an exec would, and miss nothing of that."""
        try:
            facts = self._stored_facts(found)
        except RefusedError as refusal:
            yield f"the stored container reads as no create that we take: {refusal.detail}"
            return
        for fact in facts:
            kind = fact.kind.removeprefix("target.")
            told = {(kind, fact.value), (fact.kind, fact.value)} & reading.told
            # The daemon adds it to a bind that contains its own data, which is told as a bind.
            added = (kind, fact.value) == ("bind.prop", "rslave")
            if not told and kind not in _CONTEXT and not added:
                yield f"{fact} of the stored container was not told"

    def _stored_facts(self, found: Any) -> tuple[Fact, ...]:
        answers: dict[Question, Answer] = {}
        while True:
            known = Known(answers, SOMEBODY)
            facts = tuple(target_facts(found, known))
            if not known.pending:
                return facts
            answers |= {question: self._ask(question) for question in known.pending}

    def _volume(self, _case: Case, reading: Reading, reply: Reply) -> Iterator[str]:
        found = self._get(f"/volumes/{reply.json()['Name']}")
        assert reading.request is not None
        yield from stored.volume_differences(reading.request.body, found)
        yield from _untold(dangers.volume_dangers(found, writable=True), reading)

    def _exec(self, _case: Case, reading: Reading, reply: Reply) -> Iterator[str]:
        found = self._get(f"/exec/{reply.json()['Id']}/json")
        assert reading.request is not None
        yield from stored.exec_differences(reading.request.body, found)
        yield from _untold(dangers.exec_dangers(found), reading)

    def _network(self, _case: Case, reading: Reading, reply: Reply) -> Iterator[str]:
        found = self._get(f"/networks/{reply.json()['Id']}")
        assert reading.request is not None
        yield from stored.network_differences(reading.request.body, found)

    def _update(self, _case: Case, reading: Reading, request: bytes) -> Outcome:
        """Update the one container that is there for it, alone."""
        with self._stage.changing:
            self._updates += 1
            if self._updates % 10 == 0:
                self._stage.renew(CHANGE)
            before = self._get(f"/containers/{CHANGE}/json")["HostConfig"]
            reply = self._wire.send(request)
            after = self._get(f"/containers/{CHANGE}/json")["HostConfig"]
        if reading.refusal or reading.request is None or reply.status not in _MADE:
            return Outcome(reply.status in _MADE, reading.refusal is not None)
        changes = stored.update_differences(reading.request.body, before, after)
        return Outcome(taken=True, refused=False, differences=tuple(changes))

    def _remove(self, case: Case, reply: Reply) -> None:
        made = reply.json() or {}
        if case.operation == "ContainerCreate":
            self._wire.ask("DELETE", f"/containers/{made['Id']}?force=1&v=1")
            self._wire.ask("DELETE", f"/volumes/{case.volume}?force=1")
        elif case.operation == "VolumeCreate":
            self._wire.ask("DELETE", f"/volumes/{made['Name']}?force=1")
        elif case.operation == "NetworkCreate":
            self._wire.ask("DELETE", f"/networks/{made['Id']}")


def _untold(found: Iterator[dangers.Danger], reading: Reading) -> Iterator[str]:
    for danger in found:
        if not danger & reading.told and not any(_begins(danger, fact) for fact in reading.told):
            yield f"{' or '.join(':'.join(fact) for fact in sorted(danger))} was not told"


def _begins(danger: dangers.Danger, fact: tuple[str, str]) -> bool:
    """Say whether a fact is one of those that end in a value which only we can know."""
    return any(
        kind == fact[0] and value.endswith("file:") and fact[1].startswith(value)
        for kind, value in danger
    )
