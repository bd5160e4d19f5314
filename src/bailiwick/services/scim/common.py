"""What users and groups have in common in SCIM: who asks, JSON in and out, filters, pages, patches.

Source: RFC 7643 (the schemas), RFC 7644 (the protocol). As AWS's SCIM: filters are `attribute eq "value"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.api import Call, Caller, Target
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Rule
from bailiwick.directory.center import people, scim_tokens
from bailiwick.directory.center.people import Instance
from bailiwick.services.scim import shapes
from bailiwick.services.scim.shapes import InvalidRequestException, UnauthorizedException

MEDIA_TYPE = "application/scim+json"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
MOST = 100
_FILTER = re.compile(r'\s*([A-Za-z.]{1,64}) eq "((?:[^"\\]|\\.){0,512})"\s*', re.ASCII)
_BEARER = re.compile(r"Bearer ([A-Za-z0-9_-]{1,2048})", re.ASCII)


class Directory(Caller, frozen=True, kw_only=True):
    """The directory whose token was shown, and the store that it may provision."""

    instance: Instance


def directory(call: Call, request: Any) -> Directory:
    """Whose token is in the Authorization header. Raises UnauthorizedException."""
    matched = _BEARER.fullmatch(request.Authorization or "")
    with call.transaction as transaction:
        instance = people.instance(transaction, store=request.StoreId)
        good = (
            matched is not None
            and instance is not None
            and scim_tokens.holds(transaction, call.environment, instance.store, matched[1], call.now)
        )
    if instance is None or not good:
        raise UnauthorizedException("The bearer token is not good for this identity store.")
    arn = instance.store_arn(call.partition)
    context: Context = {"aws:principaltype": "Scim", "aws:userid": instance.store}
    principal = Principal(PrincipalKind.PROVIDER, call.partition, instance.account, arn, arn, instance.store)
    return Directory(principal, user_id=instance.store, name="SCIM", context=context, instance=instance)


def own(call: Call, request: Any) -> Target:
    """The store, which the token is for: no policy is asked."""
    return Target(account=call.account, rule=Rule.NONE)


def store_of(call: Call) -> str:
    """The id of the store."""
    assert isinstance(call.caller, Directory), "the token was read"
    return call.caller.instance.store


def read(body: bytes) -> dict[str, Any]:
    """The object in a body, its names as SCIM has them. Raises InvalidRequestException."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequestException("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise InvalidRequestException("The body must be an object.")
    return found


def answer(found: Any) -> shapes.Answer:
    """An answer in SCIM's media type."""
    return shapes.Answer(ContentType=MEDIA_TYPE, Body=msgspec.json.encode(found))


def filtered(text: str | None) -> tuple[str, str] | None:
    """The attribute, in lower case, and the value of a filter. Raises InvalidRequestException."""
    if not text:
        return None
    matched = _FILTER.fullmatch(text)
    if matched is None:
        raise InvalidRequestException('A filter must be of the form: attribute eq "value"')
    try:
        return matched[1].lower(), str(json.loads(f'"{matched[2]}"'))
    except ValueError:
        raise InvalidRequestException("The value of the filter cannot be read.") from None


def page(request: Any, found: Sequence[Any], total: int) -> dict[str, Any]:
    """A list response (RFC 7644 section 3.4.2)."""
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": max(request.startIndex or 1, 1),
        "itemsPerPage": len(found),
        "Resources": list(found),
    }


def window(request: Any) -> tuple[int, int]:
    """How many entries are left out, and how many are shown."""
    wanted = MOST if request.count is None else min(request.count, MOST)
    return max((request.startIndex or 1) - 1, 0), wanted


def operations(body: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """The operations of a PATCH: what to do, the path, the value. Raises InvalidRequestException."""
    given = body.get("Operations")
    if not isinstance(given, list) or not 0 < len(given) <= 100:
        raise InvalidRequestException("A PATCH has Operations, at most 100.")
    found = []
    for each in given:
        kind = str(each.get("op", "")).lower() if isinstance(each, dict) else ""
        if kind not in ("add", "replace", "remove"):
            raise InvalidRequestException("The op of an operation is add, replace or remove.")
        found.append((kind, str(each.get("path") or ""), each.get("value")))
    return found


def stamp(seconds: float) -> str:
    """A time as SCIM has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
