"""The signing keys of OpenID Connect issuers: discovered, fetched, kept a while, and fetched anew as they rotate.

Source: OpenID Connect Discovery 1.0 sections 4.1 to 4.3; facts/sts.md section 6. It blocks: call it on a thread.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from bailiwick.core.assertion import jwt
from bailiwick.core.assertion.jwt import Key, Token
from bailiwick.core.bounded import Bounded
from bailiwick.core.errors import CoreError, IssuerUnreachable, TokenRefused
from bailiwick.federation.fetch import Fetcher, FetchError, WrongThumbprint

log = structlog.get_logger()

FRESH = 600.0  # seconds for which keys are used without asking again
STALE = 3600.0  # seconds for which they are used if the issuer cannot be asked
PAUSE = 30.0  # seconds between two askings because of a key that is not known, or after one that failed

_ISSUERS = 1000
_AT_ONCE = 2  # threads that ask or wait; the pool has few, and other work to do
_NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
_NO_THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"


class _Known(msgspec.Struct):
    """The keys of one issuer. `asked` is when it last answered, or was known not to; `pinned` is Document's."""

    keys: tuple[Key, ...] = ()
    pinned: bool | None = None
    fetched: float | None = None
    asked: float | None = None
    trouble: CoreError | None = None


class Issuers:
    """The keys of issuers by their URL. Safe between threads."""

    def __init__(
        self, fetcher: Fetcher, offline: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what fetches, and a file of keys for issuers that are not asked: `{"https://issuer": JWKS, ...}`."""
        self._fetcher = fetcher
        self._offline = offline
        self._clock = clock
        self._known: Bounded[tuple[str, tuple[str, ...]], _Known] = Bounded(_ISSUERS)
        self._asking = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()

    def keys(self, token: Token, issuer: str, thumbprints: Sequence[str]) -> tuple[Key, ...]:
        """The keys of `issuer`, asked for anew if the token names one that is not known.

        Raises IssuerUnreachable for one that does not answer, TokenRefused for an answer that is of no use.
        """
        given = self._of_file(issuer)
        if given is not None:
            return given
        name = _name(issuer, thumbprints)
        with self._lock:
            known = self._known.get(name)
            if known is None:
                known = _Known()
                self._known.put(name, known)
        if self._serves(known, token):
            return known.keys
        if not self._asking.acquire(blocking=False):
            if known.fetched is not None and jwt.knows(token, known.keys):
                return known.keys
            raise IssuerUnreachable("Too many identity providers are being asked. Please try again.")
        try:
            self._ask(known, issuer, thumbprints)
        finally:
            self._asking.release()
        return self._present(known)

    def pinned(self, issuer: str, thumbprints: Sequence[str]) -> bool | None:
        """Whether it was a thumbprint that spoke for the issuer's server: what jwt.Issuers says."""
        if self._of_file(issuer) is not None:
            return None
        with self._lock:
            known = self._known.get(_name(issuer, thumbprints))
        return None if known is None else known.pinned

    def _serves(self, known: _Known, token: Token) -> bool:
        """Whether what is known is answer enough. Raises what went wrong when the issuer was asked just now."""
        now = self._clock()
        lately = known.asked is not None and now - known.asked < PAUSE
        fresh = known.fetched is not None and now - known.fetched < FRESH
        if fresh and jwt.knows(token, known.keys):
            return True
        if lately:
            self._present(known)
        return lately

    def _present(self, known: _Known) -> tuple[Key, ...]:
        """The keys that are known, unless they are too old. Raises what went wrong."""
        if known.fetched is not None and self._clock() - known.fetched < STALE:
            return known.keys
        raise (known.trouble or TokenRefused("keys", _NO_KEY)).with_traceback(None)

    def _ask(self, known: _Known, issuer: str, thumbprints: Sequence[str]) -> None:
        try:
            keys, pinned = self._fetched(issuer, thumbprints)
        except FetchError as error:
            log.warning("an identity provider could not be asked", issuer=issuer, reason=str(error))
            known.trouble = _trouble(error)
        except ValueError as error:
            log.warning("an identity provider answers what is of no use", issuer=issuer, reason=str(error))
            known.trouble = TokenRefused("keys", _NO_KEY)
        else:
            known.keys, known.pinned, known.fetched, known.trouble = keys, pinned, self._clock(), None
        known.asked = self._clock()

    def _fetched(self, issuer: str, thumbprints: Sequence[str]) -> tuple[tuple[Key, ...], bool | None]:
        """Discover and fetch; and whether a thumbprint spoke for the server. Raises FetchError, ValueError."""
        answer = self._fetcher.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", thumbprints)
        try:
            found: Any = json.loads(answer)
        except RecursionError:
            raise ValueError("the discovery document is too deep") from None
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            raise ValueError("the discovery document is not of this issuer")
        where = found.get("jwks_uri")
        if not isinstance(where, str) or len(where) > 2048 or not where.isascii() or not where.isprintable():
            raise ValueError("the discovery document has no jwks_uri")
        if urlsplit(where).scheme != "https" and urlsplit(issuer).scheme == "https":
            raise ValueError("the jwks_uri is not https")
        found = self._fetcher.document(where, thumbprints)
        return jwt.keys_of(found.body), found.pinned

    def _of_file(self, issuer: str) -> tuple[Key, ...] | None:
        """The keys that the file of the operator has for an issuer; it is read anew each time, being small."""
        if self._offline is None:
            return None
        try:
            written = json.loads(self._offline.read_bytes())
            return jwt.keys_of(json.dumps(written[issuer]).encode()) if issuer in written else None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            log.error("the file of issuers' keys cannot be used", file=str(self._offline), reason=str(error))
            raise TokenRefused("keys", _NO_KEY) from None


def _name(issuer: str, thumbprints: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return issuer, tuple(sorted(thumbprints))  # what one account pins must not stand for another's issuer


def _trouble(error: FetchError) -> CoreError:
    if isinstance(error, WrongThumbprint):
        return TokenRefused("thumbprint", _NO_THUMBPRINT)
    if error.reached:
        return TokenRefused("keys", _NO_KEY)
    return IssuerUnreachable("The identity provider could not be reached to verify the token. Please try again.")
