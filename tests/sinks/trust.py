"""TLS in which both sides prove who they are, with certificates of an authority of the test."""

import ssl
from pathlib import Path

import trustme

from authz.sinks.streams import Trust


def both_sides(folder: Path) -> tuple[ssl.SSLContext, Trust]:
    """Return a server's context and the files of its client, which lie in a folder."""
    authority = trustme.CA()
    trust = Trust(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    ours = authority.issue_cert("client")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    ours.private_key_pem.write_to_path(folder / "key.pem")
    ours.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    return server, trust
