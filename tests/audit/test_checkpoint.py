"""Checkpoints: what is signed, and by which keys."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from authz.audit.chain import Link
from authz.audit.checkpoint import (
    Promise,
    checkpoint,
    fingerprint,
    is_signed,
    load_signer,
    load_verifier,
)
from authz.errors import ConfigurationError

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
OTHER = generate_private_key(SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
TIME = datetime(2026, 7, 1, tzinfo=UTC)


def a_file(folder: Path, text: bytes, mode: int = 0o600) -> Path:
    """Write a key file."""
    path = folder / "key.pem"
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_a_checkpoint_says_how_long_the_chain_is_and_how_it_ends():
    """And when the next one comes at the latest."""
    assert checkpoint(Link(7, "ab"), TIME, Promise(1000), None) == {
        "time": "2026-07-01T00:00:00.000Z",
        "count": 7,
        "head": "ab",
        "next": 1000,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2026-07-01T00:00:01.000Z"},
        {"count": 8},
        {"head": "ac"},
        {"next": 9999},
        {"key": "00"},
        {"signature": "AAAA"},
        {"signature": "!"},
        {"signature": 1},
        {"signature": None},
    ],
)
def test_a_signature_covers_every_member(tmp_path: Path, change: dict[str, Any]):
    """Nothing of it can be changed, and nobody else can have made it."""
    signer = load_signer(a_file(tmp_path, PRIVATE))
    signed = checkpoint(Link(7, "ab"), TIME, Promise(1000), signer)

    assert signed["key"] == fingerprint(KEY.public_key())
    assert is_signed(signed, KEY.public_key())
    assert not is_signed(signed | change, KEY.public_key())
    assert not is_signed({**signed, **change}, Ed25519PrivateKey.generate().public_key())


def test_what_is_not_signed_is_not():
    """A missing member is no signature."""
    assert not is_signed({"count": 7}, KEY.public_key())


@pytest.mark.parametrize("text", [PUBLIC, PRIVATE])
def test_either_half_of_the_key_verifies(tmp_path: Path, text: bytes):
    """The public one is what an auditor has."""
    assert load_verifier(a_file(tmp_path, text)).public_bytes_raw() == (
        KEY.public_key().public_bytes_raw()
    )


@pytest.mark.parametrize("text", [b"", b"nonsense", OTHER])
def test_another_kind_of_key_is_refused(tmp_path: Path, text: bytes):
    """With what was expected."""
    path = a_file(tmp_path, text)

    with pytest.raises(ConfigurationError, match="is no Ed25519 key; expected PEM"):
        load_signer(path)
    with pytest.raises(ConfigurationError, match="is no Ed25519 key; expected PEM"):
        load_verifier(path)


def test_a_key_that_is_not_there_is_told(tmp_path: Path):
    """With its path."""
    with pytest.raises(ConfigurationError, match=r"none: cannot be read: No such file"):
        load_signer(tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"none: cannot be read: No such file"):
        load_verifier(tmp_path / "none")


def test_a_key_that_others_can_read_signs_nothing(tmp_path: Path):
    """Its signatures would be anybody's."""
    path = a_file(tmp_path, PRIVATE, 0o640)

    with pytest.raises(ConfigurationError, match=rf"mode is 0640 and owner uid {os.geteuid()}"):
        load_signer(path)
