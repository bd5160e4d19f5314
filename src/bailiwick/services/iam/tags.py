"""Tags of IAM's entities, and the condition keys that come from them.

Keys of users and roles are the same in any letter case; those of policies are not (facts/iam.md section 5.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from bailiwick.api import Call, Target, Transaction
from bailiwick.core.policy.question import Value
from bailiwick.directory import entities, tables, tagging
from bailiwick.services.iam import paging, shapes
from bailiwick.services.iam.shapes import InvalidInputException, LimitExceededException, Tag

MAX_TAGS = 50
ONLY_AWS = ("aws:resourcetag",)


def put(transaction: Transaction, owner_id: str, tags: Sequence[Tag] | None, *, fold: bool = True) -> None:
    """Set tags of an entity; those with the same key are replaced where they stand.

    `fold` for entities whose keys are the same in any letter case. Raises InvalidInput for a key given twice or
    reserved, LimitExceeded for more than 50 in the end.
    """
    if not tags:
        return
    if len({tagging.folded(tag.Key, fold) for tag in tags}) < len(tags):
        told = " Please note that Tag keys are case insensitive." if fold else ""
        raise InvalidInputException(f"Duplicate tag keys found.{told}")
    if any(tag.Key.lower().startswith("aws:") for tag in tags):
        raise InvalidInputException("Tags beginning with aws: are reserved.")
    values = {tag.Key: tag.Value for tag in tags}
    if not tagging.put(transaction, owner_id, values, most=MAX_TAGS, fold=fold):
        raise LimitExceededException("The number of tags has reached the maximum limit.")


def remove(transaction: Transaction, owner_id: str, keys: Sequence[str], *, fold: bool = True) -> None:
    """Remove tags by key; one that is not there is no error."""
    tagging.remove(transaction, owner_id, keys, fold=fold)


def remove_all(transaction: Transaction, owner_id: str) -> None:
    """Remove every tag of an entity that goes away."""
    tagging.remove_all(transaction, owner_id)


def shown(transaction: Transaction, owner_id: str) -> list[Tag] | None:
    """An entity's tags as responses show them: None where there are none."""
    found = entities.tags(transaction, owner_id)
    return [Tag(Key=key, Value=value) for key, value in found.items()] or None


def page(call: Call, owner_id: str, marker: str | None, limit: int | None) -> tuple[list[Tag], bool, str | None]:
    """A page of the tags of a user or role, in the order in which they were set first."""
    columns = tables.tag.c
    rows = call.transaction.all(
        select(columns.position, columns.key, columns.value)
        .where(columns.owner_id == owner_id, columns.position > int(paging.after(call, marker) or 0))
        .order_by(columns.position)
        .limit(paging.wanted(limit))
    )
    cut, truncated, following = paging.page(call, rows, limit, lambda row: str(row.position))
    return [shapes.Tag(Key=row.key, Value=row.value) for row in cut], truncated, following


def listed(transaction: Transaction, owner_id: str) -> list[Tag]:
    """The tags of an entity whose keys' letter case matters: short keys first (recorded 2026)."""
    found = entities.tags(transaction, owner_id)
    return [Tag(Key=key, Value=found[key]) for key in sorted(found, key=_place)]


def page_listed(
    call: Call, owner_id: str, marker: str | None, limit: int | None
) -> tuple[list[Tag], bool, str | None]:
    """A page of what `listed` gives."""
    last = _place(paging.after(call, marker))
    rest = [tag for tag in listed(call.transaction, owner_id) if _place(tag.Key) > last]
    return paging.page(call, rest, limit, lambda tag: tag.Key)


def _place(key: str) -> tuple[int, str]:
    return len(key), key


# -- Condition keys ---------------------------------------------------------------------------------------


def of_request(tags: Sequence[Tag] | None, keys: Sequence[str] | None = None) -> dict[str, Value]:
    """The condition keys of tags, or keys of tags, that a request passes."""
    context: dict[str, Value] = {f"aws:requesttag/{tag.Key.lower()}": tag.Value for tag in tags or ()}
    named = [tag.Key for tag in tags or ()] + list(keys or ())
    if named:
        context["aws:tagkeys"] = tuple(named)
    return context


def new(
    call: Call,
    arn: str,
    tags: Sequence[Tag] | None,
    action: str,
    more: dict[str, Value] | None = None,
    *,
    label: str | None = None,
    record: Any = None,
) -> Target:
    """What a request that makes something acts on; with tags, the caller must be allowed to set them (`action`).

    `more` are further condition keys.
    """
    context = of_request(tags) | (more or {})
    tagged = Target(account=call.account, arn=arn, action=action, context=context, label=label)
    also = (tagged,) if tags else ()
    return Target(account=call.account, arn=arn, context=context, label=label, record=record, also=also)


def of_both(
    call: Call, request: Any, owner_id: str | None, prefixes: Sequence[str] = ("aws:resourcetag", "iam:resourcetag")
) -> dict[str, Value]:
    """The condition keys of the tags that a request passes, and of those that an entity has; None if there is none.

    Those of an entity stand under each of `prefixes`.
    """
    context = of_request(getattr(request, "Tags", None), getattr(request, "TagKeys", None))
    present = entities.tags(call.transaction, owner_id) if owner_id is not None else {}
    for key, value in present.items():
        context |= {f"{prefix}/{key.lower()}": value for prefix in prefixes}
    return context
