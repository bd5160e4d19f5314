"""Tags of keys. Keys of tags are case-sensitive here (facts/kms.md section 13)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, insert, select

from bailiwick.api import Call, Target, Transaction
from bailiwick.core.policy.question import Value
from bailiwick.services.kms import paging, records, shapes, states, tables
from bailiwick.services.kms.records import Key
from bailiwick.services.kms.service import kms
from bailiwick.services.kms.shapes import Tag, TagException
from bailiwick.services.kms.targets import key_named

_MAX_TAGS = 50


def of_request(tags: Sequence[Tag] | None, keys: Sequence[str] | None = None) -> dict[str, Value]:
    """The condition keys of tags, or keys of tags, that a request passes."""
    context: dict[str, Value] = {f"aws:requesttag/{tag.TagKey.lower()}": tag.TagValue for tag in tags or ()}
    named = [tag.TagKey for tag in tags or ()] + list(keys or ())
    if named:
        context["aws:tagkeys"] = tuple(named)
    return context


def put(transaction: Transaction, key_arn: str, tags: Sequence[Tag] | None) -> None:
    """Set tags of a key; those with the same key are replaced. Raises TagException."""
    given = check(tags)
    if not given:
        return
    column = tables.tag.c
    rows = transaction.all(select(column.key, column.position).where(column.key_arn == key_arn))
    positions = {row.key: row.position for row in rows}
    if len(positions.keys() | given.keys()) > _MAX_TAGS:
        raise TagException("Too many tags")
    free = max(positions.values(), default=0) + 1
    transaction.run(delete(tables.tag).where(column.key_arn == key_arn, column.key.in_(given)))
    transaction.run(
        insert(tables.tag),
        [
            {"key_arn": key_arn, "key": key, "value": value, "position": positions.get(key, free + number)}
            for number, (key, value) in enumerate(given.items())
        ],
    )


def check(tags: Sequence[Tag] | None) -> dict[str, str]:
    """The tags of a new key, by their keys. Raises TagException."""
    given = {tag.TagKey: tag.TagValue for tag in tags or ()}
    if len(given) < len(tags or ()):
        raise TagException("Duplicate tag keys")
    if any(key.lower().startswith("aws:") for key in given):
        raise TagException("Tags beginning with aws: are reserved")
    if len(given) > _MAX_TAGS:
        raise TagException("Too many tags")
    return given


def key_to_tag(call: Call, request: shapes.TagResourceRequest) -> Target:
    """The key, with the tags of the request as condition keys."""
    target = key_named(call, request)
    return msgspec.structs.replace(target, context={**target.context, **of_request(request.Tags)})


def key_to_untag(call: Call, request: shapes.UntagResourceRequest) -> Target:
    """The key, with the tags' keys as condition keys."""
    target = key_named(call, request)
    return msgspec.structs.replace(target, context={**target.context, **of_request(None, request.TagKeys)})


@kms.operation("TagResource", on=key_to_tag, writes=True)
def tag_resource(call: Call, request: shapes.TagResourceRequest, key: Key) -> None:
    states.check("TagResource", key)
    put(call.transaction, key.arn, request.Tags)
    call.transaction.changed(records.topic(key.arn))


@kms.operation("UntagResource", on=key_to_untag, writes=True)
def untag_resource(call: Call, request: shapes.UntagResourceRequest, key: Key) -> None:
    states.check("UntagResource", key)
    column = tables.tag.c
    call.transaction.run(delete(tables.tag).where(column.key_arn == key.arn, column.key.in_(request.TagKeys)))
    call.transaction.changed(records.topic(key.arn))


@kms.operation("ListResourceTags", on=key_named)
def list_resource_tags(
    call: Call, request: shapes.ListResourceTagsRequest, key: Key
) -> shapes.ListResourceTagsResponse:
    column, start = tables.tag.c, paging.after(call, request.Marker)
    rows = call.transaction.all(
        select(column.key, column.value).where(column.key_arn == key.arn, column.key > start).order_by(column.key)
    )
    page, truncated, marker = paging.page(call, rows, min(request.Limit or 50, 50), lambda row: str(row.key))
    return shapes.ListResourceTagsResponse(
        Tags=[Tag(TagKey=row.key, TagValue=row.value) for row in page],
        NextMarker=marker,
        Truncated=truncated,
    )
