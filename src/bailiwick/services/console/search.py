"""The search over everything: what begins with a text, and what a text names by its id or ARN.

It asks what anybody may ask: one page of each list, which begins where the text does in the order of names. So it
takes as long with 100,000 users as with ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from bailiwick.core.formats import before, list_scope, make_marker
from bailiwick.core.message import Response
from bailiwick.services.console.asking import Gap, attempt
from bailiwick.web.pages import Pages
from bailiwick.web.templating import segment, with_query
from bailiwick.web.visit import Visit

pages = Pages()

_SHOWN = 10  # of each kind
_LONGEST = 2048  # of an ARN
_NAME = 128  # letters of a name


class Found(NamedTuple):
    """Something that was found: its kind, its name, the address of its page."""

    kind: str
    name: str
    path: str


@pages.get("/console/search")
def search(visit: Visit) -> Response:
    """What begins with a text, or is named by it."""
    text = (visit.query.filled("q") or "").strip()[:_LONGEST]
    found = list(dict.fromkeys(_found(visit, text))) if text else []
    return visit.page("console/search.html", text=text, found=found)


def _found(visit: Visit, text: str) -> Iterator[Found]:
    start = text.rpartition("/")[2] if text.startswith("arn:") else text
    if 0 < len(start) <= _NAME and start.isascii() and start.isprintable():
        yield from _entities(visit, start)
        yield from _keys(visit, text, start)
        yield from _policies(visit, text, start)
    yield from _ids(visit, text)


def _entities(visit: Visit, start: str) -> Iterator[Found]:
    """Users, groups and roles, whose names are in the order of small letters."""
    folded = start.lower()
    for kind, operation, member, name in (
        ("user", "ListUsers", "Users", "UserName"),
        ("group", "ListGroups", "Groups", "GroupName"),
        ("role", "ListRoles", "Roles", "RoleName"),
    ):
        for each in _page(visit, "iam", operation, member, before(folded), MaxItems=_SHOWN):
            found: str = getattr(each, name)
            if found.lower().startswith(folded):
                yield Found(kind, found, f"/console/iam/{kind}s/{segment(found)}")


def _policies(visit: Visit, text: str, start: str) -> Iterator[Found]:
    """The account's policies, then those of AWS, by the beginning of what stands in their ARNs."""
    if text.startswith("arn:") and ":policy/" in text and attempt(visit, "iam", "GetPolicy", PolicyArn=text):
        yield Found("policy", text, with_query("/console/iam/policy", arn=text))
    for owner, scope in ((visit.caller.account, "Local"), ("aws", "AWS")):
        arn = f"arn:{visit.environment.partition}:iam::{owner}:policy/{start}"
        for each in _page(visit, "iam", "ListPolicies", "Policies", before(arn), MaxItems=_SHOWN, Scope=scope):
            if each.Arn.startswith(arn):
                yield Found("policy", each.Arn, with_query("/console/iam/policy", arn=each.Arn))


def _keys(visit: Visit, text: str, start: str) -> Iterator[Found]:
    """A key by its id or ARN, and keys by their aliases."""
    described = attempt(visit, "kms", "DescribeKey", KeyId=text)
    if described:
        key_id = described.KeyMetadata.KeyId
        yield Found("key", text, f"/console/kms/keys/{segment(key_id)}")
    alias = f"alias/{start}"
    for each in _page(visit, "kms", "ListAliases", "Aliases", before(alias), Limit=_SHOWN):
        if each.AliasName.startswith(alias) and each.TargetKeyId:
            yield Found("key", each.AliasName, f"/console/kms/keys/{segment(each.TargetKeyId)}")


def _ids(visit: Visit, text: str) -> Iterator[Found]:
    """The owner of an access key, and an event of the audit trail."""
    used = attempt(visit, "iam", "GetAccessKeyLastUsed", AccessKeyId=text) if text.startswith("AKIA") else None
    if used:
        yield Found("access key of", used.UserName or "", f"/console/iam/users/{segment(used.UserName or '')}")
    if text.count("-") == 4:
        wanted = [{"AttributeKey": "EventId", "AttributeValue": text}]
        happened = attempt(visit, "cloudtrail", "LookupEvents", LookupAttributes=wanted, MaxResults=1)
        if happened and happened.Events:
            yield Found("event", happened.Events[0].EventName or "", f"/console/audit/{segment(text)}")


def _page(visit: Visit, service: str, operation: str, member: str, after: str, **members: Any) -> list[Any]:
    """One page of a list, which begins after a key; nothing of what may not be listed."""
    region = "" if service == "iam" else visit.region
    scope = list_scope(visit.caller.account, f"{service}:{operation}", region)
    marker = make_marker(visit.environment.ring, scope, after)
    found = attempt(visit, service, operation, Marker=marker, **members)
    return [] if isinstance(found, Gap) else list(getattr(found, member) or [])
