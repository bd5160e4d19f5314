"""The credential of a request: who it says signed it, for what, and when. It proves nothing yet.

It is in the Authorization header, or in the query string of a presigned URL (presigned.py), never in both.
Texts: facts/sigv4.md section 10.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import msgspec

from bailiwick.core.bounded import Bounded
from bailiwick.core.errors import IncompleteSignature, MissingAuthentication, ScopeMismatch
from bailiwick.core.message import Request
from bailiwick.core.once import once

SIGV4 = "AWS4-HMAC-SHA256"
SIGV4A = "AWS4-ECDSA-P256-SHA256"
_MAX_HEADER = 4096
MAX_TOKEN = 16384
_MAX_REMEMBERED = 4096
_DIGITS = 64

_ISO = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DER_HEX = re.compile(r"([0-9a-f]{2}){8,72}", re.ASCII)  # an ECDSA signature over P-256 in DER
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z:-]+", re.ASCII)
_PARTS = ("Credential", "Signature", "SignedHeaders")
_ONCE = frozenset(
    (
        *("date", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-region-set", "x-amz-security-token"),
        "x-amz-target",
    )
)

_MUST_BE_SIGNED = ("x-amz-security-token", "x-amz-target", "x-amz-region-set")


class Scope(msgspec.Struct, frozen=True, dict=True):
    """What a credential says before the signature; the same for many requests of one client.

    The scope of SigV4A has no region: there it is empty, and the claim has a region set.
    """

    algorithm: str
    access_key_id: str
    date: str  # YYYYMMDD
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]

    @once
    def text(self) -> str:
        """The credential scope, as it stands in the string to sign."""
        region = f"{self.region}/" if self.algorithm == SIGV4 else ""
        return f"{self.date}/{region}{self.service}/{self.terminator}"


class Claim(msgspec.Struct, frozen=True):
    """Who a request says signed it. `timestamp` is in ISO 8601 basic form, `epoch` the same in seconds.

    `presigned` tells a URL from a header; `expires` is how many seconds a URL says that it is valid.
    """

    scope: Scope
    signature: str
    timestamp: str
    epoch: int
    token: str | None = None
    presigned: bool = False
    expires: int | None = None
    region_set: tuple[str, ...] = ()

    @property
    def access_key_id(self) -> str:
        """The id of the access key."""
        return self.scope.access_key_id

    @property
    def region(self) -> str:
        """The region that the request is signed for; of SigV4A the first in the set that is no pattern."""
        return self.scope.region or next((name for name in self.region_set if "*" not in name), "")

    @property
    def service(self) -> str:
        """The service that the request is signed for."""
        return self.scope.service


def read(request: Request) -> Claim:
    """The claim in a request's Authorization header or query string.

    Raises MissingAuthentication for a request that carries none, IncompleteSignature for one that cannot be read
    or is ambiguous, ScopeMismatch where the host is not signed.
    """
    authorization, once = _headers(request)
    if "X-Amz-" in request.query:
        from bailiwick.core.sigv4 import presigned

        if presigned.is_presigned(request.query):
            if authorization is not None:
                raise IncompleteSignature("The request is signed in its query string and in its headers.")
            return presigned.read(request.query, once)
    if authorization is None:
        raise MissingAuthentication("Request is missing Authentication Token")
    date = once.get("x-amz-date") or once.get("date")
    scope, signature = _scope_and_signature(authorization, has_date=date is not None)
    for name in _MUST_BE_SIGNED:
        if name in once:
            must_be_signed(name, once, scope)
    timestamp, epoch = time_of(date or "")
    regions = region_set(once.get("x-amz-region-set")) if scope.algorithm == SIGV4A else ()
    return Claim(scope, signature, timestamp, epoch, once.get("x-amz-security-token"), region_set=regions)


def must_be_signed(name: str, once: Mapping[str, str], scope: Scope) -> None:
    """A header that changes what the request means must be covered, or anyone could change it."""
    if name in once and name not in scope.signed_headers:
        raise IncompleteSignature(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def region_set(text: str | None) -> tuple[str, ...]:
    """The regions of a SigV4A request: names, or patterns with `*`."""
    names = tuple(name.strip() for name in (text or "").split(","))
    if not all(names):
        raise IncompleteSignature("The X-Amz-Region-Set names no region.")
    return names


def scope_of(algorithm: str, credential: str, signed: str) -> Scope:
    """The scope in a Credential and SignedHeaders. Raises IncompleteSignature or ScopeMismatch."""
    fields = credential.split("/")
    wanted = 5 if algorithm == SIGV4 else 4
    if len(fields) != wanted or not all(fields):
        example = "keyid/date/region/service/term" if algorithm == SIGV4 else "keyid/date/service/term"
        raise IncompleteSignature(
            f"Credential must have exactly {wanted} slash-delimited elements, e.g. {example}, got '{credential}'"
        )
    names = signed.split(";")
    if not all(map(_NAME.fullmatch, names)) or names != sorted(set(names)):
        raise IncompleteSignature("The 'SignedHeaders' must be lower-case names, sorted, each there once.")
    if "host" not in names and ":authority" not in names:
        raise ScopeMismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if algorithm == SIGV4A:
        fields.insert(2, "")
    return Scope(algorithm, fields[0], fields[1], fields[2], fields[3], fields[4], tuple(names))


def check_signature(algorithm: str, signature: str) -> None:
    """Refuse a signature that is not of its algorithm's form."""
    if algorithm == SIGV4 and _HEX.fullmatch(signature) is None:
        raise IncompleteSignature("The 'Signature' must be 64 lower-case hexadecimal digits.")
    if algorithm == SIGV4A and _DER_HEX.fullmatch(signature) is None:
        raise IncompleteSignature("The 'Signature' must be an ECDSA signature in hexadecimal digits.")


