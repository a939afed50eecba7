"""Which devices of the host a container gets.

It knows the three lists of HostConfig that hold devices; what a volume is
mounted from is known elsewhere.
"""

import re
from collections.abc import Iterator

from authz.facts.facts import Fact
from authz.facts.known import Known
from authz.facts.members import Document, strings, tables, text
from authz.facts.paths import real_paths

ANY_DRIVER = "any"
"""The fact value for a request that leaves the driver to the daemon."""

_CDI_NAME = re.compile(r"[^/=\s]+/[^/=\s]+=\S+")


def device_facts(host: Document, known: Known) -> Iterator[Fact]:
    """Yield host devices, rules of the device control group, and requests to drivers.

    A device is named by its path as written and by where links lead (moby
    daemon/pkg/oci/devices_linux.go, which does not clean it); a folder stands
    for all devices in it. Raises RefusedError for a relative path.
    """
    for device in tables(host, "Devices"):
        for reached, found in real_paths(text(device, "PathOnHost"), known, raw=True):
            yield Fact("device", reached, found)
    for rule in strings(host, "DeviceCgroupRules"):
        yield Fact("device.rule", " ".join(rule.split()))
    for request in tables(host, "DeviceRequests"):
        yield from _requested(request)


def _requested(request: Document) -> Iterator[Fact]:
    """Describe one device request; drivers other than cdi may take CDI names too."""
    driver = text(request, "Driver")
    wanted = strings(request, "DeviceIDs")
    if driver != "cdi" or not wanted:
        yield Fact("gpu", driver or ANY_DRIVER)
    for name in wanted:
        if driver == "cdi" or _CDI_NAME.fullmatch(name):
            yield Fact("cdi", name)
