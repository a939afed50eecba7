"""TLS contexts from files."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.hashes import SHA256

from authz.errors import ConfigurationError
from authz.proxy.contexts import (
    ClientFiles,
    ServerFiles,
    client_context,
    server_context,
    trusts,
)


@pytest.fixture
def files(tmp_path):
    """Write a certificate, its key and two authorities."""
    authority, other = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    return tmp_path


def test_a_listener_trusts_several_authorities(files):
    """And demands a certificate, speaks HTTP/1.1 alone and resumes nothing."""
    context = server_context(
        ServerFiles(files / "cert.pem", files / "key.pem", (files / "ca.pem", files / "other.pem"))
    )

    assert len(context.get_ca_certs()) == 2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET


def test_an_authority_that_is_gone_is_missed(files):
    """One more is none less."""
    pair = files / "cert.pem", files / "key.pem"
    one = server_context(ServerFiles(*pair, (files / "ca.pem",)))
    both = server_context(ServerFiles(*pair, (files / "ca.pem", files / "other.pem")))

    assert trusts(both, one)
    assert not trusts(one, both)


def test_a_certificate_can_be_optional(files):
    """Where a token may stand for it."""
    one = ServerFiles(files / "cert.pem", files / "key.pem", (files / "ca.pem",), required=False)
    none = ServerFiles(files / "cert.pem", files / "key.pem")

    assert server_context(one).verify_mode is ssl.CERT_OPTIONAL
    assert server_context(none).verify_mode is ssl.CERT_NONE


def test_a_revocation_list_is_heeded(files):
    """What is no list is an error."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        server_context(
            ServerFiles(
                files / "cert.pem", files / "key.pem", (files / "ca.pem",), files / "key.pem"
            )
        )


def test_the_daemons_name_is_verified(files):
    """With a certificate of our own, or without."""
    context = client_context(ClientFiles(files / "ca.pem", files / "cert.pem", files / "key.pem"))

    assert context.check_hostname
    assert client_context(ClientFiles(files / "ca.pem")).verify_mode is ssl.CERT_REQUIRED


def test_files_that_do_not_fit_are_named(files):
    """At the start."""
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        server_context(ServerFiles(files / "ca.pem", files / "key.pem"))
    with pytest.raises(ConfigurationError, match=r"absent: the file does not exist$"):
        client_context(ClientFiles(files / "absent"))
    with pytest.raises(ConfigurationError, match=r"absent: one of them does not exist$"):
        server_context(ServerFiles(files / "cert.pem", files / "absent"))


def a_list(folder, authority, *serials: int, age: int = 0):
    """Write a revocation list of an authority; an ``age`` in days lets it expire."""
    key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    made = datetime.now(UTC) - timedelta(days=age)
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
    builder = builder.last_update(made).next_update(made + timedelta(days=1))
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(made)
        builder = builder.add_revoked_certificate(revoked.build())
    path = folder / "crl.pem"
    path.write_bytes(builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def shakes(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Say whether a handshake holds, without any socket."""
    buffers = [ssl.MemoryBIO() for _ in range(2)]
    ends = [
        server.wrap_bio(buffers[0], buffers[1], server_side=True),
        client.wrap_bio(buffers[1], buffers[0], server_hostname="localhost"),
    ]
    try:
        for _ in range(4):
            for end in ends:
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()
        ends[1].write(b"x")
        return ends[0].read(1) == b"x"
    except ssl.SSLError:
        return False


def test_a_revoked_certificate_is_turned_away(tmp_path):
    """By its serial number; an expired list turns everybody away."""
    authority = trustme.CA()
    server_pair, good, bad = (authority.issue_cert("localhost") for _ in range(3))
    server_pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    server_pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    serial = x509.load_pem_x509_certificate(bad.cert_chain_pems[0].bytes()).serial_number

    def holds(client_pair, path) -> bool:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(client)
        client_pair.configure_cert(client)
        files = ServerFiles(
            tmp_path / "cert.pem", tmp_path / "key.pem", (tmp_path / "ca.pem",), path
        )
        return shakes(server_context(files), client)

    fresh = a_list(tmp_path, authority, serial)
    assert holds(good, fresh)
    assert not holds(bad, fresh)
    assert not holds(good, a_list(tmp_path, authority, serial, age=3))
