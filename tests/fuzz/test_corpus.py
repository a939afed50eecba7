"""The inputs that the fuzzer kept, put to the readers again."""

from importlib import import_module
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[1] / "corpus" / "fuzz"
KEPT = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_kept_still_holds(path):
    """Each input goes another way through its reader, and none breaks what must hold."""
    import_module(f"tests.fuzz.{path.parent.name}").check(path.read_bytes())


def test_every_reader_has_inputs():
    """A folder that is not found would hold nothing to account."""
    assert {path.parent.name for path in KEPT} == {"gojson", "target", "request", "protocol"}