@lru_cache(maxsize=64)
def time_of(text: str) -> tuple[str, int]:
    """A request's date in ISO 8601 basic form, and in epoch seconds; the Date header may be of RFC 9110."""
    try:
        if _ISO.fullmatch(text):
            when = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        else:
            when = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{text[:_DIGITS]}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None
    return when.strftime("%Y%m%dT%H%M%SZ"), int(when.timestamp())


def _headers(request: Request) -> tuple[str | None, Mapping[str, str]]:
    """The Authorization header, and all headers by name, of which those that matter are there once only."""
    if request.repeats:
        names = [name for name, _ in request.headers]
        for name in (*sorted(_ONCE), "authorization"):
            if names.count(name) > 1:
                shown = "Authorization" if name == "authorization" else name
                raise IncompleteSignature(f"The request has more than one '{shown}' header.")
    fields = request.fields
    authorization = fields.get("authorization")
    if authorization is not None and len(authorization) > _MAX_HEADER:
        raise IncompleteSignature("The Authorization header is too long.")
    if len(fields.get("x-amz-security-token", "")) > MAX_TOKEN:
        raise IncompleteSignature("The X-Amz-Security-Token header is too long.")
    return authorization, fields


# -- The Authorization header -----------------------------------------------------------------------------

# A client sends the same text before the signature for a day: what was read once is not read again. It holds
# nothing secret.
remembered: Bounded[str, Scope] = Bounded(_MAX_REMEMBERED)


def _scope_and_signature(authorization: str, *, has_date: bool) -> tuple[Scope, str]:
    prefix, signature = authorization[:-_DIGITS], authorization[-_DIGITS:]
    known = remembered.get(prefix)
    if known is not None and has_date and _HEX.fullmatch(signature):
        return known, signature
    scope, signature = _parse(authorization, has_date=has_date)
    if scope.algorithm == SIGV4 and authorization.endswith("Signature=" + signature):  # last, as clients have it
        remembered.put(prefix, scope)
    return scope, signature


def _parse(authorization: str, *, has_date: bool) -> tuple[Scope, str]:
    algorithm, _, rest = authorization.partition(" ")
    if "=" in algorithm:
        raise IncompleteSignature(
            "Authorization header must begin with the algorithm name, which cannot include an equal-sign "
            f"(hashed with SHA-256 and encoded with Base64): '{_digest(authorization)}'."
        )
    if algorithm not in (SIGV4, SIGV4A):
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm[:_DIGITS]}'.")
    parts = _split(authorization, rest)
    lacking = [f"Authorization header requires '{part}' parameter." for part in _PARTS if not parts.get(part)]
    if not has_date:
        lacking.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if lacking:
        told = f"(Hashed with SHA-256 and encoded with Base64) Authorization={_digest(authorization)}"
        raise IncompleteSignature(" ".join([*lacking, told]))
    check_signature(algorithm, parts["Signature"])
    return scope_of(algorithm, parts["Credential"], parts["SignedHeaders"]), parts["Signature"]


def _split(authorization: str, rest: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip(" ").partition("=")
        if not equals:
            raise IncompleteSignature(
                "Invalid key=value pair (missing equal-sign) in Authorization header "
                f"(hashed with SHA-256 and encoded with Base64): '{_digest(authorization)}'."
            )
        if name not in _PARTS or name in parts:
            raise IncompleteSignature(f"Authorization header has an unknown or repeated part '{name[:_DIGITS]}'.")
        parts[name] = value
    return parts


def _digest(authorization: str) -> str:
    """How AWS shows a header that it could not read: not the header itself, which may hold what is secret."""
    return base64.b64encode(hashlib.sha256(authorization.encode("utf-8")).digest()).decode("ascii")
