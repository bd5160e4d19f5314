"""Hardware security modules by PKCS#11: the file that names them, and how each is asked.

A wrong PIN is tried once and never again, for three of them lock a token.
"""

from __future__ import annotations

import hmac
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from msgspec import Meta

from bailiwick.app import cryptoki
from bailiwick.app.cryptoki import HsmError, Place, Sessions
from bailiwick.app.metrics import Sample
from bailiwick.core.errors import HsmUnavailable, SealError
from bailiwick.measure import Tally

__all__ = ["HsmError", "Pkcs11Token", "Place", "Tokens", "opened", "read", "token"]

log = structlog.get_logger()
T = TypeVar("T")

Name = Annotated[str, Meta(pattern=r"\Acluster-[2-7a-zA-Z]{11,16}\Z")]
"""What a token goes by has the form of the name of a CloudHSM cluster, for CreateCustomKeyStore asks for one."""

_NONCE, _TAG = 12, 16


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: tokens by name."""

    tokens: dict[Name, Place]


def read(path: Path) -> Tokens:
    """The file of tokens. Raises HsmError."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Tokens)
    except OSError as error:
        raise HsmError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise HsmError(f"{path}: {error}") from None
    for name, place in found.tokens.items():
        if (place.pin_file is None) == (place.pin_credential is None):
            raise HsmError(f"{path}: {name} needs either `pin_file` or `pin_credential`")
    return found


def opened(path: Path, environment: Mapping[str, str]) -> dict[str, Pkcs11Token]:
    """The tokens of the file by name, none of which has been asked yet. Raises HsmError."""
    if find_spec("pkcs11") is None:
        raise HsmError(f"{path} needs PKCS#11, which is not installed; pip install 'bailiwick[hsm]'")
    return {name: token(name, place, environment) for name, place in read(path).tokens.items()}


def token(name: str, place: Place, environment: Mapping[str, str]) -> Pkcs11Token:
    """One token; its PIN is read, and that of no other. Raises HsmError."""
    try:
        anchor = Path(place.trust_anchor).read_text("ascii") if place.trust_anchor else None
    except OSError as error:
        raise HsmError(f"{name}: cannot read {error.filename}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HsmError(f"{name}: the trust anchor is not text") from None
    return Pkcs11Token(name, place.module, place.token, place.pin(name, environment), anchor)


class Pkcs11Token(Sessions):
    """A token that is asked by PKCS#11: what outside.Token says. Its repr shows no PIN."""

    def __init__(self, name: str, module: str, label: str, pin: str, anchor: str | None = None) -> None:
        """Take the path of the module, the token's label and its user's PIN."""
        super().__init__(name, module, label)
        self._pin = pin
        self._anchor = None if anchor is None else anchor.split()
        self._refused = False
        self._outcomes = {"answered": Tally(), "failed": Tally()}

    def do(self, work: Callable[[Any], T]) -> T:
        """What Sessions.do does, counted."""
        outcome = "answered"
        try:
            return super().do(work)
        except HsmUnavailable:
            outcome = "failed"
            raise
        finally:
            self._outcomes[outcome].add()

    def samples(self) -> Iterator[Sample]:
        """How often it was asked, and how that went."""
        for outcome, tally in self._outcomes.items():
            yield Sample("bailiwick_hsm_requests", (self.name, outcome), tally.value)

    def pin(self) -> str:
        """The PIN. Raises HsmUnavailable for one that was refused in this process."""
        if self._refused:
            raise HsmUnavailable(f"{self.name}: its PIN was refused; start the server again with the right one")
        return self._pin

    def refused(self, pin: str, reason: str) -> None:
        """Try it no more."""
        self._refused = True

    def failed(self, reason: str) -> None:
        """Tell it in the log."""
        log.warning("an HSM failed and is opened anew", hsm=self.name, reason=reason)

    def admits(self, password: str) -> bool:
        """Whether this is the PIN."""
        return hmac.compare_digest(password.encode(), self._pin.encode())

    def trusts(self, certificate: str) -> bool:
        """Whether this is the trust anchor that was given, or none was."""
        return self._anchor is None or certificate.split() == self._anchor

    def check(self) -> None:
        """Ask for eight random bytes. Raises HsmUnavailable."""
        self.random(8)

    def random(self, size: int) -> bytes:
        """Random bytes of the token's own. Raises HsmUnavailable."""
        return self.do(lambda session: bytes(session.generate_random(size * 8)))

    def make(self, key: bytes, label: str) -> None:
        """Make an AES-256 key that works in the token only, and stays. Raises HsmUnavailable."""
        from pkcs11 import Attribute, KeyType, MechanismFlag

        work = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
        kept = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}

        def made(session: Any) -> None:
            session.generate_key(
                *(KeyType.AES, 256), id=key, label=label, store=True, capabilities=work, template=kept
            )

        self.do(made)

    def holds(self, key: bytes) -> bool:
        """Whether there is a key with this id. Raises HsmUnavailable."""
        from pkcs11 import NoSuchKey

        def found(session: Any) -> bool:
            try:
                return self._key(session, key) is not None
            except NoSuchKey:
                return False

        return self.do(found)

    def destroy(self, key: bytes) -> None:
        """Destroy the key with this id, if there is one. Raises HsmUnavailable, after a few seconds at the latest.

        Who asks for it has other keys to destroy, of other tokens. It may be done later after all.
        """
        done: Future[None] = Future()

        def destroyed(session: Any) -> None:
            from pkcs11 import NoSuchKey

            self._keys.pop(key, None)  # another process may have destroyed what it means
            with suppress(NoSuchKey):
                self._key(session, key).destroy()
            self._keys.pop(key, None)

        def work() -> None:
            try:
                self.do(destroyed)
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=work, name="hsm", daemon=True).start()
        try:
            done.result(cryptoki.PATIENCE)
        except TimeoutError:
            raise HsmUnavailable(f"{self.name}: it does not answer") from None

    def seal(self, key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypt under AES-GCM in the token. Raises HsmUnavailable."""
        return self.do(lambda session: self._sealed(session, key, plaintext, associated))

    def open(self, key: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Decrypt what `seal` gave. Raises SealError, HsmUnavailable."""
        from pkcs11 import GCMParams, Mechanism, PKCS11Error

        def work(session: Any) -> bytes:
            params = GCMParams(sealed[:_NONCE], associated, _TAG * 8)
            found = self._key(session, key)
            try:
                opened: bytes = found.decrypt(sealed[_NONCE:], mechanism=Mechanism.AES_GCM, mechanism_param=params)
            except PKCS11Error:
                # A wrong tag has no error of its own. If the key works all the same, it was the ciphertext.
                self._sealed(session, key, b"does it work", b"")
                raise SealError("the sealed value does not open") from None
            return opened

        if len(sealed) < _NONCE + _TAG:
            raise SealError("the sealed value does not open")
        return self.do(work)

    def _sealed(self, session: Any, key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        from pkcs11 import GCMParams, Mechanism

        nonce = bytes(session.generate_random(_NONCE * 8))
        params = GCMParams(nonce, associated, _TAG * 8)
        found = self._key(session, key)
        return nonce + bytes(found.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=params))

    def _key(self, session: Any, key: bytes) -> Any:
        from pkcs11 import KeyType, ObjectClass

        found = self._keys.get(key)
        if found is None:
            found = self._keys[key] = session.get_key(
                object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, id=key
            )
        return found
