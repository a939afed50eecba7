"""``dockgate grant``: what is asked of the service."""

import json

import click
import pytest
from click.testing import CliRunner

from authz.cli.grant import command, seconds
from tests.scripted_http import scripted

MADE = json.dumps({"id": "01J", "ends": "2026-11-28T12:30:00+00:00"}).encode()


@pytest.mark.parametrize(
    ("text", "expected"), [("30m", 1800), ("90s", 90), ("1h30m", 5400), ("8h", 28_800), ("0s", 0)]
)
def test_times_are_read(text, expected):
    """As people write them."""
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "30", "m", "1d", "-1h", "30m1h", " 1h", "1.5h", "\u0661h"])
def test_what_is_no_time_is_a_wrong_call(text):
    """Nobody guesses a unit."""
    with pytest.raises(click.UsageError, match="expected a time such as 30m"):
        seconds(text)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_grant_is_asked_for_and_told(tmp_path, as_json):
    """With its id, which ends it again, and its end."""
    words = ["user:alice", "container.exec", "on:own", "exec.user:root", "--for", "30m"]
    where = ["--admin", f"unix://{tmp_path}/s", *(["--json"] if as_json else [])]
    with scripted(tmp_path / "s", {"POST /grants": (201, MADE)}) as service:
        done = CliRunner().invoke(command, [*words, "--reason", "INC-1", *where])

    assert done.exit_code == 0
    assert json.loads(service.asked[0][2]) == {
        "subject": "user:alice",
        "action": "container.exec",
        "facts": ["on:own", "exec.user:root"],
        "seconds": 1800,
        "reason": "INC-1",
    }
    if as_json:
        assert json.loads(done.output)["id"] == "01J"
    else:
        assert done.output == (
            "01J  user:alice container.exec on:own exec.user:root  "
            "until 2026-11-28T12:30:00+00:00\n"
        )
