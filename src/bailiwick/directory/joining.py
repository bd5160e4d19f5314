"""By what a host may join: tokens that an operator made, good once and for a while; and authorities.

An authority is a CA whose certificates let hosts join. Of a token only the SHA-256 is kept: it has 256 random bits,
so that nobody finds one by trying.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification
from sqlalchemy import delete, insert, select

from bailiwick.api import Environment, Transaction
from bailiwick.core.errors import HostUnproven
from bailiwick.directory import join_lists
from bailiwick.directory.entities import record
from bailiwick.directory.instance_tables import host_nonce, join_authority, join_token
from bailiwick.directory.join_lists import Issued

LONGEST_SECONDS = 7 * 24 * 3600
_MOST_AUTHORITIES = 100
_PREFIX = "bwj1_"


class Grants(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an instance will be that joins so. `user_data` is base64; `profile` and `further` are names."""

    region: str
    zone: str
    profile: str | None = None
    further: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    vpc: str = ""
    user_data: str = ""


class JoinToken(msgspec.Struct, frozen=True):
    """A token as it is kept. `grants` is JSON."""

    hash: str
    account: str
    created: float
    expires: float
    grants: str


class Authority(msgspec.Struct, frozen=True):
    """Authorities (PEM) whose certificates let hosts join. `grants` is JSON."""

    name: str
    account: str
    created: float
    certificates: str
    grants: str


class Admitted(msgspec.Struct, frozen=True):
    """A host that may join: into which account, as what; of a certificate its SHA-256, and whose it is."""

    account: str
    grants: Grants
    certificate: str | None = None
    issued: Issued | None = None


# -- Tokens -------------------------------------------------------------------------------------------------


def new_token(
    transaction: Transaction, environment: Environment, account: str, grants: Grants, seconds: int
) -> str:
    """A token with which one host joins within so many seconds."""
    token = _PREFIX + base64.urlsafe_b64encode(environment.entropy(32)).decode("ascii").rstrip("=")
    now = environment.now()
    kept = JoinToken(hash_of(token), account, now, now + seconds, msgspec.json.encode(grants).decode())
    transaction.run(insert(join_token).values(**msgspec.structs.asdict(kept)))
    return token


def token(transaction: Transaction, shown: str, now: float) -> Admitted | None:
    """What a token lets a host be; None for one that is unknown, used or too old."""
    column = join_token.c
    row = transaction.one(select(join_token).where(column.hash == hash_of(shown), column.expires > now))
    return None if row is None else Admitted(row.account, msgspec.json.decode(row.grants, type=Grants))


def use_up(transaction: Transaction, shown: str) -> bool:
    """Use a token. False if somebody else was faster."""
    return transaction.run(delete(join_token).where(join_token.c.hash == hash_of(shown))) == 1


def tokens(transaction: Transaction, now: float) -> list[JoinToken]:
    """The tokens that are still good, the oldest first."""
    column = join_token.c
    rows = transaction.all(select(join_token).where(column.expires > now).order_by(column.created, column.hash))
    return [record(JoinToken, row) for row in rows]


def forget_tokens(transaction: Transaction, prefix: str) -> list[JoinToken]:
    """Remove the tokens whose hash begins so; returns them."""
    gone = join_token.c.hash.startswith(prefix, autoescape=True)
    found = [record(JoinToken, row) for row in transaction.all(select(join_token).where(gone))]
    transaction.run(delete(join_token).where(gone))
    return found


def hash_of(shown: str) -> str:
    """The hash by which a token is known: hexadecimal SHA-256."""
    return hashlib.sha256(shown.encode()).hexdigest()


# -- Certificates -------------------------------------------------------------------------------------------


def add_authority(transaction: Transaction, made: Authority) -> None:
    """Let the certificates of an authority join. Raises store.Duplicate if its name is taken."""
    transaction.run(insert(join_authority).values(**msgspec.structs.asdict(made)))


def authorities(transaction: Transaction) -> list[Authority]:
    """Every authority, by name."""
    column = join_authority.c
    rows = transaction.all(select(join_authority).order_by(column.name).limit(_MOST_AUTHORITIES))
    return [record(Authority, row) for row in rows]


def remove_authority(transaction: Transaction, name: str) -> bool:
    """Let nobody join any more by an authority, and forget its lists. False if there is none."""
    join_lists.remove(transaction, name)
    return transaction.run(delete(join_authority).where(join_authority.c.name == name)) == 1


def by_certificate(transaction: Transaction, chain: list[bytes], now: float) -> tuple[Admitted, x509.Certificate]:
    """What a certificate lets a host be, and the certificate: the first of a chain (DER).

    Raises HostUnproven if no authority that is known here stands behind it, or one has revoked it.
    """
    try:
        leaf, *between = [x509.load_der_x509_certificate(each) for each in chain]
    except ValueError:
        raise HostUnproven("The certificates are not X.509 in DER.") from None
    for each in authorities(transaction):
        roots = x509.load_pem_x509_certificates(each.certificates.encode())
        store, when = verification.Store(roots), datetime.fromtimestamp(now, UTC)
        verifier = verification.PolicyBuilder().store(store).time(when).build_client_verifier()
        try:
            verified = verifier.verify(leaf, between)
        except verification.VerificationError:
            continue
        join_lists.check(transaction, each.name, verified.chain, now)
        grants = msgspec.json.decode(each.grants, type=Grants)
        digest, issued = leaf.fingerprint(SHA256()).hex(), join_lists.issued(each.name, leaf)
        return Admitted(each.account, grants, digest, issued), leaf
    raise HostUnproven("No authority that is known here stands behind this certificate, now.")


# -- Nonces -------------------------------------------------------------------------------------------------


def redeem(transaction: Transaction, instance_id: str, nonce: str, expires: float) -> None:
    """See to it that a signed request is good once. Raises store.Duplicate for the second."""
    digest = hashlib.sha256(f"{instance_id}\n{nonce}".encode()).hexdigest()
    transaction.run(insert(host_nonce).values(id=digest, expires=expires))


def forget_expired(transaction: Transaction, now: float) -> None:
    """Forget nonces and tokens that are too old to be of use anyway."""
    transaction.run(delete(host_nonce).where(host_nonce.c.expires <= now))
    transaction.run(delete(join_token).where(join_token.c.expires <= now))
