"""``dockgate revoke``: ends a grant."""

from click.testing import CliRunner

from authz.cli.revoke import command
from tests.scripted_http import scripted


def test_a_grant_is_ended_by_its_id(tmp_path):
    """What is no id finds none, whatever is in it."""
    script = {"DELETE /grants/01J": (200, b'{"id":"01J"}')}
    with scripted(tmp_path / "s", script) as service:
        done = CliRunner().invoke(command, ["01J", "--admin", f"unix://{tmp_path}/s"])
        odd = CliRunner().invoke(command, ["../reload", "--admin", f"unix://{tmp_path}/s"])

    assert (done.exit_code, done.output) == (0, "01J  revoked\n")
    assert odd.exit_code == 1
    assert service.asked[1][0] == "DELETE /grants/..%2Freload"
