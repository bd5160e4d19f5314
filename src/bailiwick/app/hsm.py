"""Hardware security modules by PKCS#11: the file that names them, and how each is asked.

One lock is around every call into a module: measured, SoftHSM aborts the process when sessions work in parallel
(facts/crypto-notes.md section 2). A token is opened when it is first asked, in the process that asks. A wrong PIN
is tried once and never again, for three of them lock a token. The library (`bailiwick[hsm]`) is imported only then.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from msgspec import Meta

from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.core.errors import HsmUnavailable, SealError

log = structlog.get_logger()

T = TypeVar("T")
Name = Annotated[str, Meta(pattern=r"\Acluster-[2-7a-zA-Z]{11,16}\Z")]
"""What a token goes by has the form of the name of a CloudHSM cluster, for CreateCustomKeyStore asks for one."""

_NONCE, _TAG = 12, 16
_NOT_FOR_OTHERS = 0o037  # a group may read it: that is how service managers hand out credentials
_PATIENCE = 5.0  # seconds for which a call waits for its turn


class _Turns:
    """One call at a time into modules. Where one does not come back, those behind it do not wait for long."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._since: float | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have one's turn in this block. Raises HsmUnavailable."""
        since = self._since
        hangs = since is not None and time.monotonic() - since > _PATIENCE
        if not self._lock.acquire(timeout=0 if hangs else _PATIENCE):
            raise HsmUnavailable("another call to an HSM does not come back")
        before, self._since = self._since, self._since or time.monotonic()
        try:
            yield
        finally:
            self._since = before
            self._lock.release()


_TURNS = _Turns()


class HsmError(Exception):
    """The file of tokens, or what it names, cannot be used; the text says why."""


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token of the file: the PKCS#11 module, the token's label, and where its user's PIN is."""

    module: str
    token: str
    pin_file: str | None = None
    pin_credential: str | None = None
    trust_anchor: str | None = None


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
    return {name: token(name, place, environment) for name, place in read(path).tokens.items()}


def token(name: str, place: Place, environment: Mapping[str, str]) -> Pkcs11Token:
    """One token; its PIN is read, and that of no other. Raises HsmError."""
    try:
        anchor = Path(place.trust_anchor).read_text("ascii") if place.trust_anchor else None
        pin = _pin(place, environment).decode().removesuffix("\n")
    except UnsafeFile as error:
        raise HsmError(f"{name}: {error}") from None
    except OSError as error:
        raise HsmError(f"{name}: cannot read {error.filename}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HsmError(f"{name}: the PIN or the trust anchor is not text") from None
    if not pin:
        raise HsmError(f"{name}: the PIN is empty")
    return Pkcs11Token(name, place.module, place.token, pin, anchor)


def _pin(place: Place, environment: Mapping[str, str]) -> bytes:
    if place.pin_file is not None:
        return read_private(Path(place.pin_file), _NOT_FOR_OTHERS)
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise HsmError(f"the credential {place.pin_credential} is not there: no service manager gives any")
    return read_private(Path(folder) / (place.pin_credential or ""), _NOT_FOR_OTHERS)


class Pkcs11Token:
    """A token that is asked by PKCS#11: what outside.Token says. Its repr shows no PIN."""

    def __init__(self, name: str, module: str, label: str, pin: str, anchor: str | None = None) -> None:
        """Take the path of the module, the token's label and its user's PIN."""
        self.name = name
        self._module, self._label, self._pin = module, label, pin
        self._anchor = None if anchor is None else anchor.split()
        self._session: Any = None
        self._process = 0
        self._keys: dict[bytes, Any] = {}
        self._refused = False

    def __repr__(self) -> str:
        return f"Pkcs11Token({self.name})"

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
        return self._do(lambda session: bytes(session.generate_random(size * 8)))

    def make(self, key: bytes, label: str) -> None:
        """Make an AES-256 key that works in the token only, and stays. Raises HsmUnavailable."""
        from pkcs11 import Attribute, KeyType, MechanismFlag

        work = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
        kept = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}

        def made(session: Any) -> None:
            session.generate_key(
                *(KeyType.AES, 256), id=key, label=label, store=True, capabilities=work, template=kept
            )

        self._do(made)

    def holds(self, key: bytes) -> bool:
        """Whether there is a key with this id. Raises HsmUnavailable."""
        from pkcs11 import NoSuchKey

        def found(session: Any) -> bool:
            try:
                return self._key(session, key) is not None
            except NoSuchKey:
                return False

        return self._do(found)

    def destroy(self, key: bytes) -> None:
        """Destroy the key with this id, if there is one. Raises HsmUnavailable, after a few seconds at the latest.

        Who asks for it writes to the database meanwhile, and everybody would wait. It may be done later after all.
        """
        done: Future[None] = Future()

        def work() -> None:
            try:
                if self.holds(key):
                    self._do(lambda session: self._key(session, key).destroy())
                    self._keys.pop(key, None)
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=work, name="hsm", daemon=True).start()
        try:
            done.result(_PATIENCE)
        except TimeoutError:
            raise HsmUnavailable(f"{self.name}: it does not answer") from None

    def seal(self, key: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypt under AES-GCM in the token. Raises HsmUnavailable."""
        return self._do(lambda session: self._sealed(session, key, plaintext, associated))

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
        return self._do(work)

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

    def _do(self, work: Callable[[Any], T]) -> T:
        """Work in the session; where that fails, once more in a new one, for a token may have been started anew."""
        with _TURNS.turn():
            session = self._open()
            try:
                return work(session)
            except Exception as error:
                if not _is_of_token(error):
                    raise
                log.warning("an HSM failed and is opened anew", hsm=self.name, reason=type(error).__name__)
            self.close()
            try:
                return work(self._open())
            except Exception as error:
                if not _is_of_token(error):
                    raise
                raise HsmUnavailable(f"{self.name}: {type(error).__name__}") from None

    def _open(self) -> Any:
        """The session of this process. Raises HsmUnavailable."""
        if self._session is not None and self._process == os.getpid():
            return self._session
        if self._refused:
            raise HsmUnavailable(f"{self.name}: its PIN was refused; start the server again with the right one")
        try:
            import pkcs11
        except ImportError:
            raise HsmUnavailable("PKCS#11 needs `pip install bailiwick[hsm]`") from None
        try:
            found = pkcs11.lib(self._module).get_token(token_label=self._label)
            try:
                session = found.open(rw=True, user_pin=self._pin)
            except pkcs11.UserAlreadyLoggedIn:
                session = found.open(rw=True)
        except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            self._refused = True
            raise HsmUnavailable(f"{self.name}: {type(error).__name__}") from None
        except Exception as error:
            raise HsmUnavailable(f"{self.name}: {type(error).__name__} {error}".rstrip()) from None
        self._session, self._process, self._keys = session, os.getpid(), {}
        return session

    def close(self) -> None:
        """Let go of the session; the next call opens another."""
        with _TURNS.turn():
            session, self._session, self._keys = self._session, None, {}
            if session is not None:
                with suppress(Exception):
                    session.close()


def _is_of_token(error: Exception) -> bool:
    from pkcs11 import PKCS11Error

    return isinstance(error, PKCS11Error)
