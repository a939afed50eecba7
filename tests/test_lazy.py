"""Modules that are imported late."""

import subprocess
import sys

import pytest

from authz.lazy import later

LARGE = {"aiohttp", "jwt", "cryptography", "casbin"}
NEEDED = f"import sys; import authz.cli.serve; print(*sorted({LARGE} & {{*sys.modules}}))"


def test_what_stands_for_a_module_has_what_it_has():
    """And nothing else."""
    stands = later("json")

    assert stands.loads("1") == 1
    with pytest.raises(AttributeError):
        stands.nothing  # noqa: B018  looking is what is tried


def test_a_plugin_alone_loads_no_web_server_and_no_cryptography():
    """They are half of what there is to import."""
    found = subprocess.run(
        [sys.executable, "-c", NEEDED], capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == []
