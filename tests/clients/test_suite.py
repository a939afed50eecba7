"""How the outcomes of other people's tests are read, and how these are named again."""

from tests.clients import dockerode, suite

REPORT = """<testsuites><testsuite>
<testcase classname="tests.core.test_a" name="test_passes" />
<testcase classname="tests.core.test_a.TestB" name="test_fails[x]"><failure>no</failure></testcase>
<testcase classname="tests.core.test_a" name="test_breaks"><error>no</error></testcase>
<testcase classname="tests.core.test_a" name="test_waits"><skipped /></testcase>
</testsuite></testsuites>"""


def test_what_pytest_wrote_is_read(tmp_path):
    """A report of JUnit's form; none where it ended before it could write one."""
    (tmp_path / "report.xml").write_text(REPORT)

    assert suite.of_junit(tmp_path / "report.xml") == {
        "tests.core.test_a::test_passes": "passed",
        "tests.core.test_a.TestB::test_fails[x]": "failed",
        "tests.core.test_a::test_breaks": "failed",
        "tests.core.test_a::test_waits": "skipped",
    }
    assert suite.of_junit(tmp_path / "none.xml") == {}


def test_a_test_is_named_as_pytest_wants_it():
    """So that what differs can be tried again; what a person wrote stays."""
    assert suite._pytest_name("tests.a::b[c]") == "tests/a.py::b[c]"
    assert suite._pytest_name("tests.a.TestB::c") == "tests/a.py::TestB::c"
    assert suite._pytest_name("tests/a.py::b") == "tests/a.py::b"
    assert suite._pytest_name("tests/core") == "tests/core"


def test_what_mocha_wrote_is_read():
    """By file and full title."""
    told = {
        "passes": [{"fullTitle": "a b"}],
        "pending": [{"fullTitle": "c"}],
        "failures": [{"fullTitle": "d"}],
    }

    assert dict(dockerode._read("test/x.js", told)) == {
        "test/x.js::a b": "passed",
        "test/x.js::c": "skipped",
        "test/x.js::d": "failed",
    }
