"""Signing a request, for tests and for the tools that talk to a server of ours."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import msgspec

from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import canonical
from bailiwick.core.sigv4.claim import ALGORITHM, Claim, Scope
from bailiwick.core.sigv4.verify import TERMINATOR, signing_key, string_to_sign

# Headers that proxies and HTTP libraries change or add on the way (facts/sigv4.md section 2.3).
_NEVER_SIGNED = {"accept", "authorization", "connection", "expect", "transfer-encoding", "user-agent"}


def sign(
    request: Request,
    *,
    access_key_id: str,
    secret: str,
    token: str | None,
    region: str,
    service: str,
    now: float,
) -> Request:
    """The request with X-Amz-Date, the session token and Authorization added.

    It must have a host header. `now` is epoch seconds. Everything is signed but what changes on the way.
    """
    timestamp = datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%dT%H%M%SZ")
    added = [Header("x-amz-date", timestamp)]
    if token is not None:
        added.append(Header("x-amz-security-token", token))
    dated = msgspec.structs.replace(request, headers=(*request.headers, *added))
    names = tuple(sorted({name for name, _ in dated.headers} - _NEVER_SIGNED))
    scope = Scope(access_key_id, timestamp[:8], region, service, TERMINATOR, names)
    claim = Claim(scope, "", timestamp, int(now), token)
    digest = hashlib.sha256(request.body).hexdigest()
    to_sign = string_to_sign(claim, canonical.request(dated, names, digest))
    key = signing_key(secret, scope.date, region, service)
    signature = hmac.digest(key, to_sign.encode("latin-1"), "sha256").hex()
    authorization = (
        f"{ALGORITHM} Credential={access_key_id}/{scope.text}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return msgspec.structs.replace(dated, headers=(*dated.headers, Header("authorization", authorization)))
