"""Does the signature hold? Scope, time, then the signature over what arrived.

Order of checks and texts: facts/sigv4.md sections 5 and 8 to 10. The order matters to clients: a wrong clock is
told before a wrong key, a wrong key before a wrong signature.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from functools import lru_cache

from bailiwick.core.errors import RequestSkewed, ScopeMismatch, SignatureMismatch
from bailiwick.core.mac import Mac
from bailiwick.core.message import Request
from bailiwick.core.sigv4 import canonical
from bailiwick.core.sigv4.claim import SIGV4, SIGV4A, Claim
from bailiwick.core.sigv4.presigned import MAX_EXPIRES
from bailiwick.core.sigv4.rules import CHUNKED_PREFIX, STRICT, UNSIGNED_PAYLOAD, Rules

TERMINATOR = "aws4_request"
_SIGNING_KEYS_REMEMBERED = 8192
_NOTHING: frozenset[str] = frozenset()
_IN_URL = frozenset(("X-Amz-Signature",))
_ADDED_TO_URL = frozenset(("X-Amz-Signature", "X-Amz-Security-Token"))

_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}", re.ASCII)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)


def check_scope(claim: Claim, *, service: str, now: float, rules: Rules = STRICT) -> None:
    """Check what the request was signed for and when, against the service asked and the clock (epoch seconds).

    Raises ScopeMismatch or RequestSkewed.
    """
    scope = claim.scope
    is_served = _region_is_served(claim, rules)
    if (
        not is_served
        or scope.service != service
        or scope.terminator != TERMINATOR
        or scope.date != claim.timestamp[:8]
    ):
        raise ScopeMismatch(_mismatch(claim, service, is_served=is_served))
    _check_time(claim, now, rules)


def _mismatch(claim: Claim, service: str, *, is_served: bool) -> str:
    """What is wrong with a scope, in AWS's words."""
    scope, wrong = claim.scope, ""
    if not is_served:
        wrong += f"Credential should be scoped to a valid region, not '{scope.region or claim.region}'. "
    if scope.service != service:
        wrong += f"Credential should be scoped to correct service: '{service}'. "
    if scope.terminator != TERMINATOR:
        wrong += f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{scope.terminator}'. "
    if scope.date != claim.timestamp[:8]:
        wrong += (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.date}' != '{claim.timestamp[:8]}', from '{claim.timestamp}'."
        )
    return wrong


def verify(request: Request, claim: Claim, secret: str, rules: Rules = STRICT) -> None:
    """Check that the owner of `secret` signed this request, as the rules ask. Raises SignatureMismatch if not.

    A chunked body is not looked at here: chunks.py checks it as it is read.
    """
    payload, is_acceptable = _payload(request, claim, rules)
    if claim.scope.algorithm == SIGV4A and not rules.asymmetric:
        is_acceptable = False
    canonical_request = _canonical(request, claim, payload, rules, _IN_URL if claim.presigned else _NOTHING)
    to_sign = string_to_sign(claim, canonical_request)
    if is_acceptable and _holds(claim, secret, to_sign):
        return
    if is_acceptable and claim.presigned and claim.token is not None and rules.late_token:
        without = _canonical(request, claim, payload, rules, _ADDED_TO_URL)
        if _holds(claim, secret, string_to_sign(claim, without)):
            return
    raise SignatureMismatch(_MISMATCH, canonical_request, to_sign)


def vouched(request: Request, claim: Claim, secret: str, payload: str, rules: Rules = STRICT) -> str | None:
    """What was signed with `secret`, if it is this request, of whose body only the SHA-256 is here."""
    declared = request.fields.get("x-amz-content-sha256", payload)
    if not hmac.compare_digest(declared.encode("latin-1"), payload.encode("latin-1")):
        return None
    canonical_request = _canonical(request, claim, payload, rules, _IN_URL if claim.presigned else _NOTHING)
    to_sign = string_to_sign(claim, canonical_request)
    return to_sign if claim.scope.algorithm == SIGV4 and _holds(claim, secret, to_sign) else None


