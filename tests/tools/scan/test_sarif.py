"""SARIF: the members that version 2.1.0 requires, and those that services sort by."""

import json

from authz.errors import Location
from authz.policy.decision import Row, Word
from authz.tools.scan.findings import NO_ROW, Finding
from authz.tools.scan.sarif import sarif

ROW = Row(
    *("role:dev", "*", "*", "privileged:true", "*", Word.DENY, "no-root"),
    Location("policy.csv", 4),
    "root on this host",
    ("CIS 5.5",),
)
FINDINGS = [
    Finding(
        "CIS 5.5", "container", "c1", "web", "user:a", "privileged:true", "root on this host", ROW
    ),
    Finding(NO_ROW, "service", "s1", "spy", "user:a", "on:new", "no row allows it"),
    Finding(NO_ROW, "container", "c2", "odd", "user:a", "", "cannot be read"),
]


def test_the_required_members_are_there():
    """version, runs; tool.driver.name; id of each rule; message and a location of each result."""
    document = json.loads(json.dumps(sarif(FINDINGS, "abc")))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-2.1.0.json")
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "dockgate"
    assert [rule["id"] for rule in driver["rules"]] == ["CIS 5.5", "no-row"]
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    for result in run["results"]:
        assert result["message"]["text"]
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]


def test_a_result_says_what_and_where():
    """And is the same one tomorrow."""
    results = sarif(FINDINGS, "abc")["runs"][0]["results"]
    assert [each["level"] for each in results] == ["error", "warning", "warning"]
    assert results[0]["message"]["text"] == "container web: privileged:true: root on this host"
    assert results[2]["message"]["text"] == "container odd: cannot be read"
    prints = [each["partialFingerprints"]["dockgate/v1"] for each in results]
    assert len(set(prints)) == 3
    assert prints == [
        each["partialFingerprints"]["dockgate/v1"]
        for each in sarif(FINDINGS, "other")["runs"][0]["results"]
    ]


def test_nothing_found_is_a_run_too():
    """A service must see that it is all right now."""
    (run,) = sarif([], "abc")["runs"]
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []
