"""Where shipped files are found: in a checkout, and behind an installed package."""

import pytest

from authz import shipped as module
from authz.shipped import shipped


@pytest.mark.parametrize(
    "parts",
    [
        ("policies", "developer", "policy.csv"),
        ("policies", "packs"),
        ("docs", "reference", "facts.csv"),
        ("docs", "reference", "fields.csv"),
        ("docs", "reference", "operations.csv"),
    ],
)
def test_what_ships_is_there(parts):
    """In a checkout it is read in place."""
    assert shipped(*parts).exists()


def test_a_checkout_has_one_copy():
    """What is edited is what counts."""
    assert shipped() == module._PACKAGE.parent
    assert not (module._PACKAGE / "_shipped").exists()


def test_an_installed_package_has_its_own_copies(tmp_path, monkeypatch):
    """What lies beside the package in site-packages is somebody else's."""
    package = tmp_path / "authz"
    (package / "_shipped" / "policies").mkdir(parents=True)
    (tmp_path / "policies").mkdir()
    monkeypatch.setattr(module, "_PACKAGE", package)

    assert shipped("policies") == package / "_shipped" / "policies"
