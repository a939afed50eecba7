"""Plugins that a request names."""

import pytest

from authz.errors import RefusedError
from authz.facts.plugins import plugin_facts, plugin_install_facts, plugin_set_facts
from tests.builders import a_call, a_known, words


@pytest.mark.parametrize("operation", ["PluginPull", "PluginUpgrade", "GetPluginPrivileges"])
def test_a_plugin_that_is_fetched(operation):
    """Registry and path."""
    assert words(plugin_facts(a_call(operation, remote="vieux/sshfs:latest"))) == [
        "plugin.remote:docker.io/vieux/sshfs"
    ]


def test_a_plugin_under_another_name():
    """Both are named."""
    assert words(plugin_facts(a_call("PluginPull", remote="vieux/sshfs", name="corp/x"))) == [
        "plugin.remote:docker.io/vieux/sshfs",
        "plugin.remote:docker.io/corp/x",
    ]


def test_a_plugin_that_is_sent():
    """The path names it."""
    assert words(plugin_facts(a_call("PluginPush", "r.corp/x"))) == ["plugin.remote:r.corp/x"]


def test_no_plugin():
    """The daemon answers 400."""
    assert words(plugin_facts(a_call("PluginCreate"))) == []


def test_what_is_no_name_is_refused():
    """The refusal says where it stands."""
    with pytest.raises(RefusedError, match="remote 'A B'"):
        list(plugin_facts(a_call("PluginPull", remote="A B")))


@pytest.mark.parametrize(("name", "target"), [("PluginPull", ""), ("PluginUpgrade", "x")])
def test_a_plugin_is_installed_with_privileges(name, target):
    """The body lists them; null is none."""
    body = [{"Name": "network", "Value": ["host"]}]
    known = a_known()

    assert words(plugin_install_facts(a_call(name, target, body, remote="r.corp/x"), known)) == [
        "plugin.remote:r.corp/x",
        "plugin.privilege:network=host",
    ]
    assert words(plugin_install_facts(a_call(name, target, remote="r.corp/x"), known)) == [
        "plugin.remote:r.corp/x"
    ]


def test_a_plugin_is_set():
    """By a list of settings."""
    found = plugin_set_facts(a_call("PluginSet", "x", ["DEBUG=1"]), a_known())

    assert words(found) == ["plugin.setting:DEBUG"]
