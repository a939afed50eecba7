"""Which registry ``POST /auth`` sends credentials to: a connection of the caller's choice."""

from collections.abc import Iterator

from authz.docker.request import ApiRequest
from authz.facts.facts import Fact
from authz.facts.image_names import DEFAULT_REGISTRY
from authz.facts.known import UNKNOWN
from authz.facts.members import text

_SCHEMES = ("https://", "http://")
_OLD = frozenset({"", "index.docker.io"})


def login_facts(request: ApiRequest) -> Iterator[Fact]:
    """Yield the registry by its host, as moby daemon/pkg/registry (ConvertToHostname) reads it."""
    if request.body is None:
        yield Fact("registry.login", UNKNOWN)
        return
    address = text(request.body, "serveraddress").lower()
    for scheme in _SCHEMES:
        address = address.removeprefix(scheme)
    host = address.partition("/")[0].rpartition("@")[2]  # before it may stand a password
    yield Fact("registry.login", DEFAULT_REGISTRY if host in _OLD else host)
