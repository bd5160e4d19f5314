"""Sessions in PKCS#11 tokens: what the server's keys and a host's key have in common.

One lock is around every call into a module: measured, SoftHSM aborts the process when sessions work in parallel
(facts/crypto-notes.md section 2). A token is opened when it is first asked, in the process that asks. The library
(`bailiwick[hsm]`) is imported only then; nothing of the server is, for the key of a host may be here as well.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from bailiwick.app.files import UnsafeFile, read_private
from bailiwick.core.errors import HsmUnavailable

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds for which a call waits for its turn."""
_NOT_FOR_OTHERS = 0o037  # a group may read it: that is how service managers hand out credentials


class HsmError(Exception):
    """The token that was named, or its PIN, cannot be used; the text says why."""


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token: the PKCS#11 module, the token's label, and where its user's PIN is."""

    module: str
    token: str
    pin_file: str | None = None
    pin_credential: str | None = None
    trust_anchor: str | None = None

    def pin(self, name: str, environment: Mapping[str, str]) -> str:
        """The PIN of the token, which is called `name` in errors. Raises HsmError."""
        try:
            found = read_private(self._pin_at(name, environment), _NOT_FOR_OTHERS).decode().removesuffix("\n")
        except UnsafeFile as error:
            raise HsmError(f"{name}: {error}") from None
        except OSError as error:
            raise HsmError(f"{name}: cannot read {error.filename}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise HsmError(f"{name}: the PIN is not text") from None
        if not found:
            raise HsmError(f"{name}: the PIN is empty")
        return found

    def _pin_at(self, name: str, environment: Mapping[str, str]) -> Path:
        if self.pin_file is not None:
            return Path(self.pin_file)
        folder = environment.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise HsmError(
                f"{name}: the credential {self.pin_credential} is not there: no service manager gives any"
            )
        return Path(folder) / (self.pin_credential or "")


class _Turns:
    """One call at a time into modules. Where one does not come back, those behind it do not wait for long."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._since: float | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have one's turn in this block. Raises HsmUnavailable."""
        since = self._since
        hangs = since is not None and time.monotonic() - since > PATIENCE
        if not self._lock.acquire(timeout=0 if hangs else PATIENCE):
            raise HsmUnavailable("another call to an HSM does not come back")
        before, self._since = self._since, self._since or time.monotonic()
        try:
            yield
        finally:
            self._since = before
            self._lock.release()


_TURNS = _Turns()


class Sessions(ABC):
    """The session of this process in one token. `pin`, `refused` and `failed` are the subclass's."""

    alone = False
    """Whether this process uses the module for nothing else, so that it may be started anew."""

    def __init__(self, name: str, module: str, label: str) -> None:
        """Take what the token is called in errors, the path of the module, and the token's label."""
        self.name = name
        self._module, self._label = module, label
        self._session: Any = None
        self._process = 0
        self._keys: dict[bytes, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @abstractmethod
    def pin(self) -> str:
        """The PIN with which the token is opened. Raises HsmUnavailable for one that was refused before."""

    @abstractmethod
    def refused(self, pin: str, reason: str) -> None:
        """Be told that the token refused the PIN: `reason` is PKCS#11's name for why."""

    @abstractmethod
    def failed(self, reason: str) -> None:
        """Be told that the session is opened anew."""

    def do(self, work: Callable[[Any], T]) -> T:
        """Work in the session; where that fails, once more in a new one, for a token may have been started anew.

        Raises HsmUnavailable.
        """
        with _TURNS.turn():
            session = self.session()
            try:
                return work(session)
            except Exception as error:
                if not _is_of_token(error):
                    raise
                self.failed(type(error).__name__)
            self.close()
            try:
                return work(self.session())
            except Exception as error:
                if not _is_of_token(error):
                    raise
                raise HsmUnavailable(f"{self.name}: {type(error).__name__}") from None

    def session(self) -> Any:
        """The session of this process. Raises HsmUnavailable."""
        if self._session is not None and self._process == os.getpid():
            return self._session
        pin = self.pin()
        try:
            import pkcs11
        except ImportError:
            raise HsmUnavailable("PKCS#11 needs `pip install bailiwick[hsm]`") from None
        try:
            found = self._library(pkcs11).get_token(token_label=self._label)
            try:
                session = found.open(rw=True, user_pin=pin)
            except pkcs11.UserAlreadyLoggedIn:
                session = found.open(rw=True)
        except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            self.refused(pin, type(error).__name__)
            raise HsmUnavailable(f"{self.name}: {type(error).__name__}") from None
        except Exception as error:
            raise HsmUnavailable(f"{self.name}: {type(error).__name__} {error}".rstrip()) from None
        self._session, self._process, self._keys = session, os.getpid(), {}
        return session

    def _library(self, pkcs11: Any) -> Any:
        """The module. One that nobody else uses is started anew: else it may not see that a token came back."""
        library = pkcs11.lib(self._module)
        if self.alone:
            with suppress(pkcs11.PKCS11Error):  # after a fork it was not started in this process
                library.finalize()
            library.initialize()
        return library

    def close(self) -> None:
        """Let go of the session; the next call opens another."""
        with _TURNS.turn():
            session, self._session, self._keys = self._session, None, {}
            if session is not None and self._process == os.getpid():
                with suppress(Exception):
                    session.close()


def _is_of_token(error: Exception) -> bool:
    from pkcs11 import PKCS11Error

    return isinstance(error, PKCS11Error)
