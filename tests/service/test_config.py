"""Settings: closed to unknown keys, relative to their file, with the environment on top."""

from pathlib import Path

import pytest

from authz.errors import ConfigurationError
from authz.service.config import load_settings, socket_path


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
        ("mode = " + "[" * 50_000, "are nested too deeply"),
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


def test_what_the_environment_does_not_name_is_kept(tmp_path):
    """One key of a table is replaced, the others and the other tables stay."""
    path = a_file(
        tmp_path,
        'policy = "p"\n[plugin]\nsocket = "/a.sock"\n'
        '[audit]\npath = "/log"\ndurability = "fsync"\n',
    )

    settings = load_settings(path, {"DOCKGATE_AUDIT__PATH": "-"})

    assert (settings.audit.path, settings.audit.durability) == ("-", "fsync")
    assert settings.plugin.socket == Path("/a.sock")
    assert settings.policy == str(tmp_path / "p")


def test_the_environment_can_open_a_door(tmp_path):
    """A table that the file leaves out is made, and its paths start at the file, too."""
    path = a_file(tmp_path, 'mode = "shadow"\n')
    environ = {
        "DOCKGATE_PLUGIN__SOCKET": "run/d.sock",
        "DOCKGATE_ADMIN__ADDRESS": "unix:///run/a.sock",
    }

    settings = load_settings(path, environ)

    assert settings.plugin.socket == tmp_path / "run" / "d.sock"
    assert settings.admin.address == "unix:///run/a.sock"
    assert settings.mode == "shadow"


def test_the_environment_is_read_where_nobody_gives_another(tmp_path, monkeypatch):
    """``dockgate serve`` gives none."""
    monkeypatch.setenv("DOCKGATE_MODE", "shadow")

    assert load_settings(a_file(tmp_path, "[plugin]\n")).mode == "shadow"


def test_the_file_is_not_changed_by_the_environment(tmp_path):
    """Tables are copied before something is laid over them."""
    path = a_file(tmp_path, '[plugin]\n[audit]\npath = "/log"\n')
    load_settings(path, {"DOCKGATE_AUDIT__PATH": "/other"})

    assert load_settings(path, {}).audit.path == "/log"


def test_without_a_file_relative_paths_start_here(tmp_path, monkeypatch):
    """They can only come from the environment then."""
    monkeypatch.chdir(tmp_path)
    environ = {
        "DOCKGATE_POLICY": "policy",
        "DOCKGATE_PASS_KEY": "key",
        "DOCKGATE_HOST_ROOT": "host",
        "DOCKGATE_AUDIT__PATH": "log/audit.jsonl",
        "DOCKGATE_PLUGIN__SOCKET": "d.sock",
    }

    settings = load_settings(None, environ)

    assert settings.policy == str(tmp_path / "policy")
    assert settings.pass_key == tmp_path / "key"
    assert settings.host_root == tmp_path / "host"
    assert settings.audit.path == str(tmp_path / "log" / "audit.jsonl")
    assert settings.plugin.socket == tmp_path / "d.sock"


def test_absolute_paths_stay(tmp_path):
    """Wherever the file lies."""
    path = a_file(
        tmp_path,
        'policy = "/p"\npass_key = "/k"\nhost_root = "/host"\n'
        '[plugin]\nsocket = "/s"\n[audit]\npath = "/a"\n',
    )

    settings = load_settings(path, {})

    assert (settings.policy, settings.pass_key) == ("/p", Path("/k"))
    assert (settings.host_root, settings.plugin.socket) == (Path("/host"), Path("/s"))
    assert settings.audit.path == "/a"


def test_a_linked_file_counts_from_where_it_lies(tmp_path):
    """The folder that holds the file holds what it names."""
    (tmp_path / "real").mkdir()
    a_file(tmp_path / "real", 'policy = "policy"\n[plugin]\n')
    link = tmp_path / "link.toml"
    link.symlink_to("real/dockgate.toml")

    assert load_settings(link, {}).policy == str(tmp_path / "real" / "policy")


