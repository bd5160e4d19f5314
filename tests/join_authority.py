"""A company's authority for hosts, with authorities below it, and lists of what they revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class JoinAuthority:
    """An authority at a time (epoch seconds); by `above` if that is given, else by itself."""

    def __init__(
        self, now: float, common: str = "Company CA", above: JoinAuthority | None = None, *, lists: bool = True
    ) -> None:
        self.now, self.name = datetime.fromtimestamp(now, UTC), named(common)
        self.key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, lists, False, False)
        signer = above or self
        self.certificate = (
            signer.begun(self.name, self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(signer.key, SHA256())
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def begun(self, name: x509.Name, key: Any) -> x509.CertificateBuilder:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(hours=1))
            .not_valid_after(self.now + timedelta(days=90))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(identifier, critical=False)
        )

    def issue(
        self,
        key: Any,
        common: str = "host-1",
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> x509.Certificate:
        """The certificate of a host."""
        return (
            self.begun(named(common), key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{common}.example.org")]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self.key, SHA256())
        )

    def revoking(
        self,
        *gone: x509.Certificate,
        number: int | None = 1,
        days: tuple[float, float | None] = (0, 30),
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        digest: HashAlgorithm | None = None,
    ) -> bytes:
        """A list (DER): `days` after the authority's time it is made, and the next is due."""
        begun = self.now + timedelta(days=days[0])
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(begun)
        builder = builder.next_update(self.now + timedelta(days=days[1] or 30))
        if number is not None:
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for each in gone:
            entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(self.now).build())
        return builder.sign(self.key, digest or SHA256()).public_bytes(Encoding.DER)
