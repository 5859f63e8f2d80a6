"""A certificate authority and a certificate for `localhost`, made anew for each run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from refresher.rules.connection import Secret
from refresher.rules.proving import ClientCertificate

LIFE = timedelta(days=2)


@dataclass(frozen=True)
class Certificates:
    """`authority` is what a client must trust; `server` is what a server speaks with.

    `demanding` is the same for a server that asks for a client's certificate, such as `client`.
    """

    authority: Path
    server: ssl.SSLContext
    demanding: ssl.SSLContext
    client: ClientCertificate


def make_certificates(folder: Path) -> Certificates:
    """Writes them into `folder`. The server's is good for the name localhost, and no address."""
    authority_key, server_key, client_key = (generate_private_key(SECP256R1()) for _ in range(3))
    authority = _sign(_named("test authority", authority_key, ca=True), authority_key)
    alternatives = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = _named("test server", server_key, ca=False, issuer=authority.subject)
    builder = builder.add_extension(alternatives, critical=False)
    server = _sign(builder.add_extension(usage, critical=False), authority_key)
    (folder / "authority.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    chain = folder / "server.pem"
    chain.write_bytes(_pem(server_key) + server.public_bytes(Encoding.PEM))
    client = _sign(_named("an app", client_key, ca=False, issuer=authority.subject), authority_key)
    return Certificates(
        folder / "authority.pem",
        _context(chain),
        _context(chain, asks_for=folder / "authority.pem"),
        ClientCertificate(
            client.public_bytes(Encoding.PEM).decode(), Secret(_pem(client_key).decode())
        ),
    )


def _context(chain: Path, asks_for: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    if asks_for is not None:
        context.load_verify_locations(asks_for)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _named(
    name: str, key: EllipticCurvePrivateKey, *, ca: bool, issuer: x509.Name | None = None
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer or subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - LIFE,
        not_valid_after=now + LIFE,
    )
    return builder.add_extension(x509.BasicConstraints(ca, None), critical=True)


def _sign(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256())
