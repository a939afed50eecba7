"""Which plugins a request fetches, makes or sends: code that runs as root."""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.images import image_name
from authz.facts.known import Known
from authz.facts.members import strings, tables
from authz.facts.plugin_rights import privilege_facts, setting_facts


def plugin_facts(request: ApiRequest) -> Iterator[Fact]:
    """Yield every plugin that the request names as a reference."""
    for place in ("remote", "name"):
        if request.parameter(place):
            yield Fact("plugin.remote", image_name(request.parameter(place), place).image)
    if request.operation.name == "PluginPush":
        yield Fact("plugin.remote", image_name(request.path["name"], "plugin").image)


def plugin_install_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe a pull or an upgrade, whose body lists what the plugin may do."""
    yield from plugin_facts(request)
    yield from privilege_facts(tables({"body": request.body}, "body"), known)


def plugin_set_facts(request: ApiRequest, known: Known) -> Iterator[Fact]:
    """Describe the settings of a plugin."""
    yield from setting_facts(strings({"body": request.body}, "body"), known)
