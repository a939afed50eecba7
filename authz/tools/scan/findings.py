"""What a policy would not allow of what is there: one finding for each fact that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from authz import gate
from authz.errors import RefusedError
from authz.facts.facts import Facts
from authz.facts.labels import OWNER, TENANT
from authz.facts.questions import Answer, Question, Topic
from authz.identity.identity import Identity, Proof
from authz.policy.decision import Outcome, Row
from authz.policy.snapshot import Snapshot
from authz.policy.subject import CALLERS, fault_of
from authz.tools.rehearse import rehearse
from authz.tools.scan.inventory import Daemon, Inventory
from authz.tools.scan.requests import container_request, labels_of, name_of, service_request
from authz.wire.raw import Door, RawRequest

ROUNDS: Final = 4
"""Rounds of questions; what is still open then is not known."""

NO_ROW: Final = "no-row"
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact of one object that the policy does not allow.

    ``rule`` is the control that is broken, else the row's id, ``no-row`` where
    nothing allows the fact, or ``unreadable``. ``kind`` is container or service.
    """

    rule: str
    kind: str
    id: str
    name: str
    subject: str
    fact: str
    message: str
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """How somebody's things are judged.

    ``caller`` is whose they are where no label says so. ``only_denied`` leaves
    out facts that no row speaks of: a pack alone allows nothing.
    """

    snapshot: Snapshot
    caller: Identity
    only_denied: bool = False
    door: Door = Door.PLUGIN

    async def findings(self, daemon: Daemon, inventory: Inventory) -> list[Finding]:
        """Judge everything that is there."""
        found: list[Finding] = []
        for container in inventory.containers:
            request = container_request(container, inventory)
            found += await self._judge("container", container, request, daemon, inventory)
        for service in inventory.services:
            request = service_request(service, inventory)
            found += await self._judge("service", service, request, daemon, inventory)
        return found

    async def _judge(
        self,
        kind: str,
        document: Mapping[str, Any],
        request: RawRequest,
        daemon: Daemon,
        inventory: Inventory,
    ) -> list[Finding]:
        identity = self._owner(labels_of(document))
        request = replace(request, door=self.door)
        answers = await self._answers(request, identity, daemon, inventory)
        result = rehearse(request, identity, self.snapshot, answers)
        number = str(document.get("Id") or document.get("ID"))
        who = kind, number, name_of(document), identity.subject
        if result.verdict.decision is None:
            return [Finding(UNREADABLE, *who, "", result.record.detail)]
        failing = [each for each in result.record.outcomes if not each.allowed]
        return [each for outcome in failing for each in self._of(outcome, who)]

    def _of(self, outcome: Outcome, who: tuple[str, str, str, str]) -> Iterator[Finding]:
        row, fact = outcome.row, str(outcome.fact)
        if row is None:
            if not self.only_denied:
                yield Finding(NO_ROW, *who, fact, "no row allows it")
            return
        for rule in row.controls or (row.id,):
            yield Finding(rule, *who, fact, outcome.error or row.message or row.fact, row)

    def _owner(self, labels: Mapping[str, str]) -> Identity:
        subject = labels.get(OWNER, "")
        if not subject or fault_of(subject, CALLERS):
            return self.caller
        tenant = labels.get(TENANT, "") or self.caller.tenant
        return Identity(subject, self.caller.groups, tenant, Proof.ASSUMED)

    async def _answers(
        self, request: RawRequest, identity: Identity, daemon: Daemon, inventory: Inventory
    ) -> dict[Question, Answer]:
        """Ask until nothing is left; a request that is refused asks nothing."""
        answers: dict[Question, Answer] = {Question(Topic.DAEMON, ""): inventory.daemon}
        asked = set(answers)
        try:
            prepared = gate.prepare(request, identity, self.snapshot)
            for _ in range(ROUNDS):
                found = gate.survey(prepared, answers)
                if isinstance(found, Facts) or asked.issuperset(found):
                    break
                answers |= await daemon.answers(set(found) - asked)
                asked |= set(found)
        except RefusedError:
            pass
        return answers


def by_rule(findings: list[Finding]) -> dict[str, list[Finding]]:
    """Return the findings of each rule, the rules in order."""
    found: dict[str, list[Finding]] = {}
    for each in sorted(findings, key=lambda one: (one.rule, one.kind, one.name, one.fact)):
        found.setdefault(each.rule, []).append(each)
    return found


def as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding for a program."""
    row = finding.row
    return {
        "rule": finding.rule,
        "kind": finding.kind,
        "id": finding.id,
        "name": finding.name,
        "subject": finding.subject,
        "fact": finding.fact or None,
        "message": finding.message,
        "row": row.id if row else None,
        "at": row.at if row else None,
        "controls": list(row.controls) if row else [],
    }
