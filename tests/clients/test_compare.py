"""Two runs of one suite beside each other."""

import json

from tests.clients.compare import Comparison, written

DIRECT = {"a": "passed", "b": "passed", "c": "failed", "d": "failed", "e": "passed"}
GATED = {"a": "passed", "b": "failed", "c": "failed", "d": "passed", "f": "failed"}


def test_what_passes_directly_has_to_pass_through_the_door():
    """One that failed there counts, and one that never ran there, too."""
    found = Comparison(DIRECT, GATED)

    assert found.broken == ("b", "e")
    assert not found.holds
    assert "BROKEN: b (passed / failed)" in str(found)
    assert "BROKEN: e (passed / None)" in str(found)


def test_what_fails_directly_says_nothing():
    """It may fail or pass behind the door."""
    found = Comparison({"a": "passed", "c": "failed", "d": "failed"}, GATED)

    assert found.holds
    assert found.mended == ("d",)
    assert str(found).splitlines()[0] == "direct: 2 failed, 1 passed"


def test_a_suite_that_did_not_run_proves_nothing():
    """Where nothing passes directly there is nothing to compare."""
    assert not Comparison({}, {}).holds
    assert not Comparison({"a": "failed"}, {}).holds
    assert "direct: nothing" in str(Comparison({}, {}))


def test_the_worst_phase_of_a_test_counts(tmp_path):
    """A test that passes and cannot clean up behind it has failed."""
    lines = [("a", "passed"), ("a", "failed"), ("b", "skipped"), ("c", "passed")]
    file = tmp_path / "outcomes"
    file.write_text("".join(json.dumps({"test": t, "outcome": o}) + "\n" for t, o in lines))

    assert written(file) == {"a": "failed", "b": "skipped", "c": "passed"}
    assert written(tmp_path / "none") == {}
