"""The certificate name that the daemon passes."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from authz.errors import Reason, RefusedError
from authz.identity.certificate import Certificate, Revoked, daemon_certificate, read_revoked
from authz.identity.identity import Proof
from authz.wire.evidence import Evidence


def a_certificate(
    *names: str,
    units: tuple[str, ...] = (),
    uris: tuple[str, ...] = (),
    extension: x509.ExtensionType | None = None,
) -> str:
    """Make a self-signed certificate with these common names, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names]
        + [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if uris:
        extension = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris])
    if extension:
        certificate = certificate.add_extension(extension, critical=False)
    certificate = certificate.sign(key, SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_a_name_becomes_a_typed_subject():
    """The common name is the subject; the fingerprint goes into the record."""
    evidence = Evidence("alice", "TLS", (a_certificate("alice"),))

    identity = daemon_certificate(evidence)

    assert (identity.subject, identity.proof) == ("cert:alice", Proof.CERTIFICATE)
    assert len(identity.certificate) == 64


def test_a_name_without_a_certificate_is_the_daemons_word():
    """Old daemons pass the name alone."""
    assert daemon_certificate(Evidence("alice", "TLS")).subject == "cert:alice"


def test_nobody_is_not_a_certificate():
    """On a unix socket the daemon names nobody."""
    assert daemon_certificate(Evidence()) is None


@pytest.mark.parametrize(
    "name",
    [
        "", " alice", "alice ", "a,b", 'a"b', "a\nb", "a\u202eb", "ä", "x" * 257,
        "role:admin", "USER:root", "pack:core", "a|b", "{name}", "*",
    ],
)  # fmt: skip
def test_a_name_that_a_policy_could_misread_is_refused(name):
    """Several, unprintable or typed names never become a subject."""
    with pytest.raises(RefusedError, match="common name") as caught:
        daemon_certificate(Evidence(name, "TLS"))

    assert caught.value.reason is Reason.BAD_CREDENTIAL


@pytest.mark.parametrize("method", ["", "Basic", "tls"])
def test_a_method_that_the_daemon_does_not_have_is_refused(method):
    """A name without its method proves nothing."""
    with pytest.raises(RefusedError, match="method of proof"):
        daemon_certificate(Evidence("alice", method))


@pytest.mark.parametrize("names", [("bob",), ("alice", "bob"), ()])
def test_a_certificate_that_says_something_else_is_refused(names):
    """The certificate must carry exactly the name that the daemon passed."""
    with pytest.raises(RefusedError, match="common names"):
        daemon_certificate(Evidence("alice", "TLS", (a_certificate(*names),)))


def test_an_unreadable_certificate_is_refused():
    """Garbage never becomes a caller."""
    with pytest.raises(RefusedError, match="cannot be read"):
        daemon_certificate(Evidence("alice", "TLS", ("garbage",)))


def proved(pem: str, clock=lambda: datetime.now(UTC)):
    """Return who a certificate of a handshake is."""
    return Certificate(clock)(Evidence(certificates=(pem,)))


def test_a_handshake_names_the_caller():
    """Common name, units as groups, fingerprint."""
    identity = proved(a_certificate("alice", units=("ops", "dev", "ops", "role:admin", "a,b")))

    assert identity.subject == "cert:alice"
    assert identity.groups == ("group:cert/ops", "group:cert/dev")
    assert identity.proof is Proof.CERTIFICATE
    assert len(identity.certificate) == 64


def test_a_workload_is_its_spiffe_uri():
    """Where there is no common name."""
    uri = "spiffe://example.org/ns/ci/sa/runner"

    assert proved(a_certificate(uris=(uri,))).subject == f"cert:{uri}"
    assert proved(a_certificate("alice", uris=(uri,))).subject == "cert:alice"


def test_a_name_of_a_kind_that_nobody_reads_is_left_alone():
    """An X.400 address among the alternative names, as old authorities write one."""
    odd = x509.UnrecognizedExtension(
        x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3004a3023000")
    )
    assert proved(a_certificate("alice", extension=odd)).subject == "cert:alice"
    with pytest.raises(RefusedError, match="expected one plain"):
        proved(a_certificate(extension=odd))


def test_without_a_certificate_another_method_may_know():
    """None, not a refusal."""
    assert Certificate()(Evidence()) is None


@pytest.mark.parametrize(
    "pem",
    [
        a_certificate(),
        a_certificate("alice", "bob"),
        a_certificate("role:admin"),
        a_certificate("a,b"),
        a_certificate(uris=("spiffe://a/b", "spiffe://a/c")),
        a_certificate(uris=("https://example.org/a",)),
        a_certificate(uris=("spiffe://a/../b?c",)),
        "nonsense",
    ],
    ids=["none", "two", "reserved", "comma", "two uris", "another uri", "odd uri", "nonsense"],
)
def test_what_is_no_plain_name_is_refused(pem):
    """And never tried as something weaker."""
    with pytest.raises(RefusedError) as refused:
        proved(pem)

    assert refused.value.reason is Reason.BAD_CREDENTIAL


def test_a_connection_does_not_outlive_its_certificate():
    """The handshake checked it once; every request does again."""
    assert Certificate()(Evidence(certificates=(a_certificate("alice"),)))
    with pytest.raises(RefusedError, match="out of its time"):
        proved(a_certificate("alice"), lambda: datetime.now(UTC) + timedelta(days=2))


def test_a_connection_does_not_outlive_a_revocation():
    """The list of now counts; one that has expired lets in nobody."""
    pem = a_certificate("alice")
    leaf = x509.load_pem_x509_certificate(pem.encode())
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    lists = [
        Revoked(leaf.issuer.public_bytes(), frozenset({1}), tomorrow),
        Revoked(b"another", frozenset({1}), None),
        Revoked(leaf.issuer.public_bytes(), frozenset({2}), tomorrow - timedelta(days=2)),
    ]
    found = []
    for each in lists:
        try:
            found.append(Certificate(revoked=lambda each=each: each)(Evidence(certificates=(pem,))))
        except RefusedError as error:
            found.append(error.detail)

    assert found[0] == "the client's certificate is revoked"
    assert found[1].subject == "cert:alice"
    assert found[2] == "the revocation list has expired"


def test_a_revocation_list_is_read():
    """Its issuer, its numbers, its end."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    made = datetime(2026, 1, 1, tzinfo=UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(made).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(made)
    signed = builder.next_update(made + timedelta(days=1)).add_revoked_certificate(revoked)
    pem = signed.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM)

    assert read_revoked(pem) == Revoked(
        issuer.public_bytes(), frozenset({7}), made + timedelta(days=1)
    )
    with pytest.raises(ValueError, match="PEM"):
        read_revoked(b"nonsense")


def test_a_file_can_have_a_list_of_each_authority():
    """The handshake takes all of them, and so does each request."""
    lists = []
    for name in ("one", "two"):
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = datetime.now(UTC)
        revoked = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(made).build()
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(made)
        builder = builder.next_update(made + timedelta(days=1)).add_revoked_certificate(revoked)
        signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
        lists.append((issuer.public_bytes(), signed.public_bytes(serialization.Encoding.PEM)))
    found = read_revoked(b"# ours\n" + lists[0][1] + b"# theirs\n" + lists[1][1])

    for issuer, _ in lists:
        found.check(issuer, 8, datetime.now(UTC))
        with pytest.raises(RefusedError, match="revoked"):
            found.check(issuer, 7, datetime.now(UTC))
    with pytest.raises(RefusedError, match="expired"):
        found.check(b"another", 1, datetime.now(UTC) + timedelta(days=2))
