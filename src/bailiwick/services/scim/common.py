"""What users and groups have in common in SCIM: who asks, JSON in and out, filters, pages, patches.

Source: RFC 7643 (the schemas), RFC 7644 (the protocol). As AWS's SCIM: filters are `attribute eq "value"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Select, Table, func, select, update

from bailiwick.api import Call, Caller, Target
from bailiwick.core.policy.question import Context, Principal, PrincipalKind, Rule
from bailiwick.directory.center import people, scim_tokens
from bailiwick.directory.center.people import Instance, StoreGroup, StoreUser
from bailiwick.directory.entities import record
from bailiwick.services.scim import shapes
from bailiwick.services.scim.shapes import ConflictException, InvalidRequestException, UnauthorizedException
from bailiwick.store import Duplicate

T = TypeVar("T", bound=msgspec.Struct)
U = TypeVar("U", StoreUser, StoreGroup)

MEDIA_TYPE = "application/scim+json"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
MOST = 100
BY = "SCIM"  # who made or changed what a directory provisions
_ISSUER = "scim"
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


def listed(
    call: Call, request: Any, table: Table, name: str, kind: type[T], shown: Callable[[Call, T], dict[str, Any]]
) -> shapes.Answer:
    """The users or groups of the store, filtered and by pages; `name` is the attribute by which they are known.

    Raises InvalidRequestException for a filter by another one.
    """
    columns, wanted = table.c, filtered(request.filter)
    statement: Select[Any] = select(table).where(columns.store == store_of(call))
    if wanted is not None:
        attribute, value = wanted
        known = {
            name.lower(): columns.folded == value.lower(),
            "externalid": columns.external == f"{_ISSUER} {value}",
            "id": columns.id == value,
        }
        if attribute not in known:
            raise InvalidRequestException(f"The filter is by {name}, externalId or id.")
        statement = statement.where(known[attribute])
    skipped, most = window(request)
    total = call.transaction.all(select(func.count()).select_from(statement.subquery()))[0][0]
    rows = call.transaction.all(statement.order_by(columns.id).offset(skipped).limit(most))
    return answer(page(request, [shown(call, record(kind, row)) for row in rows], total))


def external(given: dict[str, Any]) -> str | None:
    """The other directory's id, as the store keeps it: below the issuer that a token is."""
    value = given.get("externalId")
    return f"{_ISSUER} {value[:512]}" if isinstance(value, str) and value else None


def make(call: Call, kind: type[U], name: str, attributes: dict[str, Any], **more: Any) -> U:
    """Keep a new user or group, which is returned. Raises ConflictException for a name or an id that is taken."""
    body = msgspec.json.encode(attributes).decode()
    made = people.new(kind, call, store_of(call), name, body, BY, **more)
    try:
        people.add(call.transaction, made)
    except Duplicate:
        raise _taken() from None
    return made


def change(call: Call, table: Table, found: U, **values: Any) -> U:
    """Keep a user or group with other values, which is returned. Raises ConflictException as `make` does."""
    now: dict[str, Any] = {"revision": found.revision + 1, "updated": call.now, "updated_by": BY}
    changed = msgspec.structs.replace(found, **now, **values)
    whole = msgspec.structs.asdict(changed)
    try:
        call.transaction.run(update(table).where(table.c.id == found.id).values(**whole))
    except Duplicate:
        raise _taken() from None
    return changed


def _taken() -> ConflictException:
    return ConflictException("The name or the external id is taken already.")


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


def meta(call: Call, found: StoreUser | StoreGroup) -> dict[str, Any]:
    """What is told of a user or group itself (RFC 7643 section 3.1)."""
    kind = "User" if isinstance(found, StoreUser) else "Group"
    return {
        "resourceType": kind,
        "created": _stamp(found.created),
        "lastModified": _stamp(found.updated),
        "location": f"{call.environment.public_url}/scim/{found.store}/v2/{kind}s/{found.id}",
    }


def _stamp(seconds: float) -> str:
    """A time as SCIM has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
