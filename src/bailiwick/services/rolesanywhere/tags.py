"""Tags of trust anchors, profiles, lists of revoked certificates and subjects. Keys are case-sensitive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bailiwick.api import Call, Target
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities, tagging
from bailiwick.services.rolesanywhere import items, shapes, subjects
from bailiwick.services.rolesanywhere.items import tag_owner
from bailiwick.services.rolesanywhere.service import rolesanywhere
from bailiwick.services.rolesanywhere.shapes import Tag, TooManyTagsException, ValidationException

_MOST = 50


def of_request(tags: Sequence[Tag] | None, keys: Sequence[str] | None = None) -> dict[str, Value]:
    """The condition keys of tags, or of keys of tags, that a request passes."""
    context: dict[str, Value] = {f"aws:requesttag/{tag.key.lower()}": tag.value for tag in tags or ()}
    named = [tag.key for tag in tags or ()] + list(keys or ())
    return context | ({"aws:tagkeys": tuple(named)} if named else {})


def new(call: Call, request: Any) -> Target:
    """What a request that creates something acts on: no resource, but with the tags that it passes."""
    return Target(account=call.account, context=of_request(request.tags))


def put(call: Call, item_id: str, tags: Sequence[Tag] | None) -> None:
    """Set tags; those with the same key are replaced. Raises ValidationException, TooManyTagsException."""
    if not tags:
        return
    given = {tag.key: tag.value for tag in tags}
    if len(given) < len(tags) or any(key.lower().startswith("aws:") for key in given):
        raise ValidationException("Tag keys must be unique, and must not begin with aws:.")
    if not tagging.put(call.transaction, tag_owner(item_id), given, most=_MOST):
        raise TooManyTagsException("Too many tags.")


def _tagged(call: Call, request: Any) -> Target:
    """What resourceArn names, with the tags of the request as condition keys. The record is its id."""
    kind = request.resourceArn.rpartition(":")[2].partition("/")[0]
    find = subjects.named if kind == items.SUBJECT else items.named(kind, "resourceArn")
    if kind not in (items.ANCHOR, items.PROFILE, items.CRL, items.SUBJECT):
        return Target(account=call.account, arn=request.resourceArn, absent=ValidationException("Invalid ARN."))
    target = find(call, request)
    passed = of_request(getattr(request, "tags", None), getattr(request, "tagKeys", None))
    return msgspec.structs.replace(target, context={**target.context, **passed})


@rolesanywhere.operation("TagResource", on=_tagged, writes=True)
def tag_resource(call: Call, request: shapes.TagResourceRequest, record: Any) -> shapes.TagResourceResponse:
    put(call, record.id, request.tags)
    return shapes.TagResourceResponse()


@rolesanywhere.operation("UntagResource", on=_tagged, writes=True)
def untag_resource(call: Call, request: shapes.UntagResourceRequest, record: Any) -> shapes.UntagResourceResponse:
    tagging.remove(call.transaction, tag_owner(record.id), request.tagKeys)
    return shapes.UntagResourceResponse()


@rolesanywhere.operation("ListTagsForResource", on=_tagged)
def list_tags(
    call: Call, request: shapes.ListTagsForResourceRequest, record: Any
) -> shapes.ListTagsForResourceResponse:
    found = entities.tags(call.transaction, tag_owner(record.id))
    return shapes.ListTagsForResourceResponse(tags=[Tag(key=key, value=value) for key, value in found.items()])