def test_without_a_table_the_defaults_hold(tmp_path):
    """What is left out is enforced, recorded, and opens no admin socket."""
    settings = load_settings(a_file(tmp_path, "[plugin]\n"), {})

    assert (settings.mode, settings.policy) == ("enforce", "builtin:developer")
    assert settings.audit.path == "/var/log/dockgate/audit.jsonl"
    assert (settings.pass_key, settings.admin) == (None, None)
    assert settings.host_root == Path("/")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DOCKGATE_MOED": "x"}, r"^DOCKGATE_MOED: moed is not a setting$"),
        ({"DOCKGATE_PLUGIN__SOKET": "x"}, r"^DOCKGATE_PLUGIN__SOKET: plugin.soket is not a"),
        ({"DOCKGATE_PLUGIN__A__B": "x"}, r"toml: plugin.a is not a setting$"),
        ({"DOCKGATE_Mode": "shadow"}, r"^DOCKGATE_Mode: is not a setting; expected DOCKGATE_MODE$"),
        ({"DOCKGATE_": "x"}, r"^DOCKGATE_: '' is not a setting$"),
        ({"DOCKGATE___MODE": "x"}, r"toml: '' is not a setting$"),
        ({"DOCKGATE_CONFIG__X": "x"}, r"toml: config is not a setting$"),
        (
            {"DOCKGATE_PLUGIN": "/a.sock"},
            r"^DOCKGATE_PLUGIN: plugin is '/a.sock'; expected a table",
        ),
        (
            {"DOCKGATE_PLUGIN": "x", "DOCKGATE_PLUGIN__SOCKET": "/a.sock"},
            r"^DOCKGATE_PLUGIN__SOCKET: plugin is 'x'; expected a table$",
        ),
        ({"DOCKGATE_MODE__X": "x"}, r"^DOCKGATE_MODE__X: mode is 'enforce'; expected a table$"),
        ({"DOCKGATE_MODE": ""}, r"^DOCKGATE_MODE: mode is ''; input should be 'enforce' or"),
        (
            {"DOCKGATE_AUDIT__DURABILITY": "sync"},
            r"^DOCKGATE_AUDIT__DURABILITY: audit.durability is",
        ),
        (
            {"DOCKGATE_DAEMON": "tcp://h:1"},
            r"^DOCKGATE_DAEMON: daemon is 'tcp://h:1'; expected unix",
        ),
    ],
)
def test_a_wrong_variable_is_named(tmp_path, environ, message):
    """A misspelt variable must not leave the default in force without a word."""
    path = a_file(tmp_path, 'mode = "enforce"\n[plugin]\n')

    with pytest.raises(ConfigurationError, match=message):
        load_settings(path, environ)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mode = {}\n[plugin]\n", r"mode is \{\}; input should be 'enforce' or 'shadow'"),
        ("policy = {a = 1}\n[plugin]\n", r"policy is \{'a': 1\}; input should be a valid string"),
        ('policy = ["a"]\n[plugin]\n', r"policy is \['a'\]; input should be a valid string"),
        ("policy = 5\n[plugin]\n", "policy is 5; input should be a valid string"),
        (
            'daemon = ["unix:///a"]\n[plugin]\n',
            r"daemon is \['unix:///a'\]; input should be a valid",
        ),
        ("pass_key = [1]\n[plugin]\n", r"pass_key is \[1\]; expected a path, as text"),
        ("host_root = 1\n[plugin]\n", "host_root is 1; expected a path, as text"),
        (
            '[[proxy.listen]]\naddress = "0.0.0.0:1"\nidentity = ["peer"]\n',
            r"address is '0\.0\.0\.0:1'; expected unix:///path/to\.sock or tcp://host:port",
        ),
        (
            '[[proxy.listen]]\naddress = "unix:///a"\nsocket = {mode = "660"}\n',
            r"socket\.mode is '660'; expected four octal digits such as 0660",
        ),
        ("[plugin.socket]\n", r"plugin.socket is \{\}; expected a path, as text"),
        ('plugin = "/a.sock"\n', "plugin is '/a.sock'; expected a table"),
        ("[[plugin]]\n", r"plugin is \[\{\}\]; expected a table"),
        ('audit = "-"\n[plugin]\n', "audit is '-'; expected a table"),
        ("admin = true\n[plugin]\n", "admin is true; expected a table"),
        ("policy = 2026-11-29\n[plugin]\n", "policy is 2026-11-29; input should be a valid"),
        ("policy = 2026-11-29T01:02:03Z\n[plugin]\n", r"policy is 2026-11-29T01:02:03\+00:00; in"),
        ("[plugin]\n[audit]\npath = 01:02:03\n", "audit.path is 01:02:03; input should be a valid"),
        (
            '[plugin]\nsocket = "unix:///a.sock"\n',
            "plugin.socket is 'unix:///a.sock'; expected a path",
        ),
        (
            '[plugin]\n[audit]\npath = "syslog:///dev/log"\n',
            "'syslog:///dev/log'; expected a path,",
        ),
        ('policy = "a\\u0000b"\n[plugin]\n', "toml: policy has a null character; expected"),
        ('[plugin]\nsocket = "a\\u0000b"\n', "toml: plugin socket has a null character"),
        ("[plugin]\n[identity.jwt]\n", r"toml: identity.jwt.issuer is missing\n"),
        (
            '[[proxy.listen]]\naddress = "unix:///a"\nidentity = ["jwt"]\n',
            r"toml: proxy.listen has the identity jwt; expected \[identity.jwt\]$",
        ),
        ("[plugin]\n[audit]\npath = 1\n", "audit.path is 1; input should be a valid string"),
    ],
)
def test_another_kind_of_value_is_told_in_words_of_toml(tmp_path, text, message):
    """Nobody who writes settings knows the classes that read them."""
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_settings(a_file(tmp_path, text), {})

    assert "datetime" not in str(refused.value)
    assert "instance of" not in str(refused.value)
    assert "<class" not in str(refused.value)


