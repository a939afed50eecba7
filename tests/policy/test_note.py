"""What the comment above a row says."""

from __future__ import annotations

import pytest

from authz.policy.note import Note, read_note


@pytest.mark.parametrize(
    ("comments", "note"),
    [
        ([], Note()),
        (["# developer on a shared workstation"], Note()),
        (["# no-root:"], Note("no-root")),
        (["#no-root: not as root"], Note("no-root", "not as root")),
        (["## no-root: not as root"], Note("no-root", "not as root")),
        (
            ["# no-root: the host's root [CIS 5.6, PSS HostPath]"],
            Note("no-root", "the host's root", ("CIS 5.6", "PSS HostPath")),
        ),
        (["# no-root: [CIS 5.6,]"], Note("no-root", "", ("CIS 5.6",))),
        (["# no-root: see [1] there"], Note("no-root", "see [1] there")),
        (["# first: one", "# second: two"], Note("second", "two")),
        (["# no-root: not", "# as root [CIS 4.1]"], Note("no-root", "not as root", ("CIS 4.1",))),
        (["# See https://example.com: there"], Note()),
        (["# https://example.com"], Note()),
        (["# Note: an upper-case word is no id"], Note()),
        (
            ["# CIS-5.6: a name with capitals is one"],
            Note("CIS-5.6", "a name with capitals is one"),
        ),
        (["# no-root: not", "# Note: ever"], Note("no-root", "not Note: ever")),
    ],
)
def test_the_note_above_a_row(comments: list[str], note: Note):
    """Id, message and controls; a comment without an id says nothing about the row."""
    assert read_note(comments) == note
