"""The results of a policy's tests as JUnit XML, which every CI system reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from authz.policy.explain import printable
from authz.tools.proof import Result

COUNTS: Final = ("tests", "failures", "errors")


def junit_xml(proved: Iterable[tuple[str, Sequence[Result]]]) -> bytes:
    """Return a suite for each name, a case for each result, each complaint as a failure."""
    suites = ET.Element("testsuites")
    counts = [_suite(ET.SubElement(suites, "testsuite"), *each) for each in proved]
    for key in COUNTS:
        suites.set(key, str(sum(each[key] for each in counts)))
    ET.indent(suites)
    text: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(suite: ET.Element, name: str, results: Sequence[Result]) -> Mapping[str, int]:
    """Fill in one suite; return what is counted of it."""
    failures = sum(bool(result.complaint) for result in results)
    counts = dict(zip(COUNTS, (len(results), failures, 0), strict=True))
    suite.set("name", printable(name))
    for key, count in counts.items():
        suite.set(key, str(count))
    for result in results:
        place = result.case.location
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": printable(name),
                "name": printable(result.case.name),
                "file": place.file,
                "line": str(place.line),
            },
        )
        if result.complaint:
            message = printable(result.complaint)
            ET.SubElement(case, "failure", {"message": message}).text = message
    return counts
