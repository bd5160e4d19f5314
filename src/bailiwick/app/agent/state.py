"""What an agent keeps in its folder, readable for its user alone.

host.key           the key of the host (PKCS #8, PEM): Ed25519 or P-256; not there if a token has the key
host.json          where it joined, as which instance, and which key of which token it is
host.secret        where a token has the key: the secret of the metadata service's session tokens
pin-refused        a salted hash of the token's PIN, if it was refused
credentials.json   what it was told and given last, so that it serves while the server is away
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bailiwick.app.agent.token_key import InToken, TokenKey
from bailiwick.app.files import UnsafeFile, private_folder, read_private, write_private

KEY, HOST, KEPT, SECRET = "host.key", "host.json", "credentials.json", "host.secret"
_MOST = 1 << 20
_SECRET_BYTES = 32


class AgentError(Exception):
    """What keeps the agent from working; the text says what to do."""


class Joined(msgspec.Struct, frozen=True):
    """Where a host joined: the server's address, the authorities of its certificate (a path), and the instance.

    `pkcs11` is where its key is, if that is in a token.
    """

    endpoint: str
    instance_id: str
    ca_file: str | None = None
    pkcs11: InToken | None = None


class Profile(msgspec.Struct, frozen=True, rename="pascal"):
    """A profile of the instance, as the server tells it."""

    association_id: str
    arn: str
    instance_profile_id: str
    instance_profile_name: str
    is_main: bool
    role_name: str | None = None
    role_arn: str | None = None


class MetadataOptions(msgspec.Struct, frozen=True, rename="pascal"):
    """How the metadata service answers."""

    http_tokens: str = "required"
    http_endpoint: str = "enabled"
    http_put_response_hop_limit: int = 1
    http_protocol_ipv6: str = "disabled"
    instance_metadata_tags: str = "disabled"


class Instance(msgspec.Struct, frozen=True, rename="pascal"):
    """The instance, as the server tells it. Times are epoch seconds."""

    instance_id: str
    arn: str
    account_id: str
    partition: str
    region: str
    availability_zone: str
    private_ip_address: str
    architecture: str
    instance_type: str
    image_id: str
    launch_time: float
    metadata_options: MetadataOptions
    hostname: str = ""
    vpc_id: str | None = None
    user_data: bytes | None = None
    tags: dict[str, str] = {}
    profiles: tuple[Profile, ...] = ()
    credentials_ended_at: float = 0.0

    def profile(self, name: str | None) -> Profile | None:
        """The profile of this name; the main one for None."""
        wanted = (
            each for each in self.profiles if (each.is_main if name is None else each.instance_profile_name == name)
        )
        return next(wanted, None)


class Credentials(msgspec.Struct, frozen=True):
    """Credentials of a role. `begun` and `expires` are epoch seconds. Its repr shows no secret.

    `ended_before` is when the server last ended the credentials of the instance, as it was known then.
    """

    association_id: str
    role_name: str
    role_arn: str
    access_key_id: str
    secret: str
    token: str
    begun: float
    expires: float
    ended_before: float = 0.0

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id})"


class Kept(msgspec.Struct, frozen=True):
    """What was told and given last: credentials by the name of their profile and how they are delivered."""

    instance: Instance
    credentials: dict[str, Credentials] = {}


class Folder:
    """The folder of one agent."""

    def __init__(self, path: Path) -> None:
        """Take a folder that is there or can be made. Raises AgentError for one that others can change."""
        self.path = path
        try:
            private_folder(path)
        except UnsafeFile as error:
            raise AgentError(str(error)) from None

    def joined(self) -> Joined:
        """Where this host joined. Raises AgentError if it did not."""
        data = self._read(HOST)
        if data is None:
            raise AgentError(f"this host has not joined yet: `bailiwick agent join` (state in {self.path})")
        try:
            return msgspec.json.decode(data, type=Joined)
        except msgspec.DecodeError:
            raise AgentError(f"{self.path / HOST} is damaged") from None

    def key(self) -> PrivateKeyTypes | TokenKey:
        """The key of this host; a token that has it is not asked. Raises AgentError."""
        where = self.joined().pkcs11 if (self.path / HOST).exists() else None
        if where is not None:
            return TokenKey(where, self.path)
        data = self._read(KEY)
        if data is None:
            raise AgentError(f"{self.path / KEY} is missing: this host has to join again")
        try:
            return load_pem_private_key(data, None)
        except ValueError:
            raise AgentError(f"{self.path / KEY} is no private key") from None

    def secret(self, purpose: str) -> bytes:
        """A secret of 32 bytes that only this host has, the same after a restart. Raises AgentError, OSError."""
        key = self.key()
        if not isinstance(key, TokenKey):
            return secret_of(key, purpose)
        seed = self._read(SECRET)
        if seed is None or len(seed) != _SECRET_BYTES:
            seed = os.urandom(_SECRET_BYTES)
            write_private(self.path / SECRET, seed)
        return _derived(seed, purpose)

    def join(self, key: PrivateKeyTypes | TokenKey, where: Joined) -> None:
        """Keep a new key and where it joined; what was kept of an earlier instance is removed. Raises OSError."""
        (self.path / KEPT).unlink(missing_ok=True)
        (self.path / SECRET).unlink(missing_ok=True)
        if not isinstance(key, TokenKey):
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_private(self.path / KEY, pem)
        write_private(self.path / HOST, msgspec.json.encode(where))
        if isinstance(key, TokenKey):
            (self.path / KEY).unlink(missing_ok=True)

    def kept(self) -> Kept | None:
        """What was told and given last, if it can be read."""
        try:
            data = self._read(KEPT)
            return None if data is None else msgspec.json.decode(data, type=Kept)
        except (msgspec.DecodeError, AgentError):
            return None  # it is asked for again

    def keep(self, kept: Kept | None) -> None:
        """Keep what was told and given; None to forget it. Raises OSError."""
        if kept is None:
            (self.path / KEPT).unlink(missing_ok=True)
        else:
            write_private(self.path / KEPT, msgspec.json.encode(kept))

    def _read(self, name: str) -> bytes | None:
        try:
            return read_private(self.path / name, most=_MOST)
        except FileNotFoundError:
            return None
        except UnsafeFile as error:
            raise AgentError(str(error)) from None


def new_key(kind: str) -> PrivateKeyTypes:
    """A new key: `ed25519` or `p256`."""
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


def public_key(key: PrivateKeyTypes) -> bytes:
    """The other half: a SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def secret_of(key: PrivateKeyTypes, purpose: str) -> bytes:
    """A secret of 32 bytes that only who has the key can know."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _derived(hashlib.sha256(der).digest(), purpose)


def _derived(seed: bytes, purpose: str) -> bytes:
    return hashlib.blake2b(purpose.encode(), key=seed, digest_size=32).digest()
