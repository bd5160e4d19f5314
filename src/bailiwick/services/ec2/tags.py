"""CreateTags, DeleteTags and DescribeTags, for instances."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import select

from bailiwick.api import Call, Target
from bailiwick.core.policy.question import Value
from bailiwick.directory import instances, tables
from bailiwick.directory.instance_tables import instance
from bailiwick.services.ec2 import filters, shapes
from bailiwick.services.ec2.describing import in_region
from bailiwick.services.ec2.errors import InvalidId, InvalidParameterValue, TagLimitExceeded, looks_only
from bailiwick.services.ec2.service import ec2
from bailiwick.services.ec2.targets import Found, named

_MOST_TAGS, _MOST_RESOURCES = 50, 1000
_LONGEST_KEY, _LONGEST_VALUE = 127, 256


def to_tag(call: Call, request: shapes.CreateTagsRequest | shapes.DeleteTagsRequest) -> Target:
    """The instances to tag, with the tags of the request as condition keys. The record is a list of Found."""
    ids = list(dict.fromkeys(request.Resources))
    if not ids or len(ids) > _MOST_RESOURCES:
        raise InvalidParameterValue(f"There must be 1 to {_MOST_RESOURCES} resources.")
    foreign = next((each for each in ids if not each.startswith("i-")), None)
    if foreign is not None:
        raise InvalidId(f"The ID '{foreign}' is not valid: only instances have tags here.")
    given = request.Tags or []
    keys: dict[str, Value] = {
        f"aws:requesttag/{tag.Key.lower()}": tag.Value or ""
        for tag in given
        if tag.Key is not None and (tag.Value is not None or isinstance(request, shapes.CreateTagsRequest))
    }
    if given:
        keys["aws:tagkeys"] = tuple(tag.Key or "" for tag in given)
    targets = [msgspec.structs.replace(each, context={**each.context, **keys}) for each in named(call, ids)]
    first, *rest = targets
    return msgspec.structs.replace(first, record=[each.record for each in targets], also=tuple(rest))


@ec2.operation("CreateTags", on=to_tag, writes=True)
def create_tags(call: Call, request: shapes.CreateTagsRequest, found: list[Found]) -> None:
    looks_only(request)
    given = {tag.Key or "": tag.Value or "" for tag in request.Tags}
    if len(given) < len(request.Tags):
        raise InvalidParameterValue("Duplicate tag keys found.")
    for key, value in given.items():
        check_tag(key, value)
    for each in found:
        if len(each.tags.keys() | given.keys()) > _MOST_TAGS:
            raise TagLimitExceeded(f"The maximum number of Tags for a resource has been reached: {_MOST_TAGS}")
        instances.set_tags(call.transaction, each.instance.id, given)


@ec2.operation("DeleteTags", on=to_tag, writes=True)
def delete_tags(call: Call, request: shapes.DeleteTagsRequest, found: list[Found]) -> None:
    """Without tags every tag goes; one with a value goes only if it has that value."""
    looks_only(request)
    for each in found:
        if request.Tags is None:
            gone = list(each.tags)
        else:
            gone = [tag.Key or "" for tag in request.Tags if tag.Value in (None, each.tags.get(tag.Key or ""))]
        instances.remove_tags(call.transaction, each.instance.id, gone)


def check_tag(key: str, value: str) -> None:
    """Whether EC2 takes this tag. Raises InvalidParameterValue."""
    if not key:
        raise InvalidParameterValue("Tag key cannot be null or empty.")
    if key.lower().startswith("aws:"):
        raise InvalidParameterValue(
            f"Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for "
            "internal use"
        )
    if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
        raise InvalidParameterValue("Tag key exceeds the maximum length of 127, or its value that of 256.")


class _Row(NamedTuple):
    id: str
    key: str
    value: str

    @property
    def place(self) -> str:
        return f"{self.id} {self.key}"


_FILTERS: dict[str, filters.Values[_Row]] = {
    "key": lambda row: (row.key,),
    "resource-id": lambda row: (row.id,),
    "resource-type": lambda row: ("instance",),
    "value": lambda row: (row.value,),
}


@ec2.operation("DescribeTags", on=in_region)
def describe_tags(call: Call, request: shapes.DescribeTagsRequest, record: None) -> shapes.DescribeTagsResult:
    looks_only(request)
    passes = filters.passing(request.Filters, _FILTERS, lambda row: {row.key: row.value})
    rows, token = filters.page(
        call, request, lambda after, limit: _read(call, after, limit), lambda row: row.place, passes
    )
    return shapes.DescribeTagsResult(
        Tags=[
            shapes.TagDescription(Key=row.key, ResourceId=row.id, ResourceType="instance", Value=row.value)
            for row in rows
        ],
        NextToken=token,
    )


def _read(call: Call, after: str, limit: int) -> list[_Row]:
    tag, found = tables.tag.c, instance.c
    instance_id, _, key = after.partition(" ")
    rows = call.transaction.all(
        select(tag.owner_id, tag.key, tag.value)
        .join(instance, found.id == tag.owner_id)
        .where(found.account == call.account, found.region == call.region)
        .where((tag.owner_id > instance_id) | ((tag.owner_id == instance_id) & (tag.folded > key)))
        .order_by(tag.owner_id, tag.folded)
        .limit(limit)
    )
    return [_Row(row.owner_id, row.key, row.value) for row in rows]
