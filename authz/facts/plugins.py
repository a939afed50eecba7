"""Which plugins a request fetches, makes or sends: code that runs as root."""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.images import image_name


def plugin_facts(request: ApiRequest) -> Iterator[Fact]:
    """Yield every plugin that the request names as a reference."""
    for place in ("remote", "name"):
        if request.parameter(place):
            yield Fact("plugin.remote", image_name(request.parameter(place), place).image)
    if request.operation.name == "PluginPush":
        yield Fact("plugin.remote", image_name(request.path["name"], "plugin").image)
