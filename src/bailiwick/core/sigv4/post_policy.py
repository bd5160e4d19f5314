"""Browser forms with a POST policy (Amazon S3): the policy is what is signed, and the form must keep to it.

Source: Amazon S3 API Reference, "Browser-Based Uploads Using POST"; facts/sigv4.md section 1.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from bailiwick.core.errors import IncompleteSignature, RequestSkewed, SignatureMismatch
from bailiwick.core.sigv4.claim import SIGV4, Claim, check_signature, scope_of, time_of
from bailiwick.core.sigv4.verify import signer

_REQUIRED = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_MAX_POLICY = 20_000
# Fields that a form has beside those that its policy speaks of.
_FREE = frozenset(("file", "policy", "x-amz-signature", "awsaccesskeyid", "signature"))


def read(fields: Mapping[str, str]) -> Claim:
    """The claim in a form's fields, given with lower-case names. Raises IncompleteSignature."""
    lacking = [name for name in _REQUIRED if not fields.get(name)]
    if lacking:
        raise IncompleteSignature(f"Bucket POST must contain a field named '{lacking[0]}'.")
    if fields["x-amz-algorithm"] != SIGV4 or len(fields["policy"]) > _MAX_POLICY:
        raise IncompleteSignature("The form is signed with an algorithm, or has a policy, that is not accepted.")
    check_signature(SIGV4, fields["x-amz-signature"])
    scope = scope_of(SIGV4, fields["x-amz-credential"], "host")
    timestamp, epoch = time_of(fields["x-amz-date"])
    return Claim(
        scope, fields["x-amz-signature"], timestamp, epoch, fields.get("x-amz-security-token"), presigned=True
    )


def verify(fields: Mapping[str, str], claim: Claim, secret: str, *, now: float, length: int) -> None:
    """Check the signature of the policy, then the form against the policy; `length` is the file's, in bytes.

    Raises SignatureMismatch, RequestSkewed for a policy that has expired, IncompleteSignature for a form that does
    not keep to its policy.
    """
    scope = claim.scope
    sign = signer(secret, scope.date, scope.region, scope.service)
    if not hmac.compare_digest(sign(fields["policy"].encode("latin-1", "replace")).hex(), claim.signature):
        raise SignatureMismatch(
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method.",
            string_to_sign=fields["policy"],
        )
    document = _document(fields["policy"])
    if now > _expiration(document):
        raise RequestSkewed("Invalid according to Policy: Policy expired.")
    spoken_of = _check_conditions(document, fields, length)
    strangers = [n for n in fields if n not in spoken_of | _FREE and not n.startswith("x-ignore-")]
    if strangers:
        raise IncompleteSignature(f"Invalid according to Policy: Extra input fields: {sorted(strangers)[0]}")


def _document(policy: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(base64.b64decode(policy, validate=True))
    except (binascii.Error, ValueError, RecursionError, msgspec.MsgspecError):
        raise IncompleteSignature("Invalid Policy: Invalid JSON.") from None
    if not isinstance(found, dict) or not isinstance(found.get("conditions"), list):
        raise IncompleteSignature("Invalid Policy: Policy missing conditions.")
    return found


def _expiration(document: dict[str, Any]) -> float:
    try:
        when = datetime.fromisoformat(document["expiration"])
        if when.tzinfo is None:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise IncompleteSignature("Invalid Policy: Invalid 'expiration' value.") from None
    return when.timestamp()


def _check_conditions(document: dict[str, Any], fields: Mapping[str, str], length: int) -> set[str]:
    """Hold the form against each condition; returns the fields that the policy speaks of."""
    spoken_of: set[str] = set()
    for condition in document["conditions"]:
        if isinstance(condition, dict):
            for name, value in condition.items():
                spoken_of.add(_eq(str(name), value, fields))
        elif isinstance(condition, list) and len(condition) == 3:
            spoken_of.add(_listed(condition, fields, length))
        else:
            raise IncompleteSignature("Invalid Policy: Invalid condition.")
    return spoken_of


def _listed(condition: list[Any], fields: Mapping[str, str], length: int) -> str:
    kind, name, value = str(condition[0]).lower(), condition[1], condition[2]
    if kind == "content-length-range":
        if not (type(name) is int and type(value) is int and name <= length <= value):
            raise IncompleteSignature("Your proposed upload is outside the size that the policy allows.")
        return ""
    if not isinstance(name, str) or not name.startswith("$"):
        raise IncompleteSignature("Invalid Policy: Invalid condition.")
    if kind == "eq":
        return _eq(name[1:], value, fields)
    if kind == "starts-with" and isinstance(value, str):
        field = name[1:].lower()
        if fields.get(field) is None or not fields[field].startswith(value):
            raise _failed(condition)
        return field
    raise IncompleteSignature("Invalid Policy: Invalid condition.")


def _eq(name: str, value: Any, fields: Mapping[str, str]) -> str:
    field = name.lower()
    if not isinstance(value, str) or fields.get(field) != value:
        raise _failed(["eq", f"${name}", value])
    return field


def _failed(condition: list[Any]) -> IncompleteSignature:
    told = msgspec.json.encode(condition).decode()
    return IncompleteSignature(f"Invalid according to Policy: Policy Condition failed: {told}")
