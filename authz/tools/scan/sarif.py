"""Findings as SARIF 2.1.0, which code scanning services show.

What is found has no source file: its place is a logical one, the name of a
container or a service.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from authz import __version__
from authz.tools.scan.findings import NO_ROW, UNREADABLE, Finding, by_rule

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_OWN: Final = {
    NO_ROW: "No row of the policy allows this.",
    UNREADABLE: "The gate refuses to read the request that would create this.",
}


def sarif(findings: Sequence[Finding], policy: str) -> dict[str, Any]:
    """Return one run; ``policy`` is the digest of what judged."""
    rules = list(by_rule(list(findings)))
    places = {rule: index for index, rule in enumerate(rules)}
    about = {each.rule: each.message for each in reversed(findings)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "dockgate",
                        "version": __version__,
                        "rules": [
                            {
                                "id": rule,
                                "shortDescription": {"text": _OWN.get(rule) or about[rule] or rule},
                            }
                            for rule in rules
                        ],
                    }
                },
                "results": [_result(each, places[each.rule]) for each in findings],
                "properties": {"policy": policy},
            }
        ],
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    what = f"{finding.kind} {finding.name}"
    said = f"{finding.fact}: {finding.message}" if finding.fact else finding.message
    identity = json.dumps([finding.rule, finding.kind, finding.name, finding.fact])
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": "warning" if finding.row is None else "error",
        "message": {"text": f"{what}: {said}"},
        "locations": [
            {
                "logicalLocations": [
                    {
                        "name": finding.name,
                        "fullyQualifiedName": f"{finding.kind}/{finding.name}",
                        "kind": "resource",
                    }
                ]
            }
        ],
        "partialFingerprints": {"dockgate/v1": hashlib.sha256(identity.encode()).hexdigest()},
        "properties": {"id": finding.id, "subject": finding.subject},
    }
