"""Settings: closed to unknown keys, relative to their file, with the environment on top."""

from pathlib import Path

import pytest

from authz.config import load_settings
from authz.errors import ConfigurationError


def a_file(folder: Path, text: str) -> Path:
    """Write a configuration file."""
    path = folder / "dockgate.toml"
    path.write_text(text)
    return path


def test_relative_paths_start_at_the_file(tmp_path):
    """A configuration folder can be moved as a whole."""
    path = a_file(
        tmp_path,
        'policy = "policy"\npass_key = "key"\n[plugin]\nsocket = "a.sock"\n'
        '[audit]\npath = "audit.jsonl"\n',
    )

    settings = load_settings(path, {})

    assert settings.policy == str(tmp_path / "policy")
    assert settings.pass_key == tmp_path / "key"
    assert settings.plugin.socket == tmp_path / "a.sock"
    assert settings.audit.path == str(tmp_path / "audit.jsonl")


def test_builtin_policies_and_standard_output_are_no_paths(tmp_path):
    """``builtin:NAME`` and ``-`` stay as they are."""
    path = a_file(tmp_path, 'policy = "builtin:admin"\n[plugin]\n[audit]\npath = "-"\n')

    settings = load_settings(path, {})

    assert (settings.policy, settings.audit.path) == ("builtin:admin", "-")


def test_the_environment_overrides_scalars(tmp_path):
    """``DOCKGATE_SECTION__KEY`` wins over the file; other variables are not looked at."""
    path = a_file(tmp_path, 'mode = "enforce"\n[plugin]\n[audit]\ndurability = "write"\n')
    environ = {"DOCKGATE_MODE": "shadow", "DOCKGATE_AUDIT__DURABILITY": "fsync", "HOME": "/"}

    settings = load_settings(path, environ)

    assert (settings.mode, settings.audit.durability) == ("shadow", "fsync")


def test_without_a_file_the_plugin_is_switched_on():
    """The defaults open the door that the daemon discovers."""
    settings = load_settings(None, {"DOCKGATE_CONFIG": "ignored"})

    assert settings.plugin.socket == Path("/run/docker/plugins/dockgate.sock")
    assert settings.mode == "enforce"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('moed = "shadow"\n[plugin]\n', "moed is not a setting"),
        ('[plugin]\nsoket = "x"\n', "plugin.soket is not a setting"),
        ('mode = "observe"\n[plugin]\n', "mode is 'observe'; input should be"),
        ('daemon = "http://x"\n[plugin]\n', "daemon is 'http://x'; expected unix:///path"),
        ("mode = [\n", "not TOML"),
        ('mode = "enforce"\n', "no door is configured"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    """A setting that cannot be used stops the start, with the key and the value quoted."""
    path = a_file(tmp_path, text)

    with pytest.raises(ConfigurationError, match=message):
        load_settings(path, {})


def test_an_unreadable_file_is_an_error(tmp_path):
    """A file that is not there never means defaults."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "absent.toml", {})


def test_a_file_that_is_not_utf8_is_an_error(tmp_path):
    """TOML is UTF-8."""
    path = tmp_path / "dockgate.toml"
    path.write_bytes(b'mode = "\xff"\n')

    with pytest.raises(ConfigurationError, match="byte 8 is not UTF-8"):
        load_settings(path, {})
