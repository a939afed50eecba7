"""JUnit XML."""

from xml.etree import ElementTree as ET

from authz.cli.junit import junit_xml
from authz.errors import Location
from authz.policy.case_file import Case
from authz.policy.decision import Effect
from authz.tools.proof import Result


def test_what_xml_cannot_hold_is_escaped():
    """Control characters of a name or a complaint, and angle brackets."""
    case = Case("a\x00<b>", "GET", "/_ping", Effect.ALLOW, Location("tests.toml", 3, 1))
    suites = ET.fromstring(junit_xml([("x", [Result(case, "no\x1b")])]))  # noqa: S314  our own
    (found,) = suites.iter("testcase")
    assert found.get("name") == "a\\x00<b>"
    assert found.find("failure").text == "no\\x1b"
    assert suites.get("failures") == "1"