@pytest.mark.parametrize("key", ["daemon = ", "[admin]\naddress = "])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "/run/a.sock",
        "unix:",
        "unix://",
        "unix:///",
        "unix:///run/",
        "unix://run/a.sock",
        "UNIX:///run/a.sock",
        "tcp://127.0.0.1:2375",
        "http://127.0.0.1",
    ],
)
def test_addresses_are_unix_sockets(tmp_path, key, address):
    """Other ways to the daemon, or into the admin's duties, are not protected by a mode."""
    path = a_file(tmp_path, f'{key}"{address}"\n[plugin]\n')

    with pytest.raises(ConfigurationError, match=r"expected unix:///path/to\.sock"):
        load_settings(path, {})


def test_an_address_names_a_path():
    """Nothing in it is decoded."""
    assert socket_path("unix:///run/a%20b?c.sock") == Path("/run/a%20b?c.sock")


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    """With a line for each key."""
    path = a_file(tmp_path, 'mode = "x"\nmoed = 1\n[plugin]\nsoket = 1\n')

    with pytest.raises(ConfigurationError) as refused:
        load_settings(path, {"DOCKGATE_DAEMON": "x"})

    lines = str(refused.value).splitlines()
    assert sorted(line.split(": ")[1].split(" ")[0] for line in lines) == [
        "daemon",
        "mode",
        "moed",
        "plugin.soket",
    ]


def test_settings_do_not_change(tmp_path):
    """What was checked at the start holds until the end."""
    settings = load_settings(a_file(tmp_path, "[plugin]\n"), {})

    with pytest.raises(ValueError, match="frozen"):
        settings.mode = "shadow"


def test_the_proxys_paths_start_at_the_file(tmp_path):
    """Bundles, certificates, keys of tokens; several listeners at once."""
    path = a_file(
        tmp_path,
        'daemon = "tcp://docker:2376"\n[daemon_tls]\nca = "a"\ncertificate = "b"\nkey = "c"\n'
        '[[proxy.listen]]\naddress = "unix:///run/d.sock"\nidentity = ["peer", "jwt"]\n'
        'socket = { mode = "0660", group = "docker" }\n'
        '[[proxy.listen]]\naddress = "tcp://0.0.0.0:2376"\nidentity = ["certificate"]\n'
        'policy = "ci"\ntenant = "ci"\n'
        'tls = { certificate = "s.pem", key = "s.key", client_ca = ["ca.pem"], crl = "r.pem" }\n'
        '[identity.jwt]\nissuer = "i"\naudience = "a"\njwks = "keys.json"\n'
        'algorithms = ["ES256"]\n',
    )

    settings = load_settings(path, {})

    one, other = settings.proxy.listen
    assert settings.plugin is None
    assert settings.daemon_tls.key == tmp_path / "c"
    assert settings.identity.jwt.jwks == str(tmp_path / "keys.json")
    assert (one.policy, one.socket.mode) == ("", "0660")
    assert other.policy == str(tmp_path / "ci")
    assert other.tls.client_ca == [tmp_path / "ca.pem"]
    assert other.tls.crl == tmp_path / "r.pem"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[proxy]\nlisten = []\n", "proxy.listen"),
        ('[[proxy.listen]]\naddress = "tcp://h:1"\n', "proxy.listen.0 names no identity"),
        ('daemon = "tcp://h:1"\n[plugin]\n', r"or also \[daemon_tls\]"),
        ('[daemon_tls]\nca="a"\ncertificate="b"\nkey="c"\n[plugin]\n', "expected tcp://host:port"),
    ],
)
def test_a_proxy_that_cannot_be_is_named(tmp_path, text, message):
    """With the place in the file."""
    with pytest.raises(ConfigurationError, match=message):
        load_settings(a_file(tmp_path, text), {})


@pytest.mark.parametrize("to", ["syslog+tcp://h:1", "otlp+http://h:4318/v1/logs", "stdout"])
@pytest.mark.parametrize("files", ['ca = "a"', 'certificate = "b"\nkey = "c"'])
def test_tls_files_of_who_has_no_tls_are_a_mistake(tmp_path, to, files):
    """Who gives an authority believes that the lines are encrypted."""
    text = f'[plugin]\n[[audit.forward]]\nto = "{to}"\n{files}\n'
    with pytest.raises(ConfigurationError, match=r"audit\.forward\.0 has TLS files, and to is '"):
        load_settings(a_file(tmp_path, text), {})


@pytest.mark.parametrize("to", ["syslog+tls://h:1", "otlp+https://h:4318/v1/logs"])
def test_tls_files_start_at_the_file(tmp_path, to):
    """For every place that is reached by TLS."""
    files = 'ca = "a"\ncertificate = "b"\nkey = "c"'
    text = f'[plugin]\n[[audit.forward]]\nto = "{to}"\n{files}\n'
    (found,) = load_settings(a_file(tmp_path, text), {}).audit.forward

    assert (found.ca, found.certificate, found.key) == tuple(tmp_path / each for each in "abc")
    with pytest.raises(ConfigurationError, match="expected both, or none"):
        load_settings(a_file(tmp_path, text.replace('key = "c"', "")), {})
