"""``dockgate grants``: what is granted now."""

import json

import pytest
from click.testing import CliRunner

from authz.cli.grants import command
from tests.scripted_http import scripted

GRANT = {
    "id": "01J",
    "subject": "user:alice",
    "action": "container.exec",
    "facts": ["on:own", "exec.user:root"],
    "reason": "INC-1 \u202e",
    "by": "user:root",
    "ends": "2026-11-28T12:30:00+00:00",
}


@pytest.fixture
def listed(tmp_path):
    """Return what is printed of some grants."""

    def run(*grants, options=()):
        text = json.dumps({"grants": grants}).encode()
        with scripted(tmp_path / "s", {"GET /grants": (200, text)}):
            done = CliRunner().invoke(command, ["--admin", f"unix://{tmp_path}/s", *options])
        assert done.exit_code == 0
        return done.output

    return run


def test_each_grant_has_its_lines(listed):
    """Who, what, until when, why and by whom; nothing in it moves a cursor."""
    first, second = listed(GRANT).splitlines()

    assert first == (
        "01J  user:alice container.exec on:own exec.user:root  until 2026-11-28T12:30:00+00:00"
    )
    assert second.strip() == "INC-1 \\u202e (user:root)"


def test_nothing_granted_is_said(listed):
    """So that nobody takes silence for a failure."""
    assert listed() == "Nothing is granted.\n"


def test_programs_get_a_document(listed):
    """As the service tells it."""
    assert json.loads(listed(GRANT, options=["--json"])) == {"grants": [GRANT]}
