"""Signing a request: in its headers, or as a presigned URL; with Signature Version 4 or SigV4A."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from bailiwick.core.message import Header, Request
from bailiwick.core.sigv4 import canonical
from bailiwick.core.sigv4.claim import SIGV4, SIGV4A, Claim, Scope
from bailiwick.core.sigv4.rules import STRICT, UNSIGNED_PAYLOAD, Rules
from bailiwick.core.sigv4.verify import TERMINATOR, signer, string_to_sign

# Headers that proxies and HTTP libraries change or add on the way (facts/sigv4.md section 2.3).
_NEVER_SIGNED = {
    *("accept", "accept-encoding", "authorization", "baggage", "connection", "content-length", "expect"),
    *("keep-alive", "te", "trailer", "traceparent", "tracestate", "transfer-encoding", "upgrade", "user-agent"),
    "x-amzn-trace-id",
}


def sign(
    request: Request,
    *,
    access_key_id: str,
    secret: str,
    token: str | None,
    region: str,
    service: str,
    now: float,
    rules: Rules = STRICT,
    region_set: str | None = None,
) -> Request:
    """The request with X-Amz-Date, the session token and Authorization added.

    It must have a host header; an X-Amz-Content-Sha256 that it has is signed as it stands. `now` is epoch
    seconds. Everything is signed but what changes on the way. With `region_set`, such as `*`, it is signed with
    SigV4A.
    """
    stamp = _stamp(now)
    added = [Header("x-amz-date", stamp)]
    if token is not None:
        added.append(Header("x-amz-security-token", token))
    if region_set is not None:
        added.append(Header("x-amz-region-set", region_set))
    dated = msgspec.structs.replace(request, headers=(*request.headers, *added))
    names = tuple(sorted({name for name, _ in dated.headers} - _NEVER_SIGNED))
    scope = _scope(access_key_id, stamp, region, service, names, region_set)
    payload = request.header("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    text = canonical.request(dated, names, payload, s3=rules.s3)
    signature = _signature(scope, secret, string_to_sign(Claim(scope, "", stamp, int(now)), text))
    authorization = (
        f"{scope.algorithm} Credential={access_key_id}/{scope.text}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return msgspec.structs.replace(dated, headers=(*dated.headers, Header("authorization", authorization)))


def presign(
    request: Request,
    *,
    access_key_id: str,
    secret: str,
    token: str | None,
    region: str,
    service: str,
    now: float,
    expires: int = 3600,
    rules: Rules = STRICT,
    region_set: str | None = None,
) -> Request:
    """The request with its signature in the query string, valid for `expires` seconds where that is honoured."""
    stamp = _stamp(now)
    names = tuple(sorted({name for name, _ in request.headers} - _NEVER_SIGNED))
    scope = _scope(access_key_id, stamp, region, service, names, region_set)
    added = {
        "X-Amz-Algorithm": scope.algorithm,
        "X-Amz-Credential": f"{access_key_id}/{scope.text}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(names),
        **({"X-Amz-Security-Token": token} if token is not None else {}),
        **({"X-Amz-Region-Set": region_set} if region_set is not None else {}),
    }
    fields = [request.query] if request.query else []
    fields += [f"{name}={quote(value, safe='-_.~')}" for name, value in added.items()]
    unsigned = msgspec.structs.replace(request, query="&".join(fields))
    payload = UNSIGNED_PAYLOAD if rules.s3 else hashlib.sha256(request.body).hexdigest()
    payload = request.header("x-amz-content-sha256") or payload
    text = canonical.request(unsigned, names, payload, s3=rules.s3)
    signature = _signature(scope, secret, string_to_sign(Claim(scope, "", stamp, int(now)), text))
    return msgspec.structs.replace(unsigned, query=f"{unsigned.query}&X-Amz-Signature={signature}")


def _scope(
    access_key_id: str, stamp: str, region: str, service: str, names: tuple[str, ...], region_set: str | None
) -> Scope:
    if region_set is not None:
        return Scope(SIGV4A, access_key_id, stamp[:8], "", service, TERMINATOR, names)
    return Scope(SIGV4, access_key_id, stamp[:8], region, service, TERMINATOR, names)


def _signature(scope: Scope, secret: str, to_sign: str) -> str:
    if scope.algorithm == SIGV4A:
        from bailiwick.core.sigv4 import asymmetric

        return asymmetric.sign(scope.access_key_id, secret, to_sign)
    sign = signer(secret, scope.date, scope.region, scope.service)
    return sign(to_sign.encode("latin-1")).hex()


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%dT%H%M%SZ")
