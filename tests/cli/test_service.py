"""How commands find the service, and what they say when it says no."""

import pytest

from authz.cli import service
from authz.cli.service import address, asked
from tests.scripted_http import scripted


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path, monkeypatch):
    """Let no settings of this machine count."""
    monkeypatch.setattr(service, "USUAL", tmp_path / "usual.toml")


def test_the_service_is_where_it_is_said_to_be(tmp_path):
    """By itself, by settings, by the settings of the unit, or where it is by default."""
    config = tmp_path / "dockgate.toml"
    config.write_text('[plugin]\n[admin]\naddress = "unix:///a.sock"\n')
    assert address("unix:///b.sock", config) == "unix:///b.sock"
    assert address(None, config) == "unix:///a.sock"
    assert address(None, None) == "unix:///run/dockgate/admin.sock"

    config.rename(tmp_path / "usual.toml")
    assert address(None, None) == "unix:///a.sock"


@pytest.mark.parametrize(
    ("text", "said"),
    [("[plugin]\n", "has no [admin]"), ("x = 1\n[plugin]\n", "x is not a setting")],
)
def test_settings_that_do_not_tell_are_a_wrong_call(tmp_path, capsys, text, said):
    """With the reason."""
    config = tmp_path / "dockgate.toml"
    config.write_text(text)
    with pytest.raises(SystemExit) as ended:
        address(None, config)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, b""), "the service answers with status 500"),
        ((404, b'{"message":"there is no grant"}'), "dockgate: there is no grant\n"),
        (
            (422, b'{"message":"x","problems":[{"message":"odd","suggestion":"even"}]}'),
            "odd\n  try: even\ndockgate: nothing was changed\n",
        ),
        (
            (422, b'{"message":"x","problems":[{"message":"odd"}]}'),
            "odd\ndockgate: nothing was changed\n",
        ),
    ],
)
def test_what_the_service_says_no_to_is_told(tmp_path, capsys, answer, said):
    """In its words, and with what to write instead."""
    with scripted(tmp_path / "s", {"GET /x": answer}), pytest.raises(SystemExit) as ended:
        asked(f"unix://{tmp_path}/s", "GET", "/x")

    assert ended.value.code == 1
    assert said in capsys.readouterr().err


def test_a_service_that_is_not_there_is_told(tmp_path, capsys):
    """With where it was looked for."""
    with pytest.raises(SystemExit) as ended:
        asked(f"unix://{tmp_path}/s", "GET", "/x")

    assert ended.value.code == 1
    assert f"cannot be asked: unix://{tmp_path}/s" in capsys.readouterr().err
