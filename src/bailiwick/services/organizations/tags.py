"""Tags of roots, units, accounts and policies. Keys are case-sensitive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bailiwick.api import Call, Target
from bailiwick.directory import entities, organizations, tagging
from bailiwick.services.organizations import paging, shapes
from bailiwick.services.organizations.service import organizations as service
from bailiwick.services.organizations.shapes import ConstraintViolationException, InvalidInputException, Tag
from bailiwick.services.organizations.targets import (
    NO_TARGET,
    Who,
    node,
    policy_target,
    tag_owner,
    within,
)

_MAX_TAGS = 50


def put(call: Call, resource_id: str, tags: Sequence[Tag] | None) -> None:
    """Set tags; those with the same key are replaced where they stand.

    Raises InvalidInputException for a key given twice or reserved, ConstraintViolationException for more than 50.
    """
    if not tags:
        return
    given = {tag.Key: tag.Value for tag in tags}
    if len(given) < len(tags):
        raise InvalidInputException("You provided the same tag key more than once.", Reason="DUPLICATE_TAG_KEY")
    if any(key.lower().startswith("aws:") for key in given):
        raise InvalidInputException(
            "Tag keys with the prefix aws: are reserved.", Reason="INVALID_SYSTEM_TAGS_PARAMETER"
        )
    if not tagging.put(call.transaction, tag_owner(resource_id), given, most=_MAX_TAGS):
        raise ConstraintViolationException(
            "You have exceeded the allowed number of tags.", Reason="MAX_TAG_LIMIT_EXCEEDED"
        )


def remove_all(call: Call, resource_id: str) -> None:
    """Forget the tags of what goes away."""
    tagging.remove_all(call.transaction, tag_owner(resource_id))


def with_tagging(target: Target, tags: Sequence[Tag] | None) -> Target:
    """The same target; the caller must be allowed to tag it too, if there are tags."""
    if not tags:
        return target
    also = msgspec.structs.replace(target, action="organizations:TagResource", also=())
    return msgspec.structs.replace(target, also=(*target.also, also))


def _resource(who: Who) -> Any:
    """A finder of what ResourceId names: a node or a policy."""
    of_node = node("ResourceId", NO_TARGET, who)

    def find(call: Call, request: Any) -> Target:
        if not request.ResourceId.startswith("p-"):
            return of_node(call, request)
        organization, refused = within(call, who)
        if organization is None:
            return Target(account=call.account, absent=refused)
        found = organizations.policy(call.transaction, organization.id, request.ResourceId)
        if found is not None and found.is_aws:
            found = None
        return policy_target(call, organization, found, request, refused, NO_TARGET)

    return find


@service.operation("TagResource", on=_resource(Who.MANAGEMENT), writes=True)
def tag_resource(call: Call, request: shapes.TagResourceRequest, record: Any) -> None:
    put(call, request.ResourceId, request.Tags)


@service.operation("UntagResource", on=_resource(Who.MANAGEMENT), writes=True)
def untag_resource(call: Call, request: shapes.UntagResourceRequest, record: Any) -> None:
    tagging.remove(call.transaction, tag_owner(request.ResourceId), request.TagKeys)


@service.operation("ListTagsForResource", on=_resource(Who.READER))
def list_tags_for_resource(
    call: Call, request: shapes.ListTagsForResourceRequest, record: Any
) -> shapes.ListTagsForResourceResponse:
    found = entities.tags(call.transaction, tag_owner(request.ResourceId))
    numbered = list(enumerate(found.items()))
    shown, token = paging.page(call, request, numbered, lambda each: f"{each[0]:06}")
    return shapes.ListTagsForResourceResponse(
        Tags=[Tag(Key=key, Value=value) for _, (key, value) in shown], NextToken=token
    )
