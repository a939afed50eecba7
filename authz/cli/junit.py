"""The results of a policy's tests as JUnit XML, which every CI system reads."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from authz.policy.explain import printable
from authz.proof import Result


def junit_xml(name: str, results: Sequence[Result]) -> bytes:
    """Return one suite with a case for each result, and each complaint as a failure."""
    failures = sum(bool(result.complaint) for result in results)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0"}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": printable(name), **counts})
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
    ET.indent(suites)
    text: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
