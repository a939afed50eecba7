"""TLS contexts from files."""

import ssl

import pytest
import trustme

from authz.errors import ConfigurationError
from authz.proxy.contexts import ClientFiles, ServerFiles, client_context, server_context


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
    with pytest.raises(ConfigurationError, match="absent"):
        client_context(ClientFiles(files / "absent"))
