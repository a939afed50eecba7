"""What was learned, as a bundle with its tests."""

import pytest

from authz.audit.record import Mode
from authz.policy.bundle import load_bundle
from authz.policy.case_file import load_cases
from authz.policy.decision import Effect
from authz.policy.snapshot import compile_snapshot
from authz.tools.learn.bundle import cases_of, folder_of
from authz.tools.learn.lesson import Lesson
from authz.tools.learn.rows import drafted
from authz.tools.proof import run
from tests.records import a_create, a_record, a_snapshot, read_back


@pytest.fixture
def learned(tmp_path):
    """Return a function that learns from creates, and writes the bundle."""

    def made(*bodies):
        observe = a_snapshot("builtin:observe")
        lesson = Lesson()
        lesson.read(read_back(a_record(observe, body=b, mode=Mode.SHADOW)) for b in bodies)
        rows = drafted(lesson.uses, lesson.unguarded)
        folder_of(lesson, rows).write(tmp_path / "b")
        snapshot = compile_snapshot(load_bundle(tmp_path / "b"))
        (tmp_path / "b" / "tests.toml").write_text(cases_of(rows, snapshot))
        return snapshot

    return made


def cases(snapshot):
    """Return the cases and whether they pass."""
    found = load_cases(snapshot.bundle.root / "tests.toml")
    assert not [
        each.complaint for each in (run(case, snapshot) for case in found) if each.complaint
    ]
    return found


def test_it_loads_without_a_warning_and_passes_its_tests(learned):
    """And its tests say what stays denied, with an image that is allowed."""
    snapshot = learned(a_create("quay.io/app:3"))
    assert snapshot.bundle.warnings == ()
    names = {case.name: case for case in cases(snapshot)}
    assert set(names) == {
        "everybody may ping",
        "user:alice may not run --privileged",
        "user:alice may not mount the root of the host",
    }
    assert b'"Image": "quay.io/app"' in names["user:alice may not run --privileged"].body


def test_what_was_done_has_no_test_against_it(learned):
    """It is in the rows, with a warning."""
    snapshot = learned(a_create(Privileged=True))
    assert "may not run --privileged" not in " ".join(case.name for case in cases(snapshot))
    assert (
        "WARNING, it grants root on the host" in (snapshot.bundle.root / "policy.csv").read_text()
    )


def test_the_guard_pack_is_left_out_where_it_was_not_kept_to(learned):
    """What was done must go on."""
    snapshot = learned(a_create(Binds=["/run/docker.sock:/s"]))
    assert "sockets" not in (snapshot.bundle.root / "bundle.toml").read_text()
    record = read_back(
        a_record(a_snapshot("builtin:observe"), body=a_create(Binds=["/run/docker.sock:/s"]))
    )
    assert record.judge(snapshot).effect is Effect.ALLOW


def test_nothing_is_learned_from_nothing(learned):
    """A bundle that allows a ping."""
    snapshot = learned()
    assert [case.name for case in cases(snapshot)] == ["everybody may ping"]
