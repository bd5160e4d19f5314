"""The credential in the query string of a presigned URL (facts/sigv4.md sections 1, 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from bailiwick.core.errors import IncompleteSignature, MissingAuthentication
from bailiwick.core.sigv4.claim import (
    MAX_TOKEN,
    SIGV4,
    SIGV4A,
    Claim,
    check_signature,
    must_be_signed,
    region_set,
    scope_of,
    time_of,
)

_REQUIRED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
_KNOWN = frozenset((*_REQUIRED, "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Region-Set"))
_SIGNS = ("X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential")
MAX_EXPIRES = 604800


def is_presigned(query: str) -> bool:
    """Whether a query string means to carry a signature."""
    return any(field.partition("=")[0] in _SIGNS for field in query.split("&"))


def read(query: str, once: Mapping[str, str]) -> Claim:
    """The claim in a query string; `once` are the headers by name.

    Raises MissingAuthentication for an algorithm that is not ours, IncompleteSignature for what lacks, is there
    twice, or cannot be read.
    """
    fields = _fields(query)
    algorithm = fields.get("X-Amz-Algorithm", SIGV4)
    if algorithm not in (SIGV4, SIGV4A):
        raise MissingAuthentication("Missing Authentication Token")
    lacking = [name for name in _REQUIRED if not fields.get(name)]
    if lacking:
        told = " ".join(f"AWS query-string parameters must include '{name}'." for name in lacking)
        raise IncompleteSignature(f"{told} Re-examine the query-string parameters.")
    check_signature(algorithm, fields["X-Amz-Signature"])
    scope = scope_of(algorithm, fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"])
    must_be_signed("x-amz-target", once, scope)
    if "x-amz-security-token" in once:
        raise IncompleteSignature("The session token of a presigned request belongs into its query string.")
    timestamp, epoch = time_of(fields["X-Amz-Date"])
    return Claim(
        scope,
        fields["X-Amz-Signature"],
        timestamp,
        epoch,
        fields.get("X-Amz-Security-Token"),
        presigned=True,
        expires=_expires(fields.get("X-Amz-Expires")),
        region_set=region_set(fields.get("X-Amz-Region-Set")) if algorithm == SIGV4A else (),
    )


def _fields(query: str) -> dict[str, str]:
    """The parameters of the signature. Their names are case-sensitive, and none may be there twice."""
    found: dict[str, str] = {}
    for field in query.split("&"):
        name, _, value = field.partition("=")
        if name in _KNOWN:
            if name in found:
                raise IncompleteSignature(f"The query string has more than one '{name}'.")
            found[name] = unquote_to_bytes(value).decode("latin-1")
    if len(found.get("X-Amz-Security-Token", "")) > MAX_TOKEN:
        raise IncompleteSignature("The X-Amz-Security-Token is too long.")
    return found


def _expires(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 9):
        raise IncompleteSignature("X-Amz-Expires should be a number")
    return int(text)
