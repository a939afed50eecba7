"""Versions of the daemon, held against the table of holes."""

import pytest

from authz.doctor.holes import holes_of, load_holes, version_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("26.1.5+dfsg1", (26, 1, 5)),
        ("20.10.24", (20, 10, 24)),
        ("29.3", (29, 3, 0)),
        ("29.3.1-rc.1", (29, 3, 0)),
        ("29.3.1-ce", (29, 3, 1)),
        ("dev", None),
        ("", None),
        ("29.3.12345", (29, 3, 0)),
    ],
)
def test_versions_are_read(text, expected):
    """What is no version is none; a release candidate lacks what the release has."""
    assert version_of(text) == expected


@pytest.mark.parametrize(
    ("version", "hole", "has"),
    [
        ("20.10.24", "CVE-2024-41110", True),
        ("23.0.14", "CVE-2024-41110", True),
        ("23.0.15", "CVE-2024-41110", False),
        ("24.0.9", "CVE-2024-41110", True),
        ("26.0.2", "CVE-2024-41110", True),
        ("26.1.4", "CVE-2024-41110", True),
        ("26.1.5", "CVE-2024-41110", False),
        ("27.1.0", "CVE-2024-41110", True),
        ("27.1.1", "CVE-2024-41110", False),
        ("28.0.0", "CVE-2024-41110", False),
        ("25.0.15", "CVE-2026-34040", True),
        ("25.0.16", "CVE-2026-34040", False),
        ("28.5.2", "CVE-2026-34040", True),
        ("29.3.0", "CVE-2026-34040", True),
        ("29.3.1-rc.1", "CVE-2026-34040", True),
        ("29.3.1", "CVE-2026-34040", False),
        ("1.12.6", "CVE-2026-33997", False),
        ("29.3.0", "CVE-2026-33997", True),
    ],
)
def test_a_hole_is_closed_from_the_first_good_version_of_its_branch(version, hole, has):
    """A branch without one has the hole until the newest branch that has none."""
    assert (hole in {each.id for each in holes_of(version)}) is has


def test_a_package_that_repaired_a_hole_does_not_have_it():
    """Debian keeps the number and names what it repaired; another number is another hole."""
    left = {each.id for each in holes_of("26.1.4", "* Fix CVE-2024-41110, CVE-2026-340401")}

    assert left == {"CVE-2026-34040", "CVE-2026-33997"}


def test_a_version_that_nobody_knows_is_a_finding():
    """It is not taken for a good one."""
    assert [each.id for each in holes_of("dev")] == ["engine-unknown"]


def test_every_row_has_its_source():
    """A fact that nobody can look up is a rumour."""
    assert load_holes()
    assert all(each.source.startswith("https://") and each.what for each in load_holes())
