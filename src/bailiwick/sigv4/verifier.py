"""Verifying requests against keys that a callable looks up."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from bailiwick.core.errors import IncompleteSignature, UnknownToken
from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import verify
from bailiwick.core.sigv4.chunks import ChunkDecoder
from bailiwick.core.sigv4.claim import read
from bailiwick.core.sigv4.rules import CHUNKED_PREFIX, STRICT, Rules

_INVALID = "The security token included in the request is invalid."


class Credentials(msgspec.Struct, frozen=True):
    """An access key, as its owner and the service know it.

    `session_token` is set for temporary keys: requests must then carry it. `identity` is whatever the service wants
    to find again on a verified request. The repr shows no secret.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    identity: Any = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id})"


class Signer(msgspec.Struct, frozen=True):
    """Who signed a request, proven; for which region; and the body as the application is to read it."""

    access_key_id: str
    region: str
    identity: Any
    body: bytes


class Verifier:
    """Verifies the requests of one service. It keeps no state but caches of derived keys; threads may share it."""

    def __init__(
        self,
        service: str,
        keys: Callable[[str], Credentials | None],
        *,
        rules: Rules = STRICT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the service's name in credential scopes, and `keys`, which finds credentials by access key id."""
        self.service = service
        self.rules = rules
        self._keys = keys
        self._clock = clock

    def verify(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: bytes = b"",
    ) -> Signer:
        """Check a request: its method, the target as sent (path and query), every header line, and the whole body.

        Header values are text decoded as Latin-1. Returns who signed it. Raises SignatureError, whose text is
        AWS's, for a request that nobody proved to have signed.
        """
        path, _, query = target.partition("?")
        lines = tuple(Header(name.lower(), value.strip(" \t")) for name, value in headers)
        if not all(_is_latin1(text) for text in (method, target, *(part for line in lines for part in line))):
            raise IncompleteSignature("The request holds characters that cannot be sent in HTTP.")
        request = Request(method, path, query, lines, body)
        claim = read(request)
        verify.check_scope(claim, service=self.service, now=self._clock(), rules=self.rules)
        credentials = self._keys(claim.access_key_id)
        if credentials is None or not _same(credentials.session_token, claim.token):
            verify.waste(request, claim, self.rules)  # as slow as a right answer, whichever of the two is wrong
            raise UnknownToken(_INVALID)
        verify.verify(request, claim, credentials.secret_access_key, self.rules)
        if (request.header("x-amz-content-sha256") or "").startswith(CHUNKED_PREFIX):
            decoder = ChunkDecoder(request, claim, credentials.secret_access_key)
            body = decoder.feed(body)
            decoder.finish()
        return Signer(claim.access_key_id, claim.region, credentials.identity, body)


def _is_latin1(text: str) -> bool:
    return text.isascii() or max(text) <= "\xff"


def _same(expected: str | None, given: str | None) -> bool:
    if expected is None or given is None:
        return expected is given
    return hmac.compare_digest(expected.encode(), given.encode())
