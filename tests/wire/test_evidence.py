"""Addresses: one text for one address, whatever way it came in."""

from __future__ import annotations

import pytest

from authz.wire.evidence import address


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("localhost", None),
        ("10.0.0.01", None),
        ("10.0.0.0/8", None),
        ("", None),
    ],
)
def test_an_address_has_one_form(text, written):
    """So that a row that names it cannot miss it."""
    assert address(text) == written
