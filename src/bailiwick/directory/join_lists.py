"""Lists of revoked certificates (RFC 5280 section 5) of the authorities by which hosts join.

Of each issuer, signing key and scope the newest list is kept. A host does not join with a certificate that is on
one, nor with one whose issuer's list is out of date: nobody can say then who has been revoked since. Of an issuer
without a list nothing is looked up. What joined before is found by `hosts_on` when a list comes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import delete, insert, select

from bailiwick.api import Transaction
from bailiwick.core.assertion.x509 import is_revoked, is_signed_by, read_crl
from bailiwick.core.errors import CertificateRefused, HostUnproven
from bailiwick.directory.entities import record
from bailiwick.directory.instance_tables import host_certificate, join_list

MOST_BYTES = 8 << 20
_AHEAD = 300.0  # seconds by which the clock of an authority may be ahead
_MOST_LISTS = 100
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class ListRefused(Exception):
    """A list that is not taken; the text says why."""


class Issued(msgspec.Struct, frozen=True):
    """Whose a certificate is: the authority, the SHA-256 of its issuer's name, its serial (hexadecimal).

    `is_key` tells whether the host signs with the key of the certificate.
    """

    authority: str
    issuer: str
    serial: str
    is_key: bool = False


class JoinList(msgspec.Struct, frozen=True):
    """A list as it is kept. `number` is decimal, `ends` None if the list does not say; times are epoch seconds."""

    authority: str
    id: str
    issuer: str
    number: str | None
    begun: float
    ends: float | None
    data: bytes

    @property
    def read(self) -> x509.CertificateRevocationList:
        """The list."""
        return x509.load_der_x509_crl(self.data)

    def is_older(self, other: JoinList) -> bool:
        """Whether the other list came after this one: by number where both have one, else by time."""
        if self.number is not None and other.number is not None and self.number != other.number:
            return int(self.number) < int(other.number)
        return self.begun < other.begun


def issued(authority: str, certificate: x509.Certificate) -> Issued:
    """Whose a certificate is."""
    return Issued(authority, _name(certificate.issuer), f"{certificate.serial_number:x}")


# -- Taking a list ------------------------------------------------------------------------------------------


def take(
    transaction: Transaction,
    authority: str,
    data: bytes,
    anchors: Sequence[x509.Certificate],
    between: Sequence[x509.Certificate],
    now: float,
) -> JoinList:
    """Keep a list (PEM or DER) in place of the one before. `between` are authorities below the anchors.

    Raises ListRefused for one that is damaged, not signed by the authority, partial, out of date, or older.
    """
    if len(data) > MOST_BYTES:
        raise ListRefused(f"the list is too large: {MOST_BYTES} bytes at most")
    try:
        read = read_crl(data)
    except CertificateRefused as refused:
        raise ListRefused(str(refused)) from None
    scope = _scope(read)
    made = _described(authority, read, _signer(read, [*anchors, *_below(anchors, between, now)]), scope)
    if made.begun > now + _AHEAD:
        raise ListRefused(f"the list is of the future: {_day(made.begun)}")
    if made.ends is not None and made.ends <= now:
        raise ListRefused(f"the list is out of date since {_day(made.ends)}")
    before = next((each for each in lists(transaction, authority) if each.id == made.id), None)
    if before is not None and made.is_older(before):
        raise ListRefused(f"a newer list is there already, of {_day(before.begun)}")
    remove(transaction, authority, made.id)
    transaction.run(insert(join_list).values(**msgspec.structs.asdict(made)))
    return made


def _scope(read: x509.CertificateRevocationList) -> bytes:
    """What the list is about, if it says so. Raises ListRefused for one that is not whole, for all reasons."""
    try:
        extensions = list(read.extensions)
    except ValueError:
        raise ListRefused("the list cannot be read") from None
    scope = b""
    for each in extensions:
        point = each.value
        if isinstance(point, x509.DeltaCRLIndicator):
            raise ListRefused("the list tells only what changed (a delta CRL): give the whole one")
        if isinstance(point, x509.IssuingDistributionPoint):
            if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
                raise ListRefused(
                    "the list is for others' certificates, or for some reasons only: give the whole one"
                )
            scope = point.public_bytes()
        elif each.critical and not isinstance(point, x509.AuthorityKeyIdentifier | x509.CRLNumber):
            raise ListRefused(f"the list has a critical extension that is not known here: {each.oid.dotted_string}")
    if not isinstance(read.signature_hash_algorithm, _STRONG):
        raise ListRefused("the list is not signed with SHA-256, SHA-384 or SHA-512")
    return scope


def _signer(read: x509.CertificateRevocationList, authorities: Sequence[x509.Certificate]) -> x509.Certificate:
    for each in authorities:
        if is_signed_by(read, [each]) and _may(each, "crl_sign"):
            return each
    raise ListRefused("the authority did not sign the list")


def _below(
    anchors: Sequence[x509.Certificate], between: Sequence[x509.Certificate], now: float
) -> list[x509.Certificate]:
    """Those of the certificates that the anchors stand behind, as authorities, now."""
    moment = datetime.fromtimestamp(now, UTC)
    trusted, left = list(anchors), list(between)
    while True:
        found = [each for each in left if any(_is_issued_by(each, above, moment) for above in trusted)]
        if not found:
            return trusted[len(anchors) :]
        trusted += found
        left = [each for each in left if each not in found]


def _is_issued_by(certificate: x509.Certificate, above: x509.Certificate, moment: datetime) -> bool:
    try:
        certificate.verify_directly_issued_by(above)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    good = certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc
    return good and constraints.ca and _may(above, "key_cert_sign")


def _may(certificate: x509.Certificate, use: str) -> bool:
    try:
        return bool(getattr(certificate.extensions.get_extension_for_class(x509.KeyUsage).value, use))
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False


def _described(
    authority: str, read: x509.CertificateRevocationList, signer: x509.Certificate, scope: bytes
) -> JoinList:
    try:
        number = str(read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    except x509.ExtensionNotFound:
        number = None
    if number is not None and len(number) > 50:  # 20 octets, RFC 5280 section 5.2.3
        raise ListRefused("the number of the list is too long")
    key = signer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    issuer, ends = _name(read.issuer), read.next_update_utc
    return JoinList(
        authority=authority,
        id=hashlib.sha256(b"\n".join((issuer.encode(), hashlib.sha256(key).digest(), scope))).hexdigest(),
        issuer=issuer,
        number=number,
        begun=read.last_update_utc.timestamp(),
        ends=None if ends is None else ends.timestamp(),
        data=read.public_bytes(Encoding.DER),
    )


# -- Looking up -----------------------------------------------------------------------------------------------


def lists(transaction: Transaction, authority: str) -> list[JoinList]:
    """The lists of an authority."""
    wanted = select(join_list).where(join_list.c.authority == authority).order_by(join_list.c.id)
    return [record(JoinList, row) for row in transaction.all(wanted.limit(_MOST_LISTS))]


def remove(transaction: Transaction, authority: str, beginning: str = "") -> int:
    """Forget the lists of an authority whose id begins so; returns how many there were."""
    column = join_list.c
    gone = column.id.startswith(beginning, autoescape=True)
    return transaction.run(delete(join_list).where(column.authority == authority, gone))


def check(transaction: Transaction, authority: str, chain: Sequence[x509.Certificate], now: float) -> None:
    """See to it that none of a chain was revoked. Raises HostUnproven, also where a list is out of date."""
    column = join_list.c
    issuers = {_name(each.issuer) for each in chain}
    rows = transaction.all(select(join_list).where(column.authority == authority, column.issuer.in_(issuers)))
    found = [record(JoinList, row) for row in rows]
    if is_revoked(chain, [each.read for each in found]) is not None:
        raise HostUnproven("The certificate, or one of those above it, was revoked.")
    for each in found:
        if each.ends is not None and each.ends <= now:
            raise HostUnproven(
                f"The list of revoked certificates of its issuer is out of date since {_day(each.ends)}."
            )


def remember(transaction: Transaction, instance_id: str, held: Issued) -> None:
    """Remember with which certificate an instance joined."""
    transaction.run(insert(host_certificate).values(instance_id=instance_id, **msgspec.structs.asdict(held)))


def hosts_on(transaction: Transaction, made: JoinList) -> dict[str, bool]:
    """The instances that joined with a certificate of this list, and whether the certificate's key is theirs."""
    column, read = host_certificate.c, made.read
    wanted = select(column.instance_id, column.serial, column.is_key).where(
        column.authority == made.authority, column.issuer == made.issuer
    )
    return {
        row.instance_id: bool(row.is_key)
        for row in transaction.all(wanted)
        if read.get_revoked_certificate_by_serial_number(int(row.serial, 16)) is not None
    }


def _name(name: x509.Name) -> str:
    return hashlib.sha256(name.public_bytes()).hexdigest()


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