def waste(request: Request, claim: Claim, rules: Rules = STRICT) -> None:
    """Do the work of `verify` for a key that does not exist, so that its answer takes as long."""
    try:
        verify(request, claim, "-" * 40, rules)
    except SignatureMismatch:
        return


def string_to_sign(claim: Claim, canonical_request: str) -> str:
    """The string that is signed: the algorithm, the time, the scope, and the canonical request's hash."""
    digest = hashlib.sha256(canonical_request.encode("latin-1")).hexdigest()
    return f"{claim.scope.algorithm}\n{claim.timestamp}\n{claim.scope.text}\n{digest}"


@lru_cache(maxsize=_SIGNING_KEYS_REMEMBERED)
def signer(secret: str, date: str, region: str, service: str) -> Mac:
    """What signs with the key of one day, region and service. Kept, for a secret signs all day."""
    return Mac(signing_key(secret, date, region, service))


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service: four HMACs from the secret."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key


def _canonical(request: Request, claim: Claim, payload: str, rules: Rules, leave_out: frozenset[str]) -> str:
    return canonical.request(request, claim.scope.signed_headers, payload, s3=rules.s3, leave_out=leave_out)


def _holds(claim: Claim, secret: str, to_sign: str) -> bool:
    scope = claim.scope
    if scope.algorithm == SIGV4:
        sign = signer(secret, scope.date, scope.region, scope.service)
        return hmac.compare_digest(sign(to_sign.encode("latin-1")).hex(), claim.signature)
    from bailiwick.core.sigv4 import asymmetric  # elliptic curves are slow to import, and few need them

    return asymmetric.holds(scope.access_key_id, secret, claim.signature, to_sign)


def _payload(request: Request, claim: Claim, rules: Rules) -> tuple[str, bool]:
    """What stands for the payload in the canonical request, and whether the rules accept it.

    A declared hash must be true as well. Without one the body is hashed, but in a presigned URL of S3, which
    is made before there is a body.
    """
    declared = request.fields.get("x-amz-content-sha256")
    if declared is None:
        if rules.s3 and claim.presigned:
            return UNSIGNED_PAYLOAD, True
        return hashlib.sha256(request.body).hexdigest(), True
    if declared == UNSIGNED_PAYLOAD:
        return declared, rules.unsigned_payload
    if declared is not None and declared.startswith(CHUNKED_PREFIX):
        return declared, rules.chunked
    real = hashlib.sha256(request.body).hexdigest()
    return real, declared == real


# -- Place and time ---------------------------------------------------------------------------------------


def _region_is_served(claim: Claim, rules: Rules) -> bool:
    if claim.scope.algorithm == SIGV4:
        region = claim.scope.region
        return (rules.regions is None or region in rules.regions) and _is_region(region)
    from bailiwick.core.sigv4 import asymmetric

    if rules.regions is None:
        return True
    return any(asymmetric.covers(claim.region_set, region) for region in rules.regions)


@lru_cache(maxsize=256)
def _is_region(name: str) -> bool:
    return _REGION.fullmatch(name) is not None


def _check_time(claim: Claim, now: float, rules: Rules) -> None:
    window = rules.window
    if rules.s3 and claim.presigned:
        # Such a URL says itself how long it is valid; only its beginning is held against the window.
        if claim.expires is None or not 1 <= claim.expires <= MAX_EXPIRES:
            raise RequestSkewed(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
                f"less than {MAX_EXPIRES} seconds"
            )
        if now > claim.epoch + claim.expires:
            raise RequestSkewed("Request has expired")
        if now >= claim.epoch - window:
            return
    if not -window <= now - claim.epoch <= window:
        raise RequestSkewed(_skewed(claim, now, window))


def _skewed(claim: Claim, now: float, window: int) -> str:
    server, minutes = _basic(now), window // 60
    if claim.epoch < now:
        limit = _basic(now - window)
        return f"Signature expired: {claim.timestamp} is now earlier than {limit} ({server} - {minutes} min.)"
    limit = _basic(now + window)
    return f"Signature not yet current: {claim.timestamp} is still later than {limit} ({server} + {minutes} min.)"


def _basic(epoch: float) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y%m%dT%H%M%SZ")
