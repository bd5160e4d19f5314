"""Does the signature hold? Scope, time, then the HMAC over what arrived.

Order of checks and texts: facts/sigv4.md sections 8 to 10. The order matters to clients: a wrong clock is told
before a wrong key, a wrong key before a wrong signature.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from functools import lru_cache

from bailiwick.core.errors import RequestSkewed, ScopeMismatch, SignatureMismatch
from bailiwick.core.message import Request
from bailiwick.core.sigv4 import canonical
from bailiwick.core.sigv4.claim import ALGORITHM, Claim

WINDOW = 15 * 60
TERMINATOR = "aws4_request"
_SIGNING_KEYS_REMEMBERED = 8192

_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}", re.ASCII)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)


def check_scope(
    claim: Claim, *, service: str, now: float, window: int = WINDOW, regions: frozenset[str] | None = None
) -> None:
    """Check what the request was signed for and when, against the service asked and the clock (epoch seconds).

    `regions` are those that this server answers for; None is any. Raises ScopeMismatch or RequestSkewed.
    """
    scope = claim.scope
    wrong = ""
    if (regions is not None and scope.region not in regions) or not _REGION.fullmatch(scope.region):
        wrong += f"Credential should be scoped to a valid region, not '{scope.region}'. "
    if scope.service != service:
        wrong += f"Credential should be scoped to correct service: '{service}'. "
    if scope.terminator != TERMINATOR:
        wrong += f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{scope.terminator}'. "
    if scope.date != claim.timestamp[:8]:
        wrong += (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.date}' != '{claim.timestamp[:8]}', from '{claim.timestamp}'."
        )
    if wrong:
        raise ScopeMismatch(wrong)
    if not -window <= now - claim.epoch <= window:
        raise RequestSkewed(_skewed(claim, now, window))


def verify(request: Request, claim: Claim, secret: str) -> None:
    """Check that the owner of `secret` signed this request, byte for byte. Raises SignatureMismatch if not."""
    payload = hashlib.sha256(request.body).hexdigest()
    declared = request.header("x-amz-content-sha256")
    canonical_request = canonical.request(request, claim.scope.signed_headers, payload)
    to_sign = string_to_sign(claim, canonical_request)
    scope = claim.scope
    key = signing_key(secret, scope.date, scope.region, scope.service)
    computed = hmac.digest(key, to_sign.encode("latin-1"), "sha256").hex()
    # A declared hash of the payload must be true as well; the literals for unsigned payloads are not accepted.
    if not hmac.compare_digest(computed, claim.signature) or declared not in (None, payload):
        raise SignatureMismatch(_MISMATCH, canonical_request, to_sign)


def waste(request: Request, claim: Claim) -> None:
    """Do the work of `verify` for a key that does not exist, so that its answer takes as long."""
    try:
        verify(request, claim, "-" * 40)
    except SignatureMismatch:
        return


def string_to_sign(claim: Claim, canonical_request: str) -> str:
    """The string that is signed: the algorithm, the time, the scope, and the canonical request's hash."""
    digest = hashlib.sha256(canonical_request.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope.text}\n{digest}"


@lru_cache(maxsize=_SIGNING_KEYS_REMEMBERED)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service: four HMACs from the secret. Kept, for a secret signs all day."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key


def _skewed(claim: Claim, now: float, window: int) -> str:
    server, minutes = _basic(now), window // 60
    if claim.epoch < now:
        limit = _basic(now - window)
        return f"Signature expired: {claim.timestamp} is now earlier than {limit} ({server} - {minutes} min.)"
    limit = _basic(now + window)
    return f"Signature not yet current: {claim.timestamp} is still later than {limit} ({server} + {minutes} min.)"


def _basic(epoch: float) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y%m%dT%H%M%SZ")
