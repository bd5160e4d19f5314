"""The layouts of what clients hold for us: session tokens, authorization messages and markers of lists.

A session token is the whole session, sealed, so that any node verifies it without a read. What must still be looked
up is the present state of the role or user: deleted means dead at once.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from enum import StrEnum

import msgspec

from bailiwick.core.errors import SealError
from bailiwick.core.ids import Entropy
from bailiwick.core.seal import KeyRing

_PURPOSE = "session-token"
_PREFIX = "BWK1"
_MAX_TOKEN = 16384
_LONG = 600  # bytes from which on a session is compressed; what a new one may have packs into 2,048
_COMPRESSED = b"x"  # what zlib begins with, and no array of MessagePack


class SessionKind(StrEnum):
    """How a session came to be."""

    ROLE = "role"  # AssumeRole and its siblings
    SESSION = "session"  # GetSessionToken: the user herself, for a while
    FEDERATED = "federated"  # GetFederationToken
    FORWARDED = "forwarded"  # a user's or root user's own key, in the hands of a service that she called
    ROOT = "root"  # AssumeRoot: the root user of a member account, for one task


class Session(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """One set of temporary credentials.

    `principal` is the unique id of the role or user behind the session (or the account id of a root user).
    `issued` and `expires` are epoch seconds. `policies` are texts of inline session policies,
    `policy_arns` names of managed ones; `filtered` tells a session that was given policies from one that
    was not (an empty list of a filtered session grants nothing). `mfa` is the time of the MFA check. `said` are
    condition keys, in lower case, that the word of an identity provider gives to all that the session does.
    `via` are the services that it was forwarded through, in order; then `origin` is the key that the person signed
    with, and `source` her address.
    """

    kind: SessionKind
    account: str
    principal: str
    access_key_id: str
    secret: str
    issued: int
    expires: int
    name: str = ""
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: int | None = None
    federated_provider: str = ""
    chained: bool = False
    said: dict[str, str | tuple[str, ...]] = {}
    via: tuple[str, ...] = ()
    origin: str = ""
    source: str = ""

    def __repr__(self) -> str:
        return f"Session({self.kind}, {self.principal}, {self.name!r}, expires={self.expires})"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Session)


def seal_session(ring: KeyRing, session: Session, entropy: Entropy) -> str:
    """The session token for `session`: text fit for a header, opaque to the client."""
    plain = _encoder.encode(session)
    if len(plain) > _LONG:
        plain = zlib.compress(plain, 9)
    sealed = ring.seal(_PURPOSE, plain, entropy)
    return _PREFIX + base64.b64encode(sealed).decode("ascii")


def open_session(ring: KeyRing, token: str) -> Session:
    """The session inside `token`. Raises SealError for anything that this deployment did not seal.

    It does not look at the clock: the caller compares `expires`.
    """
    if not token.startswith(_PREFIX) or len(token) > _MAX_TOKEN:
        raise SealError("the session token does not open")
    try:
        sealed = base64.b64decode(token[len(_PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise SealError("the session token does not open") from None
    if base64.b64encode(sealed).decode("ascii") != token[len(_PREFIX) :]:
        raise SealError("the session token does not open")  # unused bits of the last letter were set
    try:
        plain = ring.open(_PURPOSE, sealed)
        return _decoder.decode(zlib.decompress(plain) if plain[:1] == _COMPRESSED else plain)
    except (msgspec.DecodeError, zlib.error):
        raise SealError("the session token does not open") from None


# -- Authorization messages -------------------------------------------------------------------------------

_MESSAGE_PURPOSE = "authorization-message"
_MESSAGE_SECONDS = 24 * 3600
_LONGEST_MESSAGE = 10_240  # what DecodeAuthorizationMessage takes


def seal_message(ring: KeyRing, text: str, account: str, now: float, entropy: Entropy) -> str | None:
    """An authorization message that `account` can have decoded for a day; None if it would be too long."""
    ends = int(now + _MESSAGE_SECONDS).to_bytes(8, "big")
    sealed = ring.seal(_MESSAGE_PURPOSE, ends + zlib.compress(text.encode()), entropy, account.encode())
    encoded = base64.urlsafe_b64encode(sealed).decode("ascii")
    return encoded if len(encoded) <= _LONGEST_MESSAGE else None


def open_message(ring: KeyRing, encoded: str, account: str, now: float) -> str:
    """The text of an authorization message. Raises SealError for one of others, or that is too old."""
    try:
        sealed = base64.urlsafe_b64decode(encoded.encode("ascii"))
    except (binascii.Error, ValueError):
        raise SealError("the message does not open") from None
    opened = ring.open(_MESSAGE_PURPOSE, sealed, account.encode())
    if int.from_bytes(opened[:8], "big") < now:
        raise SealError("the message is too old")
    return zlib.decompress(opened[8:]).decode()


# -- Markers ----------------------------------------------------------------------------------------------

_MARKER_MAC_BYTES = 12


def make_marker(ring: KeyRing, scope: str, key: str) -> str:
    """A marker that says: go on after `key`. It is bound to `scope`, the list and account it was made for."""
    mac = ring.mac("marker", _marked(scope, key.encode()))[:_MARKER_MAC_BYTES]
    return base64.urlsafe_b64encode(mac + key.encode()).decode("ascii")


def read_marker(ring: KeyRing, scope: str, marker: str) -> str:
    """The key in a marker. Raises SealError for one that this deployment did not make for `scope`."""
    try:
        raw = base64.urlsafe_b64decode(marker.encode("ascii"))
        mac, key = raw[:_MARKER_MAC_BYTES], raw[_MARKER_MAC_BYTES:]
        if ring.verifies("marker", _marked(scope, key), mac, _MARKER_MAC_BYTES):
            return key.decode()
    except (binascii.Error, ValueError):
        pass
    raise SealError("the marker does not open")


def list_scope(account: str, action: str, region: str = "") -> str:
    """What a marker is bound to: the account, the region if it is a regional list, and the action that lists."""
    return "/".join(filter(None, (account, region, action)))


def before(start: str) -> str:
    """A key of a list of names, after which those follow that begin with `start`, which is not empty.

    Names are of printable ASCII, so nothing in one comes after the last of these letters.
    """
    return start[:-1] + chr(ord(start[-1]) - 1) + "\x7f"


def _marked(scope: str, key: bytes) -> bytes:
    return len(scope).to_bytes(4, "big") + scope.encode() + key
