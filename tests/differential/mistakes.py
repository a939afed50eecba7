"""Five mistakes of a reader, planted into ours: the comparison with a daemon must find each.

Each is what some reader of the Engine API does. A mistake lasts as long as its
context; it knows the inside of the modules that it spoils.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from authz.docker import canonical, field_table, fields, gojson, target
from authz.facts import mounts, volumes

CACHED = (canonical._asked_once, target._read_once, target._path_once)


@contextmanager
def names_are_not_folded() -> Iterator[None]:
    """Take a member only in the spelling of the documentation."""
    field_table.structures.cache_clear()
    with mock.patch.object(fields, "fold", str), mock.patch.object(field_table, "fold", str):
        yield
    field_table.structures.cache_clear()


@contextmanager
def the_last_member_wins() -> Iterator[None]:
    """Take the last of two members of one name, as most readers of JSON do."""
    merging = json.JSONDecoder(
        object_pairs_hook=dict, parse_int=gojson.Number, parse_float=gojson.Number
    )
    with mock.patch.object(gojson, "_DECODER", merging):
        yield


@contextmanager
def escapes_are_not_decoded() -> Iterator[None]:
    """Take a path as it is written."""
    for cached in CACHED:
        cached.cache_clear()
    with mock.patch.object(target, "decode", lambda text, _place: text):
        yield
    for cached in CACHED:
        cached.cache_clear()


@contextmanager
def the_top_level_is_ignored() -> Iterator[None]:
    """Look for what weakens a container in HostConfig alone."""
    with mock.patch.object(fields._Reading, "_legacy", return_value=None):
        yield


@contextmanager
def volume_options_are_ignored() -> Iterator[None]:
    """Take a volume of the local driver for a folder of Docker's own."""

    def nothing(*_given: Any, **_named: Any) -> Iterator[Any]:
        return iter(())

    with (
        mock.patch.object(volumes, "local_volume_facts", nothing),
        mock.patch.object(mounts, "local_volume_facts", nothing),
    ):
        yield


OF_BODIES: Mapping[str, Callable[[], Any]] = {
    "no case folding": names_are_not_folded,
    "last duplicate wins": the_last_member_wins,
    "legacy top-level fields ignored": the_top_level_is_ignored,
    "volume options ignored": volume_options_are_ignored,
}
OF_OLD_ENGINES = frozenset({"legacy top-level fields ignored"})
"""What newer engines ignore, too."""

OF_TARGETS: Mapping[str, Callable[[], Any]] = {"no percent-decoding": escapes_are_not_decoded}
