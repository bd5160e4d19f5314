"""The key of a host in a PKCS#11 token, or in a TPM by way of one: P-256, made there, and never anywhere else.

A wrong PIN is tried once, not once in each process: a service manager starts an agent again and again, and a few
wrong PINs lock a token. So a salted hash of the PIN that was refused is kept, and that PIN is not tried any more.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from bailiwick.app.cryptoki import HsmError, Place, Sessions
from bailiwick.app.files import UnsafeFile, read_private, write_private
from bailiwick.core import host_proof
from bailiwick.core.errors import HsmUnavailable

log = logging.getLogger("bailiwick.agent")

T = TypeVar("T")

REFUSED = "pin-refused"
"""The file in the agent's folder with the hash of the PIN that was refused."""
_PATIENCE = 20.0  # seconds for which a token may take its time
_LABEL = "bailiwick agent"
_SALT, _HALF = 16, 32
_MEANS = {
    "NoSuchToken": "there is no token {}",
    "NoSuchKey": "it holds no key of this host, which has to join again",
    "PinIncorrect": "its PIN was refused",
    "PinLocked": "its PIN is locked, until the token's security officer sets another",
}
_LOCKED = "PinLocked"  # says nothing of the PIN that was tried


class InToken(Struct, frozen=True, kw_only=True):
    """Where the key is: the PKCS#11 module, the token's label, where its PIN is, the key's id (hexadecimal)."""

    module: str
    token: str
    key: str
    pin_file: str | None = None
    pin_credential: str | None = None

    @property
    def place(self) -> Place:
        """The token alone."""
        return Place(
            module=self.module, token=self.token, pin_file=self.pin_file, pin_credential=self.pin_credential
        )


class TokenKey(Sessions):
    """A key that signs in its token."""

    alone = True

    def __init__(self, where: InToken, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        """Take where the key is, or is going to be, and the agent's folder. Nothing is asked yet."""
        super().__init__(f"token {where.token}", where.module, where.token)
        self.where, self._folder, self._environment = where, folder, environment
        self._id = bytes.fromhex(where.key)
        self._bad: str | None = None

    # -- The PIN ----------------------------------------------------------------------------------------------

    def pin(self) -> str:
        """The PIN, read anew. Raises HsmUnavailable for one that was refused before."""
        try:
            found = self.where.place.pin(self.name, self._environment)
            if found == self._bad or self._was_refused(found):
                raise HsmUnavailable(
                    f"{self.name}: its PIN was refused and is not tried again: put the right one where it is read, "
                    f"or, if it has become right, remove {self._folder / REFUSED}"
                )
        except (HsmError, UnsafeFile, OSError) as error:
            raise HsmUnavailable(str(error)) from None
        return found

    def refused(self, pin: str, reason: str) -> None:
        """Remember which PIN was wrong."""
        if reason == _LOCKED:
            return
        salt = os.urandom(_SALT)
        try:
            write_private(self._folder / REFUSED, salt + _hash(pin, salt))
        except OSError as error:
            self._bad = pin
            log.error("that the PIN was refused cannot be kept, a restart tries it again: %s", error)

    def failed(self, reason: str) -> None:
        """Tell it in the log."""
        log.warning("%s failed and is opened anew: %s", self.name, reason)

    def _was_refused(self, pin: str) -> bool:
        try:
            kept = read_private(self._folder / REFUSED)
        except FileNotFoundError:
            return False
        return hmac.compare_digest(kept[_SALT:], _hash(pin, kept[:_SALT]))

    # -- The key ----------------------------------------------------------------------------------------------

    def make(self) -> bytes:
        """Make the key pair in the token; returns its SubjectPublicKeyInfo. Raises HsmUnavailable."""
        return self._in_time(self._made)

    def prove(self, message: bytes) -> str:
        """The value of a header that proves `message`, as host_proof.sign gives it. Raises HsmUnavailable."""
        return host_proof.as_header(self._in_time(lambda session: self._signature(session, message)))

    def destroy(self) -> None:
        """Destroy the key pair, if it is there. Raises HsmUnavailable."""
        self._in_time(self._destroyed)

    def _made(self, session: Any) -> bytes:
        from pkcs11 import DEFAULT, Attribute, KeyType, MechanismFlag
        from pkcs11.util.ec import encode_named_curve_parameters

        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        public, private = session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
            id=self._id,
            label=_LABEL,
            store=True,
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
            # tpm2-pkcs11 makes no key for signatures where it is told that CKA_ENCRYPT or CKA_DECRYPT is false.
            public_template={Attribute.ENCRYPT: DEFAULT},
            private_template={
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.DECRYPT: DEFAULT,
            },
        )
        if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
            self._destroyed(session)
            raise HsmUnavailable(f"{self.name}: it makes no key that stays in it")
        return _public_key(bytes(public[Attribute.EC_POINT]))

    def _signature(self, session: Any, message: bytes) -> bytes:
        """ECDSA in DER. The token is given the digest: what hashes itself is not in every token."""
        from pkcs11 import KeyType, Mechanism, ObjectClass

        found = self._keys.get(self._id)
        if found is None:
            found = self._keys[self._id] = session.get_key(
                object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, id=self._id
            )
        made = bytes(found.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA))
        if len(made) != 2 * _HALF:
            raise HsmUnavailable(f"{self.name}: it does not sign as a P-256 key does")
        return encode_dss_signature(int.from_bytes(made[:_HALF], "big"), int.from_bytes(made[_HALF:], "big"))

    def _destroyed(self, session: Any) -> None:
        from pkcs11 import Attribute, ObjectClass

        self._keys.clear()
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            for each in list(session.get_objects({Attribute.CLASS: kind, Attribute.ID: self._id})):
                each.destroy()

    def _in_time(self, work: Callable[[Any], T]) -> T:
        """Work in the session, in a thread that nobody waits for if the module does not come back."""
        done: Future[T] = Future()

        def working() -> None:
            try:
                done.set_result(self.do(work))
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=working, name="token", daemon=True).start()
        try:
            return done.result(_PATIENCE)
        except TimeoutError:
            raise HsmUnavailable(f"{self.name}: it does not answer") from None
        except HsmUnavailable as error:
            told = next((told for name, told in _MEANS.items() if name in str(error)), None)
            raise HsmUnavailable(f"{error}: {told.format(self.where.token)}" if told else str(error)) from None


def forget(where: InToken | None, folder: Path) -> str | None:
    """Destroy the key of an instance that is no more, if it was in a token; returns why that was not to be."""
    if where is None:
        return None
    key = TokenKey(where, folder)
    try:
        key.destroy()
    except HsmUnavailable as error:
        return str(error)
    finally:
        with suppress(HsmUnavailable):
            key.close()
    return None


def _public_key(point: bytes) -> bytes:
    """A SubjectPublicKeyInfo of a point, which tokens have bare, or as they should in an OCTET STRING."""
    bare = point[2:] if len(point) == 2 * _HALF + 3 and point[:2] == b"\x04\x41" else point
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bare)
    except ValueError:
        raise HsmUnavailable("the token made a key that is no P-256 key") from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=_HALF)
