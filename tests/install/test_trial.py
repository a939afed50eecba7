"""Two questions: one that must be allowed, one that must not."""

import base64
import json

import pytest

from authz.install.trial import CREATE, Trial, TrialError
from tests.scripted_http import scripted

ACTIVE = (200, b'{"Implements":["authz"]}')
YES = b'{"Allow":true}'
NO = b'{"Allow":false,"Msg":"dockgate: denied: it"}'
DENIED = (403, b'{"message":"authorization denied by plugin dockgate: dockgate: denied"}')


class Plugin(dict):
    """A script in which answers to the question come one after the other."""

    def __init__(self, *answers, active=ACTIVE):
        """Take the answers in order."""
        super().__init__({"POST /Plugin.Activate": active})
        self.answers = list(answers)

    def get(self, line, default):
        """Take the next answer for a question."""
        if line == "POST /AuthZPlugin.AuthZReq":
            return 200, self.answers.pop(0)
        return super().get(line, default)


@pytest.fixture
def plugin(tmp_path):
    """Return what tries a plugin that answers so."""

    def tried(*answers, active=ACTIVE):
        with scripted(tmp_path / "p", {}) as server:
            server.script = Plugin(*answers, active=active)
            Trial("/_ping").plugin(tmp_path / "p")
        return server.asked

    return tried


def test_a_plugin_that_allows_and_denies_passes(plugin, tmp_path):
    """It is asked what people ask, and for root on the host."""
    asked = [json.loads(body or b"{}") for _, _, body in plugin(YES, NO)]

    assert asked[1]["RequestUri"] == "/_ping"
    assert asked[2]["RequestUri"] == CREATE
    create = json.loads(base64.b64decode(asked[2]["RequestBody"]))
    assert create["HostConfig"] == {"Privileged": True, "Binds": [f"{tmp_path}:/x"]}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((NO,), "GET /_ping is not allowed, so that nobody could work: dockgate: denied: it"),
        ((b"",), "is not allowed"),
        ((b'{"Allow":"true"}',), "is not allowed"),
        ((YES, YES), "a privileged container"),
    ],
)
def test_what_does_not_decide_so_fails(plugin, answers, said):
    """With what to do about it."""
    with pytest.raises(TrialError, match=said):
        plugin(*answers)


def test_what_is_no_plugin_fails(plugin):
    """Though it answers."""
    with pytest.raises(TrialError, match="is no authorization plugin"):
        plugin(active=(200, b"{}"))


def test_nobody_there_is_waited_for_and_told(tmp_path):
    """For as long as it takes a service to start."""
    with pytest.raises(TrialError, match="No such file"):
        Trial().plugin(tmp_path / "none", patience=0.15)


def test_a_plugin_that_goes_away_fails(tmp_path):
    """Between two questions."""
    with scripted(tmp_path / "p", {}) as server:
        server.script = Plugin()  # no answer is left, so the connection breaks
        server.handle_error = lambda *_: None
        with pytest.raises(TrialError):
            Trial().plugin(tmp_path / "p")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"GET /version": (200, b"{}"), f"POST {CREATE}": DENIED}, ""),
        ({"GET /version": DENIED}, "GET /version is not allowed.*403 authorization denied"),
        ({"GET /version": (200, b"{}")}, "is not denied.*: 404 page not found"),
        (
            {"GET /version": (200, b"{}"), f"POST {CREATE}": (403, b'{"message":"by other"}')},
            "is not denied",
        ),
    ],
)
def test_the_daemon_is_asked_the_same(tmp_path, script, said):
    """What it says must be what we say."""
    with scripted(tmp_path / "d", script):
        if not said:
            Trial().through(f"unix://{tmp_path}/d", tmp_path / "p")
            return
        with pytest.raises(TrialError, match=said):
            Trial().through(f"unix://{tmp_path}/d", tmp_path / "p")
